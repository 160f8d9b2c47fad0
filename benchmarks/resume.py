"""How soon work that somebody left goes on after a start, and what memory that takes.

    python -m benchmarks.resume URL STATE_DIR [--until ENDED] [--cold]

A service opens a store whose operations nobody runs, and goes on until so many have ended; 0 stops
it at the first. Prints one JSON line. `first_ms` is from before the store is opened until the
first task is under way, durably; a request was accepted in another store before, which loads what
is loaded when it is needed. With `--cold` nothing is, and the clock begins with the process.
"""

import argparse
import json
import os
import threading
import time
from pathlib import Path

import sqlalchemy as sa

from benchmarks.deployment import opened, request, settings_of
from benchmarks.meter import Figures, cpu_seconds, resident_mib
from benchmarks.processes import directory
from vmwright import Controller
from vmwright.settings import Settings
from vmwright.states import ENDED
from vmwright.testing.points import Kind, Moment, Point, Watcher

_LONGEST = 600.0
_LOOK = 0.1


class First:
    """Knows when the first task began."""

    def __init__(self) -> None:
        self.at = 0.0
        self.came = threading.Event()

    def visit(self, point: Point) -> None:
        begun = point.kind is Kind.TRANSACTION and point.name.startswith("task ")
        if begun and point.moment is Moment.AFTER and not self.came.is_set():
            self.at = time.perf_counter()
            self.came.set()


def main(settings: Settings, until: int, *, cold: bool = False) -> Figures:
    first, stop = First(), threading.Event()
    if not cold:
        _load_everything()
    before, ended_before = resident_mib(), ended(settings)
    cpu, began = cpu_seconds(), _began_at() if cold else time.perf_counter()
    with Controller(settings, watch=Watcher(first.visit).watch) as controller:
        opened = time.perf_counter()
        service = threading.Thread(target=controller.serve_until, args=[stop])
        service.start()
        try:
            if not first.came.wait(_LONGEST):
                raise SystemExit("nothing was resumed")
            count, peak = _wait(settings, until, ended_before)
        finally:
            stop.set()
            service.join()
        wall, used = time.perf_counter() - began, cpu_seconds() - cpu
    return {
        "subject": "resume",
        "opened_ms": round(1000 * (opened - began), 1),
        "first_ms": round(1000 * (first.at - began), 1),
        "ended": count,
        "per_second": round(count / wall, 2),
        "cpu_ms": round(1000 * used / count, 3) if count else None,
        "before_mib": round(before, 1),
        "peak_mib": round(peak, 1),
    }


def _load_everything() -> None:
    with directory() as place, opened(settings_of(f"sqlite:///{place / 'store.db'}", place)) as one:
        one.submit(request())


def _began_at() -> float:
    """When this process was started, on the clock of `time.perf_counter`."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.perf_counter() - age


def _wait(settings: Settings, until: int, before: int) -> tuple[int, float]:
    """How many have ended, and the most memory that was seen."""
    pause, peak, count = threading.Event(), resident_mib(), 0
    deadline = time.monotonic() + _LONGEST
    while count < until and time.monotonic() < deadline:
        pause.wait(_LOOK)
        peak, count = max(peak, resident_mib()), ended(settings) - before
    if count < until:
        raise SystemExit(f"only {count} of {until} operations have ended")
    return count, peak


def ended(settings: Settings) -> int:
    """As somebody else counts, who looks into the store."""
    engine = sa.create_engine(settings.database.connection)
    states = ", ".join(f"'{state}'" for state in sorted(ENDED))
    with engine.connect() as connection:
        count = connection.exec_driver_sql(
            f"SELECT count(*) FROM vmwright_operations WHERE state IN ({states})"
        ).scalar_one()
    engine.dispose()
    return int(count)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("state_dir", type=Path)
    parser.add_argument("--until", type=int, default=0, metavar="ENDED")
    parser.add_argument("--cold", action="store_true")
    chosen = parser.parse_args()
    settings = settings_of(chosen.url, chosen.state_dir)
    print(json.dumps(main(settings, chosen.until, cold=chosen.cold)))
