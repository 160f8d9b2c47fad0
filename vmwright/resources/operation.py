"""Operations, and what happens to them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from vmwright.states import OperationState


class Attempt(BaseModel):
    """One try on a host."""

    number: int
    host: str | None
    outcome: str | None
    fault: dict[str, Any] | None
    ended_at: datetime | None


class Debt(BaseModel):
    """Something outside that must become absent later."""

    id: str
    kind: str
    key: str
    host: str
    reason: str
    not_before: datetime | None
    error: dict[str, Any] | None


class Held(BaseModel):
    """What a task of an operation that stands still has left where it is."""

    task: str
    host: str | None
    things: list[str]
    since: datetime | None


class Progress(BaseModel):
    """How far a call is: a fraction from 0.0 to 1.0, and bytes where it moves some."""

    fraction: float
    note: str
    done_bytes: int | None
    total_bytes: int | None
    rate: float | None
    """Bytes per second, as of late."""
    seconds_left: float | None


class UnderWay(BaseModel):
    """A task that runs, or is being undone, just now."""

    task: str
    direction: str
    since: datetime | None
    progress: Progress | None


class Operation(BaseModel):
    """One run of a flow for one instance."""

    id: str
    kind: str
    state: OperationState
    instance_id: str
    instance_name: str | None
    attempt: int
    attempts: list[Attempt]
    error: dict[str, Any] | None
    owes: list[Debt]
    held: list[Held]
    under_way: list[UnderWay]
    undo_tries: int
    not_before: datetime | None
    cancel_reason: str | None
    ended: bool
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None


class Event(BaseModel):
    """Something that happened to an operation. `seq` orders the events of one operation."""

    seq: int
    operation_id: str
    instance_id: str
    kind: str
    task: str | None
    attempt: int
    direction: str | None
    state: str
    at: datetime
    error: dict[str, Any] | None
    detail: dict[str, Any] | None
