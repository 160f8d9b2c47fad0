"""Serial consoles, as guests write to them. Hypervisors have one reader for each: all who want to
see it here share that one."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from vmwright.api.events import STREAMED, feed_of
from vmwright.api.identity import Speaking, is_known_still
from vmwright.api.names import NameOrId
from vmwright.errors import Cancelled, Unavailable, VmwrightError
from vmwright.ids import InstanceId
from vmwright.waiting import Wait

LOG = logging.getLogger(__name__)

router = APIRouter(tags=["instances"])

_MOST = 64
"""Consoles that are read at once: each holds a thread."""
_LOOK = 1.0
"""Seconds between two looks whether whoever reads may go on."""
_MOST_UNREAD = 4 * 2**20
"""Bytes that somebody may lie behind; who is slower is let go."""
_LATEST = 64 * 1024
"""Bytes that are kept of what was read, for whoever comes to see it, too."""
_A_DAY = 86400.0

Open = Callable[[Wait], Iterator[bytes]]


class _Bytes(StreamingResponse):
    media_type = "application/octet-stream"


class Consoles:
    """Those that are being read. For one event loop."""

    def __init__(self) -> None:
        self._readings: dict[InstanceId, _Reading] = {}

    async def pieces(self, instance: InstanceId, open_it: Open) -> AsyncGenerator[bytes | None]:
        """What the guest writes from now on; None where it has written nothing for a second.

        Before the first piece comes None, once the console is open; what opening it raises is
        raised, and `Unavailable` if too many are being read.
        """
        reading = self._readings.get(instance)
        if reading is None:
            if len(self._readings) >= _MOST:
                raise Unavailable(f"{_MOST} consoles are being read: no more at once")
            reading = self._readings[instance] = _Reading(
                open_it, lambda ended: self._forget(instance, ended)
            )
        async with aclosing(reading.heard()) as heard:
            async for piece in heard:
                yield piece

    def _forget(self, instance: InstanceId, reading: "_Reading") -> None:
        if self._readings.get(instance) is reading:
            del self._readings[instance]


class _Hearer:
    """Somebody who reads along."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.unread = 0

    def tell(self, piece: bytes) -> bool:
        """Whether it keeps up."""
        self.unread += len(piece)
        keeps_up = self.unread <= _MOST_UNREAD
        self.queue.put_nowait(piece if keeps_up else None)
        return keeps_up


class _Reading:
    """One console, a thread that reads it, and all who hear what it has read."""

    def __init__(self, open_it: Open, ended: "Callable[[_Reading], object]") -> None:
        self._loop = asyncio.get_running_loop()
        self._left = threading.Event()
        self._hearers: set[_Hearer] = set()
        self._latest = b""
        self._ended = ended
        self._opening = asyncio.ensure_future(self._open(open_it))
        # Whoever waited for it may have gone.
        self._opening.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def heard(self) -> AsyncGenerator[bytes | None]:
        hearer = _Hearer()
        if self._latest:
            hearer.tell(self._latest)
        self._hearers.add(hearer)
        try:
            # Whoever leaves does not close it for the others.
            await asyncio.shield(self._opening)
            yield None
            while True:
                try:
                    piece = await asyncio.wait_for(hearer.queue.get(), _LOOK)
                except TimeoutError:
                    yield None
                    continue
                if piece is None:
                    return
                hearer.unread -= len(piece)
                yield piece
        finally:
            self._hearers.discard(hearer)
            if not self._hearers:
                self._left.set()
                self._ended(self)

    async def _open(self, open_it: Open) -> None:
        wait = Wait(_A_DAY, cancelled=self._left)
        pieces = await asyncio.to_thread(open_it, wait)
        threading.Thread(
            target=self._read, args=(pieces,), name="vmwright-console", daemon=True
        ).start()

    def _read(self, pieces: Iterator[bytes]) -> None:
        try:
            for piece in pieces:
                self._loop.call_soon_threadsafe(self._tell, piece)
        except Cancelled:
            return  # nobody reads any more
        except VmwrightError as error:
            LOG.warning("a console is read no more: %s", error)
        except RuntimeError:
            return  # the loop of those who read has ended
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end)

    def _tell(self, piece: bytes) -> None:
        self._latest = (self._latest + piece)[-_LATEST:]
        self._hearers = {hearer for hearer in self._hearers if hearer.tell(piece)}

    def _end(self) -> None:
        for hearer in self._hearers:
            hearer.queue.put_nowait(None)
        self._ended(self)


@router.get("/instances/{instance}/console", response_class=_Bytes)
async def read_console(
    controller: Speaking,
    request: Request,
    instance: NameOrId,
    timeout: Annotated[float, Query(gt=0, le=_A_DAY, description="Seconds.")] = _A_DAY,
) -> StreamingResponse:
    """What the guest writes to its serial console from now on, as it does; and if others read it
    already, the latest of what they have seen."""
    known = await asyncio.to_thread(controller.instance, instance)
    consoles = request.app.state.consoles
    assert isinstance(consoles, Consoles)
    pieces = consoles.pieces(known.id, lambda wait: controller.console(known.id, wait))
    await anext(pieces)
    return _Bytes(_sent(request, pieces, time.monotonic() + timeout), headers=STREAMED)


async def _sent(
    request: Request, pieces: AsyncGenerator[bytes | None], ends: float
) -> AsyncIterator[bytes]:
    looked = time.monotonic()
    async with aclosing(pieces):
        async for piece in pieces:
            now = time.monotonic()
            if now >= ends or feed_of(request).is_closed:
                return
            if now - looked >= _LOOK:
                looked = now
                if not await is_known_still(request):
                    return
            if piece:
                yield piece
