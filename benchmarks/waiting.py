"""What memory an operation takes that was accepted and waits for its turn.

    python -m benchmarks.waiting URL [OPERATIONS]

Prints one JSON line: the resident memory of the process that will run them, per operation.
"""

import gc
import json
import sys

from benchmarks.deployment import build, opened, settings_of
from benchmarks.history import add_interrupted
from benchmarks.meter import Figures, resident_mib
from benchmarks.processes import directory
from vmwright import Controller
from vmwright.settings import Settings

_WARMING = 10


def main(settings: Settings, count: int) -> Figures:
    with opened(settings) as controller:
        for _ in range(_WARMING):
            build(controller)
        add_interrupted(settings, count, "queued")
        gc.collect()
        before = resident_mib()
        found = _take_up(controller)
        gc.collect()
        grown = resident_mib() - before
    if found != count:
        raise SystemExit(f"of {count} operations {found} were found")
    return {
        "subject": "waiting",
        "operations": count,
        "resident_mib": round(before, 1),
        "kib_each": round(1024 * grown / count, 3),
    }


def _take_up(controller: Controller) -> int:
    """How many there are; what was said of them is let go, as a caller does."""
    return len(controller.resume())


if __name__ == "__main__":
    with directory() as place:
        settings = settings_of(sys.argv[1], place)
        print(json.dumps(main(settings, int((sys.argv[2:] or ["10000"])[0]))))
