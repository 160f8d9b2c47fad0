"""Whole creates on simulated hosts without latency: from the door until the guest is active.

    python -m benchmarks.create URL [ALONE] [CONCURRENT] [--clients 50,...]

Prints one JSON line per mode: one at a time, and so many clients at once; 0 leaves a mode out.
Each build has its own rows for the instance, its address, its volume and its claim.
"""

import argparse
import json
from pathlib import Path

from benchmarks.deployment import build, opened, settings_of, warm
from benchmarks.meter import measure
from benchmarks.processes import directory

CLIENTS = 50
WARMING = 10


def main(url: str, home: Path, alone: int, concurrent: int, clients: list[int]) -> None:
    modes = [(alone, 1), *((concurrent, number) for number in clients)]
    with opened(settings_of(url, home)) as controller:
        warm(controller, WARMING)
        for count, threads in modes:
            if count:
                figures = measure(lambda _: build(controller), count, threads)
                print(json.dumps({"subject": "create", **figures}), flush=True)


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("alone", type=int, nargs="?", default=100)
    parser.add_argument("concurrent", type=int, nargs="?", default=300)
    parser.add_argument("--clients", type=numbers, default=[CLIENTS])
    chosen = parser.parse_args()
    with directory() as place:
        main(chosen.url, place, chosen.alone, chosen.concurrent, chosen.clients)
