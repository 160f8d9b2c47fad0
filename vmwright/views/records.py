"""From the events of an operation to what is known of each of its tasks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vmwright.progress import Progress
from vmwright.states import Direction, NodeState
from vmwright.views.graph import TaskRecord

_UNDO_STATES = {
    NodeState.RUNNING: NodeState.REVERTING,
    NodeState.SUCCESS: NodeState.REVERTED,
    # An undo that failed leaves its task REVERTING: it will be repeated.
    NodeState.FAILURE: NodeState.REVERTING,
}
"""Events may tell an undo in the words of execution; a task's state never does."""

_BEGINNINGS = frozenset({NodeState.RUNNING, NodeState.PENDING})


@dataclass(frozen=True, kw_only=True)
class _Event:
    """One row of `events` that speaks of a task."""

    kind: str
    attempt: int
    direction: Direction
    state: NodeState | None
    at: datetime
    error: Mapping[str, Any] | None
    detail: Mapping[str, Any]

    @property
    def told_by_task(self) -> bool:
        return self.kind == "task"

    @property
    def undoes(self) -> bool:
        return self.told_by_task and self.direction is Direction.REVERT

    @property
    def executes(self) -> bool:
        return self.told_by_task and self.direction is Direction.EXECUTE


def records_of(events: Iterable[object]) -> tuple[TaskRecord, ...]:
    """What the events of one operation say of each task, in the order in which tasks began.

    Events are mappings or objects with ``seq``, ``kind``, ``task``, ``attempt``, ``direction``,
    ``state``, ``at``, ``error`` and ``detail``, in any order. Those of kind ``task`` and
    ``progress`` count. A task that begins again, in a later attempt or after a takeover,
    replaces what it was; an undo belongs to what it undoes, whatever its attempt.
    """
    by_task: dict[str, list[_Event]] = {}
    for row in sorted(events, key=lambda row: int(_value(row, "seq"))):
        if _value(row, "kind") in {"task", "progress"}:
            by_task.setdefault(_value(row, "task"), []).append(_event(row))
    return tuple(_record(task, _since_beginning(told)) for task, told in by_task.items())


def _value(row: object, name: str) -> Any:
    return row.get(name) if isinstance(row, Mapping) else getattr(row, name)


def _event(row: object) -> _Event:
    direction = Direction(_value(row, "direction") or Direction.EXECUTE)
    word = _value(row, "state")
    state = NodeState(word) if word and _value(row, "kind") == "task" else None
    if direction is Direction.REVERT and state is not None:
        state = _UNDO_STATES.get(state, state)
    return _Event(
        kind=_value(row, "kind"),
        attempt=_value(row, "attempt"),
        direction=direction,
        state=state,
        at=_value(row, "at"),
        error=_value(row, "error"),
        detail=_value(row, "detail") or {},
    )


def _since_beginning(events: Sequence[_Event]) -> list[_Event]:
    """The events from the last time that the task began."""
    kept: list[_Event] = []
    for event in events:
        later = bool(kept) and event.attempt > kept[0].attempt
        if event.executes and (event.state in _BEGINNINGS or later):
            kept = []
        kept.append(event)
    return kept


def _record(task: str, events: Sequence[_Event]) -> TaskRecord:
    told = [event for event in events if event.told_by_task]
    begun = _last(told, NodeState.RUNNING)
    ended = _last(told, NodeState.SUCCESS, NodeState.FAILURE)
    undo = _last([event for event in told if event.error is None], NodeState.REVERTING)
    undone = told[-1] if told and told[-1].undoes and told[-1] is not undo else None
    return TaskRecord(
        task=task,
        attempt=events[0].attempt,
        state=(told[-1].state if told else None) or NodeState.RUNNING,
        direction=Direction.REVERT if any(event.undoes for event in told) else Direction.EXECUTE,
        started_at=begun.at if begun else None,
        finished_at=ended.at if ended else None,
        revert_started_at=undo.at if undo else None,
        revert_finished_at=undone.at if undone else None,
        error=_error(ended, undone),
        progress=_progress(events[-1]),
    )


def _last(events: Sequence[_Event], *states: NodeState) -> _Event | None:
    return next((event for event in reversed(events) if event.state in states), None)


def _error(ended: _Event | None, undone: _Event | None) -> Mapping[str, Any] | None:
    """Why the undo did not come to its end, else why the task failed."""
    for event in (undone, ended):
        if event is not None and event.error is not None:
            return event.error
    return None


def _progress(last: _Event) -> Progress | None:
    """How far the call is that is under way: nothing was said of the task since."""
    if last.told_by_task:
        return None
    return Progress.from_store(last.detail)
