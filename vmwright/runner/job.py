"""One task on its way to be run, and what TaskFlow is told of its end."""

import json
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
from vmwright.tasks.task import RemovingTask, Run, StoreTask, Task

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


_to_text = json.JSONEncoder(default=jsonutils.to_primitive).encode
_from_text = json.JSONDecoder().decode


class Way:
    """One task, one way: what its jobs in all runs have in common."""

    def __init__(self, task: Task, direction: Direction) -> None:
        forward = direction is Direction.EXECUTE
        self.direction = direction
        self.verb = "execute" if forward else "revert"
        self.in_store = isinstance(task, StoreTask)
        """Whether its whole effect lies in the store."""
        self.removes = isinstance(task, RemovingTask) or not forward
        self.has_intent = forward and getattr(type(task), "intend", None) is not Task.intend
        """Whether more than its beginning is written down before it."""
        self.may_wait = self.has_intent and not getattr(task, "only_looks", False)
        """Whether its beginning may wait for rows that others hold."""
        self.begun = str(_BEGUN[direction])
        """TaskFlow's word for a task that is under way."""
        self.word = _WORD[direction]
        """TaskFlow's word for its end."""


@dataclass(kw_only=True, eq=False)
class Job:
    """One task, one way, in one run."""

    task: Task
    way: Way
    run: Run
    arguments: dict[str, Any]

    @property
    def host(self) -> dict[str, Any]:
        """Where it is carried out, as `host_value` gives it; empty if on no host."""
        return self.arguments.get("host") or {}

    def carry_out(self, arguments: dict[str, Any]) -> Any:
        """What the task itself returns or raises, of its own arguments or of those `within`."""
        return getattr(self.task, self.way.verb)(**arguments)

    def within(self, fenced: Fenced, work: UnitOfWork) -> dict[str, Any]:
        """The arguments of a store half."""
        run = self.run.but(
            store_connection=fenced.connection,
            note=lambda kind, state: fenced.events.append(work.event(kind, state)),
        )
        return {**self.arguments, "run": run}

    def answer(self, result: Any) -> Answer:
        """What TaskFlow is told of its end; the result as a resumed run would read it."""
        if result is not None:
            result = _from_text(_to_text(result))
        return self.way.word, result

    def failure(self, error: VmwrightError) -> Answer:
        """As `answer`, without the chain of causes, whose texts are not ours."""
        error.__cause__ = error.__context__ = None
        return self.way.word, Failure.from_exception(error)
