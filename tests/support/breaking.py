"""Break the tasks of our own flows by their names."""

from collections.abc import Callable
from typing import Any

from vmwright.controller import Controller
from vmwright.flows import NO_HOOKS, RECIPES, newest, tasks_of
from vmwright.spec import HooksSpec
from vmwright.states import Direction
from vmwright.tasks.hooks import hooks_of, is_hook
from vmwright.tasks.task import Task
from vmwright.testing import breaking as kit
from vmwright.testing.breaking import NO_MEANS, Break, Breakage, die, execute, revert
from vmwright.testing.stage import Work
from vmwright.views.graph import flow_graph

__all__ = ["NO_MEANS", "Break", "Breakage", "die", "execute", "revert"]


def tasks(kind: str, hooks: HooksSpec = NO_HOOKS) -> list[Task]:
    """Every task of the newest flow of this kind."""
    return tasks_of(newest(kind).make(NO_MEANS, hooks))


def names(kind: str, hooks: HooksSpec = NO_HOOKS) -> list[str]:
    return [task.name for task in tasks(kind, hooks)]


def on_hosts() -> list[str]:
    """The tasks of a build that may be run again on another host."""
    graph = flow_graph(newest("create").make(NO_MEANS, NO_HOOKS))
    return [name for name in names("create") if graph.nodes[name]["retry"]]


def break_task(*breakages: Breakage) -> None:
    """From now on, in this process, these tasks go wrong like this."""
    named = {_task(breakage.task).name: _task(breakage.task) for breakage in breakages}
    kit.break_tasks(named.values(), breakages)


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
    kit.wrap(_task(name), direction, around)


def meet(
    name: str,
    direction: Direction,
    arrive: Callable[[], None],
    *,
    after: bool,
    writes: bool = True,
) -> None:
    """Have `arrive` called in the middle of this task: before its effect, or after it."""
    kit.meet(_task(name), direction, arrive, after=after, writes=writes)


def broken(work: Work, *breakages: Breakage) -> Work:
    """`work` in a process in which these tasks go wrong."""

    def child(controller: Controller) -> None:
        break_task(*breakages)
        work(controller)

    return child
