"""What is left of a task that stands still, as its rows tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskflow import states as taskflow_states
from taskflow.persistence import models

from vmwright.backends.removal import Removal
from vmwright.errors import Damaged
from vmwright.persistence.logbook import LATE
from vmwright.persistence.records import Operation
from vmwright.states import OperationState
from vmwright.tasks.task import RemovingTask, StoreTask, Task

_UNDER_WAY = frozenset({taskflow_states.RUNNING, taskflow_states.REVERTING})


@dataclass(frozen=True, kw_only=True)
class Remnant:
    """A task whose effect is still there, and what its store half is called with."""

    task: Task
    atom: models.AtomDetail | None
    """None where its flow is not known, and the task stands for what any version makes."""
    arguments: Mapping[str, Any]
    whole: bool
    """Whether these are all the arguments that it wants."""
    forward: bool
    """Whether it is a task of a delete, which is left until it is done."""

    @property
    def host(self) -> Mapping[str, Any]:
        """`Damaged` if what was handed on is none."""
        found = self.arguments.get("host") or {}
        if not isinstance(found, Mapping):
            raise Damaged("the result that says which host it is on cannot be used")
        return found

    @property
    def is_under_way(self) -> bool:
        """Whether it was begun, and neither ended nor failed."""
        return self.atom is not None and self.atom.state in _UNDER_WAY

    def may_be_late(self, operation: Operation) -> bool:
        """Whether a call of it may still land that nobody waits for: it was given up, or the
        process that made it died, and nobody took it over."""
        if self.atom is None:
            return True
        cut_off = operation.state is OperationState.PARKED and self.is_under_way
        return cut_off or self.atom.meta.get(LATE) == operation.attempt

    def removals(self) -> Sequence[Removal]:
        if not self.host or not self.whole:
            return []
        return self.task.removals(**self.arguments)

    def forget(self) -> Any:
        """Its store half; of a task that changes nothing but the store, all of it."""
        if not isinstance(self.task, StoreTask):
            return self.task.forget(**self.arguments)
        return (self.task.execute if self.forward else self.task.revert)(**self.arguments)


def provided(task: Task, atom: models.AtomDetail) -> dict[str, Any]:
    """The values that a task has handed on, by name."""
    if atom.results is None or atom.state in (taskflow_states.PENDING, taskflow_states.FAILURE):
        return {}
    return {
        name: atom.results if index is None else atom.results[index]
        for name, index in task.save_as.items()
    }


def remnant_of(task: Task, atom: models.AtomDetail | None, values: dict[str, Any]) -> Remnant:
    """A task whose effect is left, with those of its arguments that are known."""
    forward = isinstance(task, RemovingTask)
    wanted = task.rebind if forward else task.revert_rebind
    arguments = {argument: values[name] for argument, name in wanted.items() if name in values}
    return Remnant(
        task=task,
        atom=atom,
        arguments=arguments,
        whole=len(arguments) == len(wanted),
        forward=forward,
    )
