"""Moving bytes between this process and a volume, in pieces that can be waited for."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import libvirt

from vmwright.backends.libvirt.failures import Code
from vmwright.backends.libvirt.line import Connect, Line, LineLost, LineSilent
from vmwright.backends.libvirt.lookups import tolerated
from vmwright.backends.libvirt.pool import StorageVolume
from vmwright.errors import VmwrightError
from vmwright.waiting import Wait

_PIECE = 4 * 2**20
"""Bytes between two looks at the deadline and at cancellation."""
_MESSAGE = 262120
"""What libvirt puts into one message."""
_ABORT_SECONDS = 5.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Piece:
    offset: int
    length: int
    is_hole: bool = False


class Source(Protocol):
    """Bytes to send."""

    size: int

    def pieces(self) -> Iterator[Piece]: ...

    def read(self, offset: int, length: int) -> bytes: ...


class Content:
    """Bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)

    def pieces(self) -> Iterator[Piece]:
        yield from _cut(0, self.size)

    def read(self, offset: int, length: int) -> bytes:
        return self._content[offset : offset + length]


class File:
    """An open file. Its holes are not sent: the volume is new, or holds the same file in part."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def pieces(self) -> Iterator[Piece]:
        end = 0
        while end < self.size:
            start = self._next_data(end)
            if start > end:
                yield Piece(end, start - end, is_hole=True)
            if start == self.size:
                return
            end = os.lseek(self._descriptor, start, os.SEEK_HOLE)
            yield from _cut(start, end)

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)

    def _next_data(self, offset: int) -> int:
        try:
            return os.lseek(self._descriptor, offset, os.SEEK_DATA)
        except OSError:
            return self.size  # nothing but a hole follows


def upload(
    line: Line,
    what: str,
    volume_of: Callable[[Connect], StorageVolume],
    source: Source,
    wait: Wait,
    about: str,
) -> None:
    """Write the whole source over the beginning of a volume, and return once it is there.

    Stopped between two pieces by cancellation and deadline; what came so far stays.
    """
    stream = _begun(line, what, volume_of, source.size, wait, about)
    try:
        for piece in source.pieces():
            _send(line, what, stream, source, piece, wait, about)
            sent = piece.offset + piece.length
            wait.progress(sent / source.size, f"{what}: {sent >> 20} MiB sent")
        line.ask(what, lambda _: stream.finish(), wait, about)
    except VmwrightError:
        with contextlib.suppress(VmwrightError, LineLost, LineSilent):
            line.ask(what, lambda _: stream.abort(), Wait(_ABORT_SECONDS), about)
        raise


def download(
    line: Line,
    what: str,
    volume_of: Callable[[Connect], StorageVolume],
    length: int,
    wait: Wait,
) -> bytes:
    """The first bytes of a volume; fewer if it is shorter."""

    def read(connection: Connect) -> bytes:
        stream = connection.newStream(0)
        volume_of(connection).download(stream, 0, length, 0)
        received = bytearray()
        while piece := stream.recv(_MESSAGE):
            received += piece
        stream.finish()
        return bytes(received)

    return line.ask(what, read, wait)


def _begun(
    line: Line,
    what: str,
    volume_of: Callable[[Connect], StorageVolume],
    length: int,
    wait: Wait,
    about: str,
) -> Any:
    """A stream into the volume, as soon as nobody is making the volume any more."""

    def begin(connection: Connect) -> Any:
        stream = connection.newStream(0)
        flags = libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM
        with tolerated(Code.OPERATION_INVALID):
            volume_of(connection).upload(stream, 0, length, flags)
            return stream
        return None

    while (stream := line.ask(what, begin, wait, about)) is None:
        wait.pause(_POLL_SECONDS, f"{line.host}: {what}: the volume is still being made")
    return stream


def _send(
    line: Line, what: str, stream: Any, source: Source, piece: Piece, wait: Wait, about: str
) -> None:
    if piece.is_hole:
        line.ask(what, lambda _: stream.sendHole(piece.length), wait, about)
        return

    def send(_connection: Connect) -> None:
        offset, end = piece.offset, piece.offset + piece.length
        while offset < end:
            offset += stream.send(source.read(offset, min(_MESSAGE, end - offset)))

    line.ask(what, send, wait, about)


def _cut(start: int, end: int) -> Iterator[Piece]:
    for offset in range(start, end, _PIECE):
        yield Piece(offset, min(_PIECE, end - offset))
