"""One open connection to a host, used by many threads and closed after the last of them."""

import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import libvirt

from vmwright.backends.libvirt import event_loop
from vmwright.backends.libvirt.calls import Call, LostCalls, Threads, Unanswered
from vmwright.backends.libvirt.failures import (
    FROM_RPC,
    Code,
    Failure,
    connection_is_lost,
    fault_of,
    pool_is_gone,
)
from vmwright.errors import Unavailable
from vmwright.waiting import Wait

T = TypeVar("T")
Connect = Any
"""`Opened`, that is a `libvirt.virConnect`: the binding has no types."""

_KEEPALIVE_SECONDS, _KEEPALIVES = 5, 3
_FAIR_SECONDS = 2.0
"""A host that was silent for less has only met somebody in a hurry."""

_GIVEN_UP = Failure(code=Code.RPC, origin=FROM_RPC, text="the connection was given up")


class LineLost(Exception):
    """The connection broke, or could not be made. Never leaves this package."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class LineSilent(Exception):
    """A call had its full time and was not answered. Never leaves this package."""


class Opened:
    """A `libvirt.virConnect`, and the storage pools that were looked up through it.

    Nearly every question needs one, and one that is awake remains so until somebody puts it away.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.pools: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def close(self) -> None:
        self.pools.clear()  # each of them keeps the connection open
        self._connection.close()


class Line:
    """A connection that is given up as soon as it seems broken."""

    def __init__(self, host: str, deadline: float, threads: Threads, lost: LostCalls) -> None:
        self.host = host
        self._deadline = deadline
        self._threads = threads
        self._lost = lost
        self._connection: Connect = None
        self._users = 0
        self._retired = False
        self._lock = threading.Lock()

    def open(self, uri: str, what: str, wait: Wait) -> None:
        """Connect; raises as `ask` does."""
        self._connection = self._answered(what, lambda: _opened(uri), wait, about="")

    def ask(
        self,
        what: str,
        question: Callable[[Connect], T],
        wait: Wait,
        about: str = "",
        *,
        slow: bool = False,
    ) -> T:
        """What `question` answers, which is given the connection.

        It is asked once, and once more if a pool had been put away that it took for awake. It
        must return plain values: libvirt's objects would keep the connection open. `about`
        names the thing that it changes. A `slow` one may take as long as its caller waits.
        Raises what `fault_of` makes of libvirt's errors, `Unavailable` after the deadline,
        `LineLost` and `LineSilent`.
        """
        return self._answered(
            what, lambda: _asked(question, self._connection), wait, about, slow=slow
        )

    @property
    def users(self) -> int:
        """How many calls are under way on it."""
        return self._users

    def is_usable(self) -> bool:
        with self._lock:
            return not self._retired and bool(self._connection.isAlive())

    def retire(self) -> None:
        """Close the connection, once nobody is inside libvirt with it.

        Closing it earlier would free what a hanging call still uses. If the host is dead, the
        keepalive breaks the connection, and with it such calls.
        """
        with self._lock:
            self._retired = True
            idle = not self._users
        if idle:
            threading.Thread(target=self._close, name="libvirt: close", daemon=True).start()

    def _answered(
        self, what: str, question: Callable[[], T], wait: Wait, about: str, *, slow: bool = False
    ) -> T:
        wait.check(f"{self.host}: {what}")
        seconds = wait.remaining() if slow else min(self._deadline, wait.remaining())
        call = Call(what, question, self._leave)
        with self._lock:
            if self._retired:
                raise LineLost(_GIVEN_UP)
            self._users += 1
        try:
            return call.answer(self._threads, seconds)
        except Unanswered:
            self._lost.add(call, about)
            raise self._unanswered(what, seconds, slow=slow) from None
        except libvirt.libvirtError as error:
            raise self._failed(what, error) from error

    def _unanswered(self, what: str, seconds: float, *, slow: bool) -> Exception:
        if slow or seconds < min(self._deadline, _FAIR_SECONDS):
            return Unavailable(f"{self.host}: {what}: no answer within {seconds:.1f} s")
        self.retire()
        return LineSilent(f"{what}: no answer within {seconds:.1f} s")

    def _failed(self, what: str, error: Exception) -> Exception:
        failure = _failure_of(error)
        if connection_is_lost(failure):
            self.retire()
            return LineLost(failure)
        return fault_of(self.host, what, failure)

    def _leave(self, call: Call[Any]) -> None:
        self._lost.discard(call)
        with self._lock:
            self._users -= 1
            last = self._retired and not self._users
        if last:
            self._close()

    def _close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(libvirt.libvirtError):
                connection.close()


def _opened(uri: str) -> Connect:
    event_loop.ensure_running()
    connection = libvirt.open(uri)
    connection.setKeepAlive(_KEEPALIVE_SECONDS, _KEEPALIVES)
    return Opened(connection)


def _asked(question: Callable[[Connect], T], connection: Connect) -> T:
    try:
        return question(connection)
    except libvirt.libvirtError as error:
        if not connection.pools or not pool_is_gone(_failure_of(error)):
            raise
    connection.pools.clear()
    return question(connection)


def _failure_of(error: Any) -> Failure:
    return Failure(
        code=error.get_error_code(),
        origin=error.get_error_domain(),
        text=error.get_error_message() or "",
    )
