"""Images as they are sent: a private file without a name, which is gone however this ends."""

import asyncio
import errno
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from fastapi import Request
from starlette.requests import ClientDisconnect

from vmwright.api.events import feed_of
from vmwright.errors import InvalidRequest, Unavailable
from vmwright.private_files import own_directory

_CHUNK = 1024 * 1024
_SILENCE = 60.0
"""Seconds within which something of a body must come."""
_LOOK = 0.5
"""Seconds between two looks whether it is waited for any more."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@asynccontextmanager
async def received(request: Request, state_dir: Path, limit: int) -> AsyncIterator[Path]:
    """The body, as a file that is there as long as the context lasts; `limit` is in bytes.

    `InvalidRequest` for a body that is longer, or ends early; `Unavailable` if it cannot be kept.
    """
    _refuse_announced(request, limit)
    file = await asyncio.to_thread(_new_file, state_dir / "uploads")
    try:
        await _store(request, file, limit)
        # Nobody else finds it: it has no name but this process's.
        yield Path(f"/proc/self/fd/{file.fileno()}")
    finally:
        await asyncio.shield(asyncio.to_thread(file.close))


def _refuse_announced(request: Request, limit: int) -> None:
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdecimal() and int(announced[:19]) > limit:
        raise _too_long(limit)


def _new_file(directory: Path) -> BinaryIO:
    try:
        own_directory(directory)
        return tempfile.TemporaryFile(dir=directory, buffering=0)
    except OSError as error:
        raise _unusable(error) from error


async def _store(request: Request, file: BinaryIO, limit: int) -> None:
    received, waiting = 0, bytearray()
    try:
        async for chunk in _chunks(request):
            received += len(chunk)
            if received > limit:
                raise _too_long(limit)
            waiting += chunk
            if len(waiting) >= _CHUNK:
                await asyncio.to_thread(_write, file, waiting)
                waiting = bytearray()
        await asyncio.to_thread(_write, file, waiting)
    except OSError as error:
        raise _unusable(error) from error


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    body, came = request.stream(), time.monotonic()
    coming = asyncio.ensure_future(anext(body, None))
    try:
        while True:
            done, _ = await asyncio.wait([coming], timeout=_LOOK)
            if feed_of(request).is_closed:
                raise Unavailable("this service is being stopped", hint="send the image again")
            if done:
                chunk, came = coming.result(), time.monotonic()
                if chunk is None:
                    return
                yield chunk
                coming = asyncio.ensure_future(anext(body, None))
            elif time.monotonic() - came > _SILENCE:
                raise InvalidRequest(f"nothing of the image has come for {_SILENCE:g} seconds")
    except ClientDisconnect:
        raise InvalidRequest("whoever sent the image has gone before its end") from None
    finally:
        coming.cancel()


def _write(file: BinaryIO, piece: bytes | bytearray) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[file.write(rest) :]


def _too_long(limit: int) -> InvalidRequest:
    return InvalidRequest(
        f"the image has more than {limit} bytes", hint="the limit is [DEFAULT] max_image_gib"
    )


def _unusable(error: OSError) -> Unavailable:
    full = error.errno in _FULL
    return Unavailable(
        "the image cannot be kept: "
        + ("state_dir is full" if full else f"state_dir cannot be used: {error.strerror}"),
        hint="free some space, or set state_dir to a larger disk" if full else "",
    )
