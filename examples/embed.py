"""Build a guest from a program of your own: here on the simulated backend, in a directory."""

import sys
import tempfile
from pathlib import Path

from vmwright import Controller, CreateRequest, DatabaseSettings, Settings, SimulatedSettings
from vmwright.views import RENDERERS
from vmwright.waiting import Wait


def main(home: Path) -> None:
    settings = Settings(
        backend="simulated",
        state_dir=home,
        database=DatabaseSettings(connection=f"sqlite:///{home / 'vmwright.db'}"),
        simulated=SimulatedSettings(world_dir=home / "world"),
    )
    (home / "disk.raw").write_bytes(bytes(2**20))
    with Controller(settings) as controller:
        controller.inventory.create_image("demo", home / "disk.raw", "raw", wait=Wait(60))
        controller.inventory.create_flavor("small", vcpus=1, ram_mib=128, disk_gib=1)
        operation = controller.create(CreateRequest(name="vm1", image="demo", flavor="small"))
        print("operation:", controller.wait(operation.id, timeout=60).state)
        print("instance:", controller.instance("vm1").vm_state)
        print(RENDERERS["text"](controller.graph(operation.id)))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else directory))
