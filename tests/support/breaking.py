"""Break a task on purpose: in a child process, where its classes are nobody else's."""

import functools
import os
import signal
import threading
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from vmwright.controller import Controller
from vmwright.errors import HostFault, Refused, VmwrightError
from vmwright.flows import NO_HOOKS, RECIPES, newest, tasks_of
from vmwright.spec import HooksSpec
from vmwright.states import Direction
from vmwright.tasks.hooks import hooks_of, is_hook
from vmwright.tasks.task import Means, StoreTask, Task
from vmwright.views.graph import flow_graph

Work = Callable[[Controller], None]

NO_MEANS = Means(None, None, None, None)  # type: ignore[arg-type]
"""Enough to make a flow and look at it."""


class Break(StrEnum):
    """What goes wrong with a task."""

    FAIL_BEFORE = "fail_before"
    FAIL_AFTER = "fail_after"
    KILL_BEFORE = "kill_before"
    KILL_AFTER = "kill_after"
    FAIL_ONCE = "fail_once"
    TWICE = "twice"


_FAILED: set[str] = set()
_ALWAYS = range(1, 100)


class Injected(HostFault):
    """The failure that a test asked for: another host may do."""


class InjectedRefusal(Refused):
    """The failure that a test asked for: no host would do."""


@dataclass(frozen=True)
class Breakage:
    """What goes wrong with one task, one way, in some attempts."""

    task: str
    direction: Direction
    how: Break
    attempts: Container[int] = _ALWAYS
    error: type[VmwrightError] = Injected

    def on_attempts(self, *numbers: int) -> "Breakage":
        return replace(self, attempts=numbers)

    def refusing(self) -> "Breakage":
        return replace(self, error=InjectedRefusal)


def tasks(kind: str, hooks: HooksSpec = NO_HOOKS) -> list[Task]:
    """Every task of the newest flow of this kind."""
    return tasks_of(newest(kind).make(NO_MEANS, hooks))


def names(kind: str, hooks: HooksSpec = NO_HOOKS) -> list[str]:
    return [task.name for task in tasks(kind, hooks)]


def on_hosts() -> list[str]:
    """The tasks of a build that may be run again on another host."""
    graph = flow_graph(newest("create").make(NO_MEANS, NO_HOOKS))
    return [name for name in names("create") if graph.nodes[name]["retry"]]


def break_task(breakage: Breakage) -> None:
    """From now on, in this process, this task goes wrong like this."""
    around_task(
        breakage.task,
        breakage.direction,
        lambda method: _broken(method, breakage),
    )


def meet(
    name: str,
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
    store = writes and isinstance(_task(name), StoreTask)

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

    around_task(name, direction, around)


def _task(name: str) -> Task:
    if is_hook(name):
        moment, _, plugin = name.partition(".")
        (hook,) = hooks_of(NO_MEANS, moment, [plugin])
        return hook
    kinds = {known.kind for known in RECIPES}
    (found,) = (task for kind in kinds for task in tasks(kind) if task.name == name)
    return found


def around_task(
    name: str, direction: Direction, around: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> None:
    """From now on, in this process, this task's method is what `around` makes of it."""
    cls = type(_task(name))
    method = getattr(cls, direction.value)
    setattr(cls, direction.value, functools.wraps(method)(around(method)))


def _broken(method: Callable[..., Any], breakage: Breakage) -> Callable[..., Any]:
    name = breakage.task

    def run(self: Task, **arguments: Any) -> Any:
        if arguments["run"].mark.attempt not in breakage.attempts:
            return method(self, **arguments)
        match breakage.how:
            case Break.FAIL_BEFORE:
                raise breakage.error(f"injected into {name}")
            case Break.FAIL_AFTER:
                method(self, **arguments)
                raise breakage.error(f"injected into {name}")
            case Break.KILL_BEFORE:
                die()
            case Break.KILL_AFTER:
                method(self, **arguments)
                die()
            case Break.FAIL_ONCE if name not in _FAILED:
                _FAILED.add(name)
                raise breakage.error(f"injected into {name}")
            case Break.TWICE:
                method(self, **arguments)
        return method(self, **arguments)

    return run


def hold(name: str, direction: Direction, *, after: bool, others: threading.Barrier) -> None:
    """Let this task come to its effect, before or after, and die there once all others have."""

    def around(method: Callable[..., Any]) -> Callable[..., Any]:
        def run(self: Task, **arguments: Any) -> Any:
            if after:
                method(self, **arguments)
            others.wait(timeout=20)
            die()

        return run

    around_task(name, direction, around)


def broken(work: Work, *breakages: Breakage) -> Work:
    """`work` in a process in which these tasks go wrong."""

    def child(controller: Controller) -> None:
        for breakage in breakages:
            break_task(breakage)
        work(controller)

    return child


def execute(task: str, how: Break) -> Breakage:
    return Breakage(task, Direction.EXECUTE, how)


def revert(task: str, how: Break) -> Breakage:
    return Breakage(task, Direction.REVERT, how)


def die() -> None:
    """The power is cut: nothing after this line happens."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise VmwrightError("still alive")
