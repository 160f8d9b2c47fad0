"""Build a guest through a service: `vmwright serve` runs, and has an image and a flavor."""

import sys
from pathlib import Path

from vmwright import Client, CreateRequest
from vmwright.views import RENDERERS


def main(endpoint: str, token: str) -> None:
    with Client(endpoint, token) as client:
        request = CreateRequest(name="vm1", image="demo", flavor="small")
        operation = client.create(request)
        for event in client.watch(operation.id):
            print(f"{event.at:%H:%M:%S}", event.task or event.kind, event.state)
        print("operation:", client.operation(operation.id).state)
        print("instance:", client.instance("vm1").vm_state)
        print(RENDERERS["text"](client.graph(operation.id)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).read_text())
