"""Waiting for an operation without holding a thread."""

import asyncio
import time

from vmwright.controller import Controller
from vmwright.feed import Batch, Feed
from vmwright.ids import OperationId
from vmwright.states import OVER

_SELDOM = 5.0
"""Seconds until one looks again although one would be told."""


async def settled(
    feed: Feed, controller: Controller, operation: OperationId, seconds: float
) -> None:
    """Return once nothing more happens to it by itself, or after so many seconds, or if nothing
    else will be heard here."""
    ends = time.monotonic() + seconds
    # What happens from now on is heard, so the look that follows misses nothing.
    told = feed.of_operation(operation, after=None)
    hearing = asyncio.ensure_future(anext(told, None))
    try:
        await asyncio.sleep(0)
        while (await asyncio.to_thread(controller.operation, operation)).state not in OVER:
            left = ends - time.monotonic()
            if left <= 0:
                return
            await asyncio.wait([hearing], timeout=min(left, _SELDOM))
            if hearing.done():
                heard: Batch | None = hearing.result()
                if heard is None:
                    return
                hearing = asyncio.ensure_future(anext(told, None))
    finally:
        hearing.cancel()
