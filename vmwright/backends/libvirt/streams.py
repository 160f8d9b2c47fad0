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
from vmwright.errors import HostFault, VmwrightError
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

    def proof(self, last: Piece, /) -> Piece:
        """What is in the volume only if all has arrived; `last` is the last byte that is not
        zero, if there is one."""


class Content:
    """Bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)

    def pieces(self) -> Iterator[Piece]:
        yield from _cut(0, self.size)

    def read(self, offset: int, length: int) -> bytes:
        return self._content[offset : offset + length]

    def proof(self, _last: Piece) -> Piece:
        """All of it: anything may have been there before."""
        return Piece(0, self.size)


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

    def proof(self, last: Piece) -> Piece:
        """The last byte: the volume reads as zeros where it was not written."""
        return last

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

    Stopped between two pieces by cancellation and deadline; what came so far stays. `HostFault`
    if the host could not write all of it.
    """
    _Upload(line, what, volume_of, source, wait, about).run()


def download(
    line: Line,
    what: str,
    volume_of: Callable[[Connect], StorageVolume],
    piece: Piece,
    wait: Wait,
) -> bytes:
    """A piece of a volume; less of it if the volume ends before."""

    def read(connection: Connect) -> bytes:
        stream = connection.newStream(0)
        volume_of(connection).download(stream, piece.offset, piece.length, 0)
        received = bytearray()
        while message := stream.recv(_MESSAGE):
            received += message
        stream.finish()
        return bytes(received)

    return line.ask(what, read, wait)


class _Upload:
    """One source on its way into one volume."""

    def __init__(
        self,
        line: Line,
        what: str,
        volume_of: Callable[[Connect], StorageVolume],
        source: Source,
        wait: Wait,
        about: str,
    ) -> None:
        self._line = line
        self._what = what
        self._volume_of = volume_of
        self._source = source
        self._wait = wait
        self._about = about
        self._last = Piece(0, 0)
        """The last byte sent that is not zero."""

    def run(self) -> None:
        stream = self._begun()
        try:
            for piece in self._source.pieces():
                self._send(stream, piece)
                sent = piece.offset + piece.length
                self._wait.progress(
                    sent / self._source.size, f"{self._what}: {sent >> 20} MiB sent"
                )
            self._ask(lambda _: stream.finish())
        except VmwrightError:
            with contextlib.suppress(VmwrightError, LineLost, LineSilent):
                self._line.ask(
                    self._what, lambda _: stream.abort(), Wait(_ABORT_SECONDS), self._about
                )
            raise
        self._check_arrived()

    def _ask(self, question: Callable[[Connect], Any]) -> Any:
        return self._line.ask(self._what, question, self._wait, self._about)

    def _begun(self) -> Any:
        """A stream into the volume, as soon as nobody is making the volume any more."""

        def begin(connection: Connect) -> Any:
            stream = connection.newStream(0)
            flags = libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM
            with tolerated(Code.OPERATION_INVALID):
                self._volume_of(connection).upload(stream, 0, self._source.size, flags)
                return stream
            return None

        while (stream := self._ask(begin)) is None:
            still = f"{self._line.host}: {self._what}: the volume is still being made"
            self._wait.pause(_POLL_SECONDS, still)
        return stream

    def _send(self, stream: Any, piece: Piece) -> None:
        if piece.is_hole:
            self._ask(lambda _: stream.sendHole(piece.length))
            return

        def send(_connection: Connect) -> None:
            offset, end = piece.offset, piece.offset + piece.length
            while offset < end:
                message = self._source.read(offset, min(_MESSAGE, end - offset))
                if told := len(message.rstrip(b"\0")):
                    self._last = Piece(offset + told - 1, 1)
                offset += stream.send(message)

        self._ask(send)

    def _check_arrived(self) -> None:
        """libvirt writes behind our back, in order and up to the first failure; of a failure that
        comes after the last byte was sent, it tells nobody."""
        proof = self._source.proof(self._last)
        if not proof.length:
            return
        arrived = download(self._line, self._what, self._volume_of, proof, self._wait)
        if arrived != self._source.read(proof.offset, proof.length):
            raise HostFault(
                f"{self._line.host}: {self._what}: the host could not write all of it",
                hint="free room in the directory pool_dir of the host, or see its libvirtd's log",
            )


def _cut(start: int, end: int) -> Iterator[Piece]:
    for offset in range(start, end, _PIECE):
        yield Piece(offset, min(_PIECE, end - offset))
