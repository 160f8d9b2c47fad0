"""A host's address and the connections to it: made when needed, made anew when lost."""

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from vmwright.backends.circuit import Circuit, Tell, unheard
from vmwright.backends.libvirt.calls import Call, LostCalls, Threads
from vmwright.backends.libvirt.failures import fault_of, reason_of
from vmwright.backends.libvirt.line import Connect, Line, LineLost, LineSilent
from vmwright.backends.libvirt.turns import turn
from vmwright.errors import Unavailable, VmwrightError
from vmwright.waiting import Wait

T = TypeVar("T")

_PAUSES = (0.1, 0.4, 1.0, 2.0)
"""Seconds before each new connection: a daemon that is restarted is back by then."""
_MOST_LOST_CALLS = 32
_REST_SECONDS = 60.0
"""Until another connection is tried beside one that works, after one could not be had."""


class HostConnection:
    """The way to one host: one connection, and up to so many while those are busy. Thread-safe.

    Calls share a connection only while there is no other: libvirt's client may put what a second
    thread says into the socket only when the call of the first is over. Another one is opened
    beside the calls, as that takes seconds through ssh.

    Each call has a deadline of its own, besides the patience of its caller. One that passes it
    keeps its thread; it is counted, its connection is given up, and the host's circuit opened:
    then the other connections are given up as well, as soon as their calls are answered.
    """

    def __init__(
        self,
        uri: str,
        call_deadline: float,
        rest: float = 5.0,
        tell: Tell = unheard,
        *,
        connections: int = 1,
    ) -> None:
        self.uri = uri
        self.host = f"host {uri}"
        self._deadline = call_deadline
        self._most = connections
        self._threads = Threads()
        self._lost = LostCalls()
        self._lines: tuple[Line, ...] = ()
        self._opening = threading.Lock()
        self._rests_until = 0.0
        self._circuit = Circuit(self.host, rest, tell)

    def ask(
        self,
        what: str,
        question: Callable[[Connect], T],
        wait: Wait,
        about: str = "",
        *,
        slow: bool = False,
    ) -> T:
        """What `question` answers; see `Line.ask`.

        If the connection is lost meanwhile, the question is asked again on a new one: what it
        changes, it must look at first.
        """
        return self.session(
            what, lambda line: line.ask(what, question, wait, about, slow=slow), wait
        )

    def session(self, what: str, work: Callable[[Line], T], wait: Wait) -> T:
        """What `work` returns, which uses one connection for several calls.

        If that is lost, `work` begins again on a new one. `Unavailable` if there is none, at once
        while the host's circuit is open.
        """
        for pause in (*_PAUSES, None):
            line = None
            try:
                line = self._usable_line(what, wait)
                return work(line)
            except LineSilent as silent:
                self._gave_no_answer(line, str(silent))
                raise Unavailable(
                    f"{self.host}: {silent}", hint="see that libvirtd on the host answers"
                ) from silent
            except LineLost as lost:
                if pause is None:
                    self._gave_no_answer(line, reason_of(lost.failure))
                    raise fault_of(self.host, what, lost.failure) from lost
                wait.pause(pause, f"{self.host}: {what}")
        raise AssertionError("the last pause is None")

    def settle(self, thing: str, wait: Wait) -> None:
        """Return once no call of this process about this thing is under way any more."""
        while self._lost.concern(thing):
            wait.pause(0.05, f"{self.host}: a call about {thing} goes on")

    def close(self) -> None:
        self._retire()
        self._threads.close()
        self._circuit.end()

    def _usable_line(self, what: str, wait: Wait) -> Line:
        line = self._least_busy()
        if line is not None:
            if line.users:
                self._open_beside(line)
            return line
        with (
            self._circuit.admitted(what) as probing,
            turn(self._opening, f"{self.host}: {what}", wait),
        ):
            line = self._least_busy()
            if line is not None:
                return line
            opened = self._new_line(what, wait)
            if probing:
                # A daemon whose threads all hang still lets callers in.
                opened.ask(f"{what}: probe", lambda c: str(c.getHostname()), wait)
            self._lines = (*self._usable(), opened)
            self._circuit.answered()
            return opened

    def _open_beside(self, busy: Line) -> None:
        """Have one more for the calls to come, if there may be one: nobody waits for it."""
        if self._may_be_more():
            self._threads.run(Call("connect", lambda: self._one_more(busy), _ended))

    def _one_more(self, busy: Line) -> None:
        if not self._opening.acquire(blocking=False):
            return
        try:
            if not self._may_be_more():
                return
            opened = self._new_line("more calls at once", Wait(self._deadline))
            if busy not in self._lines:
                opened.retire()  # meanwhile the host was found silent, or nobody asks any more
                return
            self._lines = (*self._usable(), opened)
        except (LineLost, LineSilent, VmwrightError):
            # A host may let no more of them in: that says nothing of those that it has let in.
            self._rests_until = time.monotonic() + _REST_SECONDS
        finally:
            self._opening.release()

    def _may_be_more(self) -> bool:
        return len(self._usable()) < self._most and self._rests_until < time.monotonic()

    def _usable(self) -> list[Line]:
        return [line for line in self._lines if line.is_usable()]

    def _least_busy(self) -> Line | None:
        """The connection with the fewest calls."""
        return min(self._usable(), key=lambda line: line.users, default=None)

    def _new_line(self, what: str, wait: Wait) -> Line:
        if len(self._lost) >= _MOST_LOST_CALLS:
            raise Unavailable(
                f"{self.host}: {what}: {len(self._lost)} earlier calls were never answered",
                hint="restart libvirtd on the host",
            )
        line = Line(self.host, self._deadline, self._threads, self._lost)
        line.open(self.uri, f"connect to {what}", wait)
        return line

    def _gave_no_answer(self, line: Line | None, reason: str) -> None:
        # Somebody may have found the host well on a newer connection meanwhile.
        if line is None or line in self._lines:
            self._retire()
            self._circuit.silent(reason, len(self._lost))

    def _retire(self) -> None:
        lines, self._lines = self._lines, ()
        for line in lines:
            line.retire()


def _ended(_call: Call[Any]) -> None:
    """Nobody waits for it."""
