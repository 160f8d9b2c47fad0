"""Plug-ins of other packages as tasks of a build: docs/how-to/hooks.md says how one is written."""

import re
from collections.abc import Sequence
from typing import Any

from vmwright.errors import InvalidRequest
from vmwright.plugins import load_plugins
from vmwright.tasks.task import Means, RemovingTask, Task

PRE, POST = "pre", "post"
"""What the name of a hook in a flow begins with: nothing of ours has a dot in its name."""

_NAMESPACES = {PRE: "vmwright.hooks.pre_create", POST: "vmwright.hooks.post_create"}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
"""It must fit, with what is put before it, into the columns that hold the names of tasks."""

_INPUTS = frozenset({"run", "spec"})


def hooks_of(means: Means, moment: str, names: Sequence[str]) -> list[Task]:
    """The plug-ins of these names as tasks, in this order.

    `InvalidRequest` for one that is not installed, which lists those that are, or that is none;
    `PackageMissing` for one that cannot be loaded.
    """
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise InvalidRequest(
                f"{moment} hook {name!r} has not a name of at most 48 of a-z, 0-9, _ and -"
            )
    if len(set(names)) != len(names):
        raise InvalidRequest(f"{moment} hooks: one is named twice in {', '.join(names)}")
    if not names:
        return []
    plugins = load_plugins(_NAMESPACES[moment], f"{moment} hook", names)
    return [
        _task(means, f"{moment}.{name}", plugin)
        for name, plugin in zip(names, plugins, strict=True)
    ]


def is_hook(name: str) -> bool:
    """Whether the task of this name is a plug-in."""
    return name.partition(".")[0] in _NAMESPACES and "." in name


def refuse_misfits(tasks: Sequence[Task]) -> None:
    """`InvalidRequest` for a hook that cannot be run among these tasks, which come in order."""
    provided = set(_INPUTS)
    for task in tasks:
        if is_hook(task.name):
            others = {name for other in tasks if other is not task for name in other.provides}
            _refuse_misfit(task, before=provided, others=others | _INPUTS)
        provided |= set(task.provides)


def _task(means: Means, name: str, plugin: Any) -> Task:
    try:
        task = plugin(means)
    except Exception as error:
        raise _unusable(name, f"it cannot be made: {type(error).__name__}: {error}") from error
    if not isinstance(task, Task):
        raise _unusable(name, f"{type(task).__qualname__} is not a Task")
    if isinstance(task, RemovingTask):
        raise _unusable(name, "a RemovingTask cannot be taken back")
    if task.task_state is not None:
        raise _unusable(name, "the states of instances are those of the tasks between hooks")
    # Whatever its class says: this is what the store knows it by, and how it is found again.
    task.name = name
    return task


def _refuse_misfit(task: Task, *, before: set[str], others: set[str]) -> None:
    missing = sorted(set(task.requires) - before)
    if missing:
        raise _unusable(task.name, f"nothing before it provides {', '.join(missing)}")
    doubled = sorted(set(task.provides) & others)
    if doubled:
        raise _unusable(task.name, f"others provide {', '.join(doubled)} already")


def _unusable(name: str, reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"hook {name} cannot be used: {reason}",
        hint="correct the plug-in, or leave it out of the configuration",
    )
