"""What create, list and resume cost in a store as it is: empty, or with a long history.

    python -m benchmarks.grown URL STATE_DIR [COUNT]

Prints one JSON line for each of the three. Stores that are compared are given the same number of
calls, so that as many instances live in each of them.
"""

import io
import json
import sys
import time
from pathlib import Path

from benchmarks.deployment import build, configured, opened, settings_of
from benchmarks.history import add_interrupted
from benchmarks.meter import Figures, cpu_seconds, measure
from vmwright import Controller
from vmwright.cli.main import run
from vmwright.states import OperationState

_WARMING = 5


def created(controller: Controller, count: int) -> Figures:
    for _ in range(_WARMING):
        build(controller)
    return measure(lambda _: build(controller), count, 1)


def listed(controller: Controller, count: int) -> Figures:
    """All that `vmwright list` does once its modules are loaded: the living instances."""
    words = ["--config-file", str(configured(controller.settings)), "list"]

    def look(_: int) -> None:
        said = io.StringIO()
        if run(words, said, said):
            raise SystemExit(said.getvalue())

    look(0)
    # It tells of all that were built here so far: each costs more than a build.
    return measure(look, max(2, count // 5), 1)


def resumed(controller: Controller, count: int) -> Figures:
    """Builds that were put down, from the call until the last of them has ended."""
    add_interrupted(controller.settings, count, "interrupted")
    cpu, began = cpu_seconds(), time.perf_counter()
    found = [operation.id for operation in controller.resume()]
    ends = [controller.wait(operation) for operation in found]
    wall, used = time.perf_counter() - began, cpu_seconds() - cpu
    if len(found) != count or any(end.state is not OperationState.DONE for end in ends):
        raise SystemExit(f"of {count} operations {len(found)} were resumed")
    return {
        "workflows": count,
        "per_second": round(count / wall, 2),
        "cpu_ms": round(1000 * used / count, 3),
        "p50_ms": round(1000 * wall / count, 3),
    }


def main(url: str, state_dir: Path, count: int) -> None:
    with opened(settings_of(url, state_dir)) as controller:
        for subject in (created, listed, resumed):
            print(json.dumps({"subject": subject.__name__, **subject(controller, count)}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int((sys.argv[3:] or ["50"])[0]))
