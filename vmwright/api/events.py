"""Server-sent events: what happens, as it is committed, whoever runs it."""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse

from vmwright.api.identity import Speaking, is_known_still
from vmwright.descriptions import moment
from vmwright.feed import REMEMBERED, Batch, Feed
from vmwright.persistence.event_log import Told

router = APIRouter(tags=["events"])

_SILENCE = 15.0
"""Seconds after which something is sent, so that nobody on the way takes the line for dead."""
_LOOK = 1.0
"""Seconds between two looks whether whoever listens may go on."""
STREAMED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Headers of what is sent piece by piece."""

LastEventId = Annotated[int | None, Header(alias="Last-Event-ID", ge=0)]


@router.get("/events", response_class=StreamingResponse)
async def events(
    request: Request, controller: Speaking, last_event_id: LastEventId = None
) -> StreamingResponse:
    """Everything that happens from now on, or has since `Last-Event-ID`, of what the caller sees.

    Whoever goes on after a break hears everything, and may hear some events again: `seq` tells.
    """
    return _stream(request, feed_of(request).everything(controller.sees, after=last_event_id))


@router.get("/operations/{operation}/events", response_class=StreamingResponse)
async def events_of(
    request: Request, controller: Speaking, operation: str, last_event_id: LastEventId = None
) -> StreamingResponse:
    """What has happened to an operation from its beginning, and what does from now on."""
    known = await asyncio.to_thread(controller.operation, operation)
    return _stream(request, feed_of(request).of_operation(known.id, after=last_event_id or 0))


def feed_of(request: Request) -> Feed:
    """What happens in the store, as this process hears it."""
    feed = request.app.state.feed
    assert isinstance(feed, Feed)
    return feed


def _stream(request: Request, told: AsyncIterator[Batch]) -> StreamingResponse:
    return stream_of(kept_up(request, (_piece(batch) async for batch in told)))


def stream_of(pieces: AsyncIterator[str]) -> StreamingResponse:
    """Server-sent events as an answer."""
    return StreamingResponse(pieces, media_type="text/event-stream", headers=STREAMED)


async def kept_up(
    request: Request, pieces: AsyncIterator[str], *, ends: float = math.inf, late: str = ""
) -> AsyncIterator[str]:
    """Each piece as it comes, and a comment where nothing happens for long. Ends with its token,
    or with the pieces; or with `late` once the monotonic clock says `ends`."""
    spoke = looked = time.monotonic()
    following = asyncio.ensure_future(anext(pieces, None))
    try:
        # Whoever hears the greeting, and looks how things stand then, hears what follows: it
        # is listened for by now.
        await asyncio.sleep(0)
        yield ": hello\n\n"
        while True:
            wait = min(_LOOK, max(0.0, ends - time.monotonic()))
            done, _ = await asyncio.wait([following], timeout=wait)
            now = time.monotonic()
            if now - looked >= _LOOK:
                looked = now
                if not await is_known_still(request):
                    return
            if done:
                piece = following.result()
                if piece is None:
                    return
                yield piece
                following = asyncio.ensure_future(anext(pieces, None))
            elif now >= ends:
                yield late
                return
            elif now - spoke < _SILENCE:
                continue
            else:
                yield ": nothing new\n\n"
            spoke = now
    finally:
        following.cancel()


def _piece(batch: Batch) -> str:
    """Whose line is cut in it goes on behind the last message that came through."""
    *others, last = batch.events
    ids = [*(min(one.event.seq, batch.position) for one in others), batch.position]
    pairs = zip((*others, last), ids, strict=True)
    return "".join(f"{_message(told)}\nid: {number}\n\n" for told, number in pairs)


@lru_cache(maxsize=2 * REMEMBERED)
def _message(told: Told) -> str:
    """Written once, however many listen."""
    text = json.dumps(document(told), separators=(",", ":"))
    return f"event: {told.event.kind}\ndata: {text}"


def document(told: Told) -> dict[str, Any]:
    """An event as it is sent."""
    event = told.event
    return {**event.values(), "seq": event.seq, "at": moment(event.at)}
