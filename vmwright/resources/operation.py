"""Operations, and what happens to them."""

from typing import Any

from vmwright.resources.resource import Moment, Resource
from vmwright.states import OperationState


class Attempt(Resource):
    """One try on a host."""

    number: int
    host: str | None
    outcome: str | None
    fault: dict[str, Any] | None
    ended_at: Moment | None


class Debt(Resource):
    """Something outside that must become absent later."""

    id: str
    kind: str
    key: str
    host: str
    reason: str
    not_before: Moment | None
    error: dict[str, Any] | None


class Held(Resource):
    """What a task of an operation that stands still has left where it is."""

    task: str
    host: str | None
    things: list[str]
    since: Moment | None


class Progress(Resource):
    """How far a call is: a fraction from 0.0 to 1.0, and bytes where it moves some."""

    fraction: float
    note: str
    done_bytes: int | None
    total_bytes: int | None
    rate: float | None
    """Bytes per second, as of late."""
    seconds_left: float | None


class UnderWay(Resource):
    """A task that runs, or is being undone, just now."""

    task: str
    direction: str
    since: Moment | None
    progress: Progress | None


class Operation(Resource):
    """One run of a flow for one instance."""

    id: str
    kind: str
    flow: str
    flow_version: int
    state: OperationState
    instance_id: str
    instance_name: str | None
    """Also after it was deleted."""
    host: str | None
    """Of the latest attempt."""
    attempt: int
    attempts: list[Attempt]
    error: dict[str, Any] | None
    owes: list[Debt]
    held: list[Held]
    under_way: list[UnderWay]
    undo_tries: int
    not_before: Moment | None
    cancel_reason: str | None
    ended: bool
    project_id: str
    user_id: str
    created_at: Moment | None
    started_at: Moment | None
    finished_at: Moment | None


class OperationCounts(Resource):
    """How many operations are in each state. Those that have ended are counted among the `newest`
    only: what was before them is not read."""

    states: dict[OperationState, int]
    newest: int


class Event(Resource):
    """Something that happened to an operation. `seq` orders the events of one operation."""

    seq: int
    operation_id: str
    instance_id: str
    kind: str
    task: str | None
    attempt: int
    direction: str | None
    state: str
    at: Moment
    error: dict[str, Any] | None
    detail: dict[str, Any] | None
