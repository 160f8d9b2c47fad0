"""A host's address and the connection to it: made when needed, made anew when lost."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from vmwright.backends.circuit import Circuit, Tell, unheard
from vmwright.backends.libvirt.calls import LostCalls
from vmwright.backends.libvirt.failures import fault_of, reason_of
from vmwright.backends.libvirt.line import Connect, Line, LineLost, LineSilent
from vmwright.errors import Unavailable
from vmwright.waiting import Wait

T = TypeVar("T")

_PAUSES = (0.1, 0.4, 1.0, 2.0)
"""Seconds before each new connection: a daemon that is restarted is back by then."""
_MOST_LOST_CALLS = 32


class HostConnection:
    """The way to one host. Thread-safe.

    Each call has a deadline of its own, besides the patience of its caller. One that passes it
    keeps its thread; it is counted, its connection is given up, and the host's circuit opened.
    """

    def __init__(
        self, uri: str, call_deadline: float, rest: float = 5.0, tell: Tell = unheard
    ) -> None:
        self.uri = uri
        self.host = f"host {uri}"
        self._deadline = call_deadline
        self._lost = LostCalls()
        self._line: Line | None = None
        self._opening = threading.Lock()
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
        line, self._line = self._line, None
        if line is not None:
            line.retire()
        self._circuit.end()

    def _usable_line(self, what: str, wait: Wait) -> Line:
        line = self._line
        if line is not None and line.is_usable():
            return line
        with self._circuit.admitted(what) as probing, self._turn_to_open(what, wait):
            if self._line is line or self._line is None:
                opened = self._new_line(what, wait)
                if probing:
                    # A daemon whose threads all hang still lets callers in.
                    opened.ask(f"{what}: probe", lambda c: str(c.getHostname()), wait)
                self._line = opened
                self._circuit.answered()
            return self._line

    def _new_line(self, what: str, wait: Wait) -> Line:
        if len(self._lost) >= _MOST_LOST_CALLS:
            raise Unavailable(
                f"{self.host}: {what}: {len(self._lost)} earlier calls were never answered",
                hint="restart libvirtd on the host",
            )
        line = Line(self.host, self._deadline, self._lost)
        line.open(self.uri, f"connect to {what}", wait)
        return line

    @contextlib.contextmanager
    def _turn_to_open(self, what: str, wait: Wait) -> Iterator[None]:
        """One thread opens; the others wait for it, each with its own patience."""
        while not self._opening.acquire(timeout=0.1):
            wait.check(f"{self.host}: {what}")
        try:
            yield
        finally:
            self._opening.release()

    def _gave_no_answer(self, line: Line | None, reason: str) -> None:
        # Somebody may have found the host well on a newer connection meanwhile.
        if line is None or line is self._line:
            self._circuit.silent(reason, len(self._lost))
