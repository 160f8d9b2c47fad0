"""A guest's serial console, read through libvirt: the host may be remote."""

import contextlib
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import libvirt

from vmwright.backends.libvirt.connection import HostConnection
from vmwright.backends.libvirt.failures import Code
from vmwright.backends.libvirt.line import Connect, Line, LineLost, LineSilent
from vmwright.backends.libvirt.lookups import found
from vmwright.errors import Refused, Unavailable, VmwrightError
from vmwright.ids import InstanceId
from vmwright.waiting import Wait

_PIECE = 65536
_SLICE_SECONDS = 0.25
"""How long one call listens before cancellation and deadline are looked at."""
_POLL_SECONDS = 0.02
_CALL_SECONDS = 10.0
_BUSY_SECONDS = 2.0
"""How long a reader that has just gone may keep the console."""
_WOULD_BLOCK = -2


def read_console(connection: HostConnection, instance: InstanceId, wait: Wait) -> Iterator[bytes]:
    """What the guest writes from now on, until `wait` ends or the guest is switched off.

    `Refused` at once if the guest does not run or somebody else reads; `Unavailable` while
    reading if the host is lost.
    """
    what = f"read the console of guest {instance}"
    reader = connection.session(what, lambda line: _opened(line, what, instance, wait), wait)
    next(reader)  # From here on the reader lets go of the console, even if it is never used.
    return reader


def _opened(line: Line, what: str, instance: InstanceId, wait: Wait) -> Iterator[bytes]:
    patience = wait.within(_BUSY_SECONDS)
    while (stream := line.ask(what, lambda c: _stream(c, line.host, instance), wait)) is None:
        if not patience.remaining():
            raise Refused(
                f"{line.host}: {what}: somebody else reads it",
                hint="end the other reader, such as virsh console",
            )
        wait.pause(_POLL_SECONDS, f"{line.host}: {what}")
    return _pieces(line, what, stream, wait)


def _stream(connection: Connect, host: str, instance: InstanceId) -> Any:
    """An open stream; None if the console is in use."""
    domain = found(connection.lookupByUUIDString, instance, Code.NO_DOMAIN)
    if domain is None or not domain.isActive():
        raise Refused(f"{host}: guest {instance} does not run and has no console")
    stream = connection.newStream(libvirt.VIR_STREAM_NONBLOCK)
    try:
        domain.openConsole(None, stream, 0)
    except libvirt.libvirtError as error:
        if error.get_error_code() != Code.OPERATION_FAILED:
            raise
        return None
    return stream


def _pieces(line: Line, what: str, stream: Any, wait: Wait) -> Iterator[bytes]:
    try:
        yield b""
        while _goes_on(wait, what):
            seconds = min(_SLICE_SECONDS, wait.remaining())
            piece = line.ask(what, partial(_received, stream, seconds), Wait(_CALL_SECONDS))
            if piece is None:
                return
            if piece:
                yield piece
            elif not line.is_usable():
                # libvirt does not tell a reader that may not block.
                raise Unavailable(f"{line.host}: {what}: the connection was lost")
    except (LineLost, LineSilent) as lost:
        raise Unavailable(f"{line.host}: {what}: the connection was lost") from lost
    finally:
        with contextlib.suppress(VmwrightError, LineLost, LineSilent):
            line.ask(what, lambda _: stream.abort(), Wait(_CALL_SECONDS))


def _goes_on(wait: Wait, what: str) -> bool:
    """Whether to listen on: the end of the wait is the end of the console, not an error."""
    try:
        wait.check(what)
    except Unavailable:
        return False
    return True


def _received(stream: Any, seconds: float, _connection: Connect) -> bytes | None:
    """What came within the seconds, if anything; None if the console was closed."""
    ends = time.monotonic() + seconds
    never = threading.Event()
    while True:
        received = stream.recv(_PIECE)
        if received != _WOULD_BLOCK:
            return received or None
        if time.monotonic() >= ends:
            return b""
        never.wait(_POLL_SECONDS)
