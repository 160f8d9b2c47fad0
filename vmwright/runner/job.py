"""One task on its way to be run, and what TaskFlow is told of its end."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from oslo_serialization import jsonutils
from taskflow import states as taskflow_states
from taskflow.types.failure import Failure

from vmwright.errors import VmwrightError
from vmwright.persistence.pending import Fenced
from vmwright.persistence.unit_of_work import UnitOfWork
from vmwright.runner import taskflow_internals as internals
from vmwright.states import Direction
from vmwright.tasks.task import RemovingTask, Run, Task

_BEGUN = {
    Direction.EXECUTE: taskflow_states.RUNNING,
    Direction.REVERT: taskflow_states.REVERTING,
}

_WORD = {
    Direction.EXECUTE: internals.EXECUTED,
    Direction.REVERT: internals.REVERTED,
}


Answer = tuple[str, Any]
"""TaskFlow's word for how a task was run, and its result or `Failure`."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One task, one way."""

    task: Task
    direction: Direction
    arguments: dict[str, Any]

    @property
    def run(self) -> Run:
        run: Run = self.arguments["run"]
        return run

    @property
    def host(self) -> dict[str, Any]:
        """Where it is carried out, as `host_value` gives it; empty if on no host."""
        return self.arguments.get("host") or {}

    @property
    def method(self) -> Callable[..., Any]:
        name = "execute" if self.direction is Direction.EXECUTE else "revert"
        method: Callable[..., Any] = getattr(self.task, name)
        return method

    @property
    def removes(self) -> bool:
        return self.direction is Direction.REVERT or isinstance(self.task, RemovingTask)

    @property
    def only_looks(self) -> bool:
        """Whether nothing need be written down before it."""
        return self.task.only_looks

    @property
    def has_intent(self) -> bool:
        """Whether more than its beginning is written down before it."""
        own = type(self.task).intend is not Task.intend
        return own and self.direction is Direction.EXECUTE

    @property
    def begun(self) -> str:
        """TaskFlow's word for a task that is under way."""
        return str(_BEGUN[self.direction])

    def within(self, fenced: Fenced, work: UnitOfWork) -> dict[str, Any]:
        """The arguments of a store half."""
        run = dataclasses.replace(
            self.run,
            store_connection=fenced.connection,
            note=lambda kind, state: fenced.events.append(work.event(kind, state)),
        )
        return {**self.arguments, "run": run}

    def answer(self, result: Any) -> Answer:
        """What TaskFlow is told of its end; the result as a resumed run would read it."""
        if result is not None:
            result = jsonutils.loads(jsonutils.dumps(result))
        return _WORD[self.direction], result

    def failure(self, error: VmwrightError) -> Answer:
        """As `answer`, without the chain of causes, whose texts are not ours."""
        error.__cause__ = error.__context__ = None
        return _WORD[self.direction], Failure.from_exception(error)
