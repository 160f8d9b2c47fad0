"""Stop a process with SIGSTOP in the middle of a task, past its lease, and let it go on."""

import contextlib
import fcntl
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.support import foreign_sql
from tests.support.attempts import until
from tests.support.breaking import around_task
from tests.support.lab import Ended, Lab
from vmwright.backends.simulated.faults import CHANGES
from vmwright.controller import Controller
from vmwright.states import Direction
from vmwright.testing.points import Kind, Moment, Point, Watcher

LEASE = 0.5
"""Seconds. Whoever loses it by himself on a slow machine takes his operation up again."""

_BEGUN = {Direction.EXECUTE: "RUNNING", Direction.REVERT: "REVERTING"}
_GO_ON = "go-on"


@dataclass(frozen=True)
class Stop:
    """Where a process stops itself: before a call of a task that changes something outside, in
    it, or after it; or, without a moment, once it is committed that the task has begun.

    A task of the store has had its effect then.
    """

    task: str
    direction: Direction
    moment: Moment | None
    call: int = 1
    """Which of the calls, from 1."""

    def __str__(self) -> str:
        return f"{self.task}-{self.direction.value}-{self.moment or 'begun'}"


class NeverCame(AssertionError):
    """The process ended without having come to where it was to stop."""


@dataclass(frozen=True)
class Stopped:
    """A child that stands still, and whose word has expired."""

    lab: Lab
    process: int

    def wake(self) -> Ended:
        (self.lab.home / _GO_ON).touch()
        os.kill(self.process, signal.SIGCONT)
        return self.lab.reap(self.process)


@contextmanager
def stopped(lab: Lab, work: Callable[[Controller], Any], stop: Stop) -> Iterator[Stopped]:
    """A child of this deployment that does the work, stopped there past its lease."""
    operations = replace(lab.settings.operations, lease=LEASE)
    halt = _Halt(stop, lab.home / _GO_ON)
    process = lab.fork(
        halt.telling(work), replace(lab.settings, operations=operations), watch=halt.watch
    )
    try:
        _await_stop(lab, process, stop)
        while not (lab.is_writable() and _hosts_are_free(lab)):
            # Another of its threads was stopped inside a transaction, or while a simulated host
            # was busy with its call: it may end that first.
            os.kill(process, signal.SIGCONT)
            _await_stop(lab, process, stop)
        until(lambda: not _trusted(lab))
        yield Stopped(lab, process)
    finally:
        _end(process)


def stop_at_rest(lab: Lab, process: int) -> None:
    """Stop a process that idles, at a moment when it keeps nobody else waiting."""
    os.kill(process, signal.SIGSTOP)
    os.waitpid(process, os.WUNTRACED)
    while not (lab.is_writable() and _hosts_are_free(lab)):
        os.kill(process, signal.SIGCONT)
        # Let it come out of what it is in the middle of.
        threading.Event().wait(0.05)
        os.kill(process, signal.SIGSTOP)
        os.waitpid(process, os.WUNTRACED)


def _hosts_are_free(lab: Lab) -> bool:
    """Whether no simulated host is in the middle of a call: it would keep everybody waiting."""
    for path in lab.world_root.rglob("*lock"):
        with path.open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
    return True


def _await_stop(lab: Lab, process: int, stop: Stop) -> None:
    _, status = os.waitpid(process, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        raise NeverCame(f"never came to {stop}: {lab.ended(process, status).output}")


def _end(process: int) -> None:
    """Unless it was waited for already."""
    with contextlib.suppress(ChildProcessError):
        if os.waitpid(process, os.WNOHANG) == (0, 0):
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def _trusted(lab: Lab) -> bool:
    clock = foreign_sql.clock(lab.settings.database.connection)
    return lab.rows(f"SELECT id FROM vmwright_owners WHERE expires_at >= {clock}") != []


class _Halt:
    """Stops this process once, at one point of one task."""

    def __init__(self, stop: Stop, go_on: Path) -> None:
        self._stop = stop
        self._go_on = go_on
        self._inside: ContextVar[bool] = ContextVar("inside", default=False)
        self._calls = 0
        self._turn = threading.RLock()
        self.watch = Watcher(self._visit).watch

    def telling(self, work: Callable[[Controller], Any]) -> Callable[[Controller], Any]:
        """The work, in a process whose warnings are read and whose task is marked."""

        def child(controller: Controller) -> None:
            logging.basicConfig(stream=sys.stderr, level=logging.WARNING, force=True)
            around_task(self._stop.task, self._stop.direction, self._mark)
            work(controller)

        return child

    def _mark(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def run(task: Any, **arguments: Any) -> Any:
            token = self._inside.set(True)
            try:
                return method(task, **arguments)
            finally:
                self._inside.reset(token)

        return run

    def _visit(self, point: Point) -> None:
        """Calls take turns: else one of another task could be under way, and have its effect
        although it is stopped with this one."""
        changes = point.kind is Kind.CALL and point.name.partition("@")[0] in CHANGES
        if changes and point.moment is Moment.BEFORE:
            self._turn.acquire()
        try:
            self._stop_if_reached(point)
        finally:
            if changes and point.moment is Moment.AFTER:
                self._turn.release()

    def _stop_if_reached(self, point: Point) -> None:
        if self._is_reached(point):
            self._calls += 1
            while self._calls == self._stop.call and not self._go_on.exists():
                os.kill(os.getpid(), signal.SIGSTOP)
                # Let the other threads come out of their transactions.
                threading.Event().wait(0.05)

    def _is_reached(self, point: Point) -> bool:
        stop = self._stop
        if point.kind is Kind.TRANSACTION:
            begun = f"task {stop.task} {_BEGUN[stop.direction]}"
            return (None, Moment.AFTER, begun) == (stop.moment, point.moment, point.name)
        verb = point.name.partition("@")[0]
        in_the_middle = point.moment is Moment.IN and point.step != "begun"
        return (
            self._inside.get()
            and point.moment is stop.moment
            and verb in CHANGES
            and not in_the_middle
        )
