"""Break a task on purpose: in a child process, where its classes are nobody else's."""

import functools
import os
import signal
import threading
from collections.abc import Callable, Container, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from vmwright.errors import HostFault, Refused, VmwrightError
from vmwright.states import Direction
from vmwright.tasks.task import Means, Run, StoreTask, Task

NO_MEANS = Means(None, None, None, None)  # type: ignore[arg-type]
"""Enough to make a flow and look at it."""

_ALWAYS = range(1, 100)
_GATHERING = 20.0
"""Seconds until a task that waits for its siblings gives up: they are not coming."""


class Break(StrEnum):
    """What goes wrong with a task."""

    FAIL_BEFORE = "fail_before"
    FAIL_AFTER = "fail_after"
    KILL_BEFORE = "kill_before"
    KILL_AFTER = "kill_after"
    FAIL_ONCE = "fail_once"
    TWICE = "twice"
    TOGETHER_BEFORE = "together_before"
    """The power is cut once all that are broken like this, before or after, have come there."""
    TOGETHER_AFTER = "together_after"
    WITHIN = "within"
    """Once, it runs inside of the breakage's context."""


_TOGETHER = (Break.TOGETHER_BEFORE, Break.TOGETHER_AFTER)


class Injected(HostFault):
    """The failure that a test asked for: another host may do."""


class InjectedRefusal(Refused):
    """The failure that a test asked for: no host would do."""


Context = Callable[[Run], AbstractContextManager[object]]


@dataclass(frozen=True)
class Breakage:
    """What goes wrong with one task, one way, in some attempts."""

    task: str
    direction: Direction
    how: Break
    attempts: Container[int] = _ALWAYS
    error: type[VmwrightError] = Injected
    context: Context | None = None

    def on_attempts(self, *numbers: int) -> "Breakage":
        return replace(self, attempts=numbers)

    def refusing(self) -> "Breakage":
        return replace(self, error=InjectedRefusal)

    def __str__(self) -> str:
        return f"{self.task} {self.direction} {self.how}"


def execute(task: str, how: Break) -> Breakage:
    return Breakage(task, Direction.EXECUTE, how)


def revert(task: str, how: Break) -> Breakage:
    return Breakage(task, Direction.REVERT, how)


def die() -> None:
    """The power is cut: nothing after this line happens."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise VmwrightError("still alive")


class Witness:
    """Knows which breakages were met. It survives the process: they are lines of a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def saw(self, breakage: Breakage) -> None:
        """One write for each: a process that is killed then has said it or not."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        descriptor = os.open(self._path, flags, 0o600)
        os.write(descriptor, f"{breakage}\n".encode())
        os.close(descriptor)

    def met(self) -> set[str]:
        return set(self._path.read_text().splitlines()) if self._path.exists() else set()


def break_tasks(
    tasks: Iterable[Task], breakages: Iterable[Breakage], witness: Witness | None = None
) -> None:
    """From now on, in this process, these tasks go wrong like this."""
    known, breakages = {task.name: task for task in tasks}, list(breakages)
    together = sum(breakage.how in _TOGETHER for breakage in breakages)
    gathering = threading.Barrier(max(1, together))
    for breakage in breakages:
        broken = _Broken(breakage, witness, gathering)
        wrap(known[breakage.task], breakage.direction, broken.around)


def wrap(
    task: Task, direction: Direction, around: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> None:
    """Put `around` about this method of the task, in all flows of this process."""
    cls, name = type(task), task.name
    method = getattr(cls, direction.value)
    wrapped = around(method)

    @functools.wraps(method)
    def run(self: Task, **arguments: Any) -> Any:
        # Other tasks of the flow may be of the same class.
        return (wrapped if self.name == name else method)(self, **arguments)

    setattr(cls, direction.value, run)


class _Broken:
    """One breakage in one process."""

    def __init__(
        self, breakage: Breakage, witness: Witness | None, gathering: threading.Barrier
    ) -> None:
        self._breakage = breakage
        self._witness = witness
        self._gathering = gathering
        self._met = False

    def around(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def run(task: Task, **arguments: Any) -> Any:
            if arguments["run"].mark.attempt not in self._breakage.attempts:
                return method(task, **arguments)
            return self._run(lambda: method(task, **arguments), arguments["run"])

        return run

    def _run(self, call: Callable[[], Any], run: Run) -> Any:
        before, self._met = self._met, True
        match self._breakage.how:
            case Break.FAIL_BEFORE:
                self._fail()
            case Break.FAIL_AFTER:
                call()
                self._fail()
            case Break.KILL_BEFORE | Break.TOGETHER_BEFORE:
                self._die()
            case Break.KILL_AFTER | Break.TOGETHER_AFTER:
                call()
                self._die()
            case Break.FAIL_ONCE if not before:
                self._fail()
            case Break.TWICE:
                call()
                self._saw()
            case Break.WITHIN if not before:
                return self._within(call, run)
        return call()

    def _saw(self) -> None:
        if self._witness is not None:
            self._witness.saw(self._breakage)

    def _fail(self) -> None:
        self._saw()
        raise self._breakage.error(f"injected into {self._breakage.task}")

    def _die(self) -> None:
        self._saw()
        if self._breakage.how in _TOGETHER:
            self._gathering.wait(timeout=_GATHERING)
        die()

    def _within(self, call: Callable[[], Any], run: Run) -> Any:
        if self._breakage.context is None:
            raise ValueError(f"{self._breakage}: no context was given")
        with self._breakage.context(run):
            self._saw()
            return call()


def meet(
    task: Task,
    direction: Direction,
    arrive: Callable[[], None],
    *,
    after: bool,
    writes: bool = True,
) -> None:
    """Have `arrive` called in the middle of this task: before its effect, or after it.

    A task of the store runs inside a transaction, in which nothing else can be written: if
    `arrive` writes, it is then called by another thread, and comes as soon as it can.
    """
    store = writes and isinstance(task, StoreTask)

    def arriving() -> None:
        thread = threading.Thread(target=arrive)
        thread.start()
        if not store:
            thread.join()

    def around(method: Callable[..., Any]) -> Callable[..., Any]:
        def run(self: Task, **arguments: Any) -> Any:
            if not after:
                arriving()
            result = method(self, **arguments)
            if after:
                arriving()
            return result

        return run

    wrap(task, direction, around)
