"""What happens to one operation, until nothing more does by itself."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from vmwright.api.events import LastEventId, feed_of, kept_up, stream_of
from vmwright.api.identity import Speaking
from vmwright.api.names import Id
from vmwright.controller import Controller
from vmwright.errors import DeadlinePassed
from vmwright.feed import Feed
from vmwright.ids import OperationId
from vmwright.persistence.records import Event
from vmwright.resources import operation as resources
from vmwright.states import OVER

router = APIRouter(prefix="/operations", tags=["events"])

_STILL, _LATE = "event: still\ndata: {}\n\n", "event: late\ndata: {}\n\n"


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Events in their order; up to `position` none is missing, if that is known."""

    events: Sequence[Event]
    position: int | None = None
    is_last: bool = False


@router.get("/{operation}/watch", response_class=StreamingResponse)
async def watch(
    request: Request,
    controller: Speaking,
    operation: Id,
    timeout: Annotated[
        float | None, Query(ge=0, allow_inf_nan=False, description="In seconds.")
    ] = None,
    last_event_id: LastEventId = None,
) -> StreamingResponse:
    """What has happened to an operation from its beginning, or since `Last-Event-ID`, and what
    does until nothing more does by itself. The last event is then ``still``, or ``late`` once
    the timeout has come first; a stream that ends without one of them was cut off."""
    known = await asyncio.to_thread(controller.operation, operation)
    # What is over already is told whole, however short the timeout.
    patience = math.inf if timeout is None or known.state in OVER else timeout
    parts = _followed(controller, feed_of(request), known.id, last_event_id or 0)
    return stream_of(
        kept_up(request, _written(parts), ends=time.monotonic() + patience, late=_LATE)
    )


async def _followed(
    controller: Controller, feed: Feed, operation: OperationId, after: int
) -> AsyncIterator[_Part]:
    """First what the store has; then what comes, until it may have been the end: look again."""
    while True:
        part = await asyncio.to_thread(_stored, controller, operation, after)
        yield part
        if part.is_last:
            return
        after = part.events[-1].seq if part.events else after
        async for batch in feed.of_operation(operation, after=after):
            events = [told.event for told in batch.events]
            yield _Part(events=events, position=batch.position)
            after = max(after, *(event.seq for event in events))
            if any(event.kind == "operation" and event.state in OVER for event in events):
                break
        else:
            return


def _stored(controller: Controller, operation: OperationId, after: int) -> _Part:
    events: list[Event] = []
    try:
        for event in controller.watch(operation, after=after, timeout=0.0):
            events.append(event)
    except DeadlinePassed:
        return _Part(events=events)
    return _Part(events=events, is_last=True)


async def _written(parts: AsyncIterator[_Part]) -> AsyncIterator[str]:
    async for part in parts:
        yield "".join(_messages(part))


def _messages(part: _Part) -> list[str]:
    """Only the last one says the position: a line that breaks before it has told less."""
    texts = [_message(event) for event in part.events]
    if texts and part.position is not None:
        texts[-1] = f"id: {part.position}\n{texts[-1]}"
    return [*texts, _STILL] if part.is_last else texts


def _message(event: Event) -> str:
    document = resources.Event.model_validate(event).model_dump_json()
    return f"event: {event.kind}\ndata: {document}\n\n"
