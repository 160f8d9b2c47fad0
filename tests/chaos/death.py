"""Processes that die at a point, really and by SIGKILL, and leave a proof of where it was."""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from vmwright.controller import Controller
from vmwright.testing.points import Point, Strike, Watcher

Work = Callable[[Controller], Any]
Chosen = Callable[[Point], bool]


class Forking(Protocol):
    """What a `Lab` can do."""

    home: Path

    def fork(self, work: Work, *, watch: Any = None) -> int: ...


@dataclass(frozen=True)
class Death:
    """How a child ended: by SIGKILL at `point`, or otherwise."""

    status: int
    point: str | None

    @property
    def happened(self) -> bool:
        """It wrote where it was, and the next thing that befell it was SIGKILL."""
        return self.point is not None and self.status == -signal.SIGKILL


def dying_at(chosen: Chosen, note: Path) -> Callable[[Point], None]:
    """A visit that ends its process at the first point that is chosen."""
    lock = threading.Lock()

    def visit(point: Point) -> None:
        if chosen(point):
            with lock:  # of two threads that come to one at once, the second waits for ever
                _write(note, str(point))
                os.kill(os.getpid(), signal.SIGKILL)
                threading.Event().wait()

    return visit


def reaped(process: int, note: Path) -> Death:
    """Wait for the child's end, and read its note."""
    _, status = os.waitpid(process, 0)
    told = note.read_text() if note.exists() else None
    note.unlink(missing_ok=True)
    return Death(os.waitstatus_to_exitcode(status), told)


def killed_at(lab: Forking, work: Work, chosen: Chosen, strike: Strike | None = None) -> Death:
    """Have a child of this lab do the work and die at the first point that is chosen."""
    note = lab.home / "death"
    watcher = Watcher(dying_at(chosen, note), strike=strike)
    return reaped(lab.fork(work, watch=watcher.watch), note)


def _write(note: Path, text: str) -> None:
    """Durably: the kernel may lose what was not flushed, were it the machine that died."""
    descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, text.encode())
    os.fsync(descriptor)
    os.close(descriptor)
