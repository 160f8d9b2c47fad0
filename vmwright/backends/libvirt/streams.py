"""Moving bytes between this process and a volume, in pieces that can be waited for."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from vmwright.backends.libvirt.failures import Code
from vmwright.backends.libvirt.line import Connect, Line, LineLost, LineSilent
from vmwright.backends.libvirt.lookups import tolerated
from vmwright.backends.libvirt.pool import StorageVolume
from vmwright.errors import HostFault, VmwrightError
from vmwright.waiting import Wait

_PIECE = 4 * 2**20
"""Bytes between two looks at the deadline and at cancellation."""
_HOLE = 4 * 2**20
"""A shorter hole is sent as zeros: that takes no longer than a stream more. So a source of n bytes
has at most n / _HOLE + 1 streams."""
_MESSAGE = 262120
"""What libvirt puts into one message."""
_ABORT_SECONDS = 5.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Piece:
    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + self.length


class Source(Protocol):
    """Bytes to send."""

    size: int

    def extents(self) -> Iterator[Piece]:
        """What is to be sent, in order; each in a stream of its own."""

    def read(self, offset: int, length: int) -> bytes: ...

    def proof(self, extent: Piece, last: Piece, /) -> Piece:
        """What is in the volume only if all of the extent has arrived; `last` is its last byte
        that is not zero, if there is one."""


class Content:
    """Bytes in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)

    def extents(self) -> Iterator[Piece]:
        yield Piece(0, self.size)

    def read(self, offset: int, length: int) -> bytes:
        return self._content[offset : offset + length]

    def proof(self, extent: Piece, _last: Piece) -> Piece:
        """All of it: anything may have been there before."""
        return extent


class File:
    """An open file. Its holes are not sent: the volume is new, or holds the same file in part."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def extents(self) -> Iterator[Piece]:
        """Its data, and the holes that are too short for a stream more."""
        extent = Piece(0, 0)
        for data in self._data():
            if data.offset - extent.end < _HOLE and extent.length:
                extent = Piece(extent.offset, data.end - extent.offset)
                continue
            if extent.length:
                yield extent
            extent = data
        if extent.length:
            yield extent

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)

    def proof(self, _extent: Piece, last: Piece) -> Piece:
        """The last byte: the volume reads as zeros where it was not written."""
        return last

    def _data(self) -> Iterator[Piece]:
        start = self._next_data(0)
        while start < self.size:
            end = os.lseek(self._descriptor, start, os.SEEK_HOLE)
            yield Piece(start, end - start)
            start = self._next_data(end)

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

    The volume is as long as the source already, or longer. It never gets shorter, nor is a byte
    of it ever anything but what it was or what it becomes: somebody may use it who had the same
    source written by another. So the holes of a source are left out and not sent as holes:
    libvirt's daemon cuts the file off at the end of a hole.

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

    def run(self) -> None:
        volume, proofs = self._ask(self._volume_of), list[Piece]()
        for extent in self._source.extents():
            # A stream may succeed where the one before it failed: nothing lies above a gap.
            self._check_arrived(volume, proofs[-1:])
            last = self._written(volume, extent)
            proofs.append(self._source.proof(extent, last))
        # All of them: the first ones may lie in a volume that was replaced meanwhile.
        self._check_arrived(volume, proofs)
        self._wait.moved(self._source.size, self._source.size, self._what)

    def _written(self, volume: StorageVolume, extent: Piece) -> Piece:
        """Send an extent; returns its last byte that is not zero, if there is one."""
        stream, last = self._begun(volume, extent), Piece(0, 0)
        try:
            for piece in _cut(extent):
                last = self._ask(partial(self._sent, stream, piece)) or last
                self._wait.moved(piece.end, self._source.size, self._what)
            self._ask(lambda _: stream.finish())
        except VmwrightError:
            with contextlib.suppress(VmwrightError, LineLost, LineSilent):
                self._line.ask(
                    self._what, lambda _: stream.abort(), Wait(_ABORT_SECONDS), self._about
                )
            raise
        return last

    def _ask(self, question: Callable[[Connect], Any]) -> Any:
        return self._line.ask(self._what, question, self._wait, self._about)

    def _begun(self, volume: StorageVolume, extent: Piece) -> Any:
        """A stream into the volume, as soon as nobody is making the volume any more."""

        def begin(connection: Connect) -> Any:
            stream = connection.newStream(0)
            with tolerated(Code.OPERATION_INVALID):
                volume.upload(stream, extent.offset, extent.length, 0)
                return stream
            return None

        while (stream := self._ask(begin)) is None:
            still = f"{self._line.host}: {self._what}: the volume is still being made"
            self._wait.pause(_POLL_SECONDS, still)
        return stream

    def _sent(self, stream: Any, piece: Piece, _connection: Connect) -> Piece | None:
        """Its last byte that is not zero."""
        offset, last = piece.offset, None
        while offset < piece.end:
            message = self._source.read(offset, min(_MESSAGE, piece.end - offset))
            if told := len(message.rstrip(b"\0")):
                last = Piece(offset + told - 1, 1)
            offset += stream.send(message)
        return last

    def _check_arrived(self, volume: StorageVolume, proofs: Iterable[Piece]) -> None:
        """libvirt writes behind our back, in order and up to the first failure; of a failure that
        comes after the last byte of a stream was sent, it tells nobody."""
        if not all(self._holds(volume, proof) for proof in proofs):
            raise HostFault(
                f"{self._line.host}: {self._what}: the host could not write all of it",
                hint="free room in the directory pool_dir of the host, or see its libvirtd's log",
            )

    def _holds(self, volume: StorageVolume, proof: Piece) -> bool:
        if not proof.length:
            return True
        arrived = download(self._line, self._what, lambda _: volume, proof, self._wait)
        return arrived == self._source.read(proof.offset, proof.length)


def _cut(extent: Piece) -> Iterator[Piece]:
    for offset in range(extent.offset, extent.end, _PIECE):
        yield Piece(offset, min(_PIECE, extent.end - offset))
