"""A host's address and the connection to it: made when needed, made anew when lost."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from vmwright.backends.libvirt.calls import LostCalls
from vmwright.backends.libvirt.failures import fault_of
from vmwright.backends.libvirt.line import Connect, Line, LineLost, LineSilent
from vmwright.errors import Unavailable
from vmwright.waiting import Wait

T = TypeVar("T")

_PAUSES = (0.1, 0.4, 1.0, 2.0)
"""Seconds before each new connection: a daemon that is restarted is back by then."""
_REST_SECONDS = 5.0
"""How long a host that did not answer is left alone: whoever asks meanwhile is told at once."""
_MOST_LOST_CALLS = 32


class HostConnection:
    """The way to one host. Thread-safe.

    Each call has a deadline of its own, besides the patience of its caller. One that passes it
    keeps its thread; it is counted, its connection is given up, and the host rests.
    """

    def __init__(self, uri: str, call_deadline: float) -> None:
        self.uri = uri
        self.host = f"host {uri}"
        self._deadline = call_deadline
        self._lost = LostCalls()
        self._line: Line | None = None
        self._opening = threading.Lock()
        self._rests_until = 0.0

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

        If that is lost, `work` begins again on a new one. `Unavailable` if there is none.
        """
        for pause in (*_PAUSES, None):
            try:
                return work(self._usable_line(what, wait))
            except LineSilent as silent:
                self._rest()
                raise Unavailable(
                    f"{self.host}: {silent}", hint="see that libvirtd on the host answers"
                ) from silent
            except LineLost as lost:
                if pause is None:
                    self._rest()
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

    def _usable_line(self, what: str, wait: Wait) -> Line:
        line = self._line
        if line is not None and line.is_usable():
            return line
        with self._turn_to_open(what, wait):
            if self._line is line or self._line is None:
                self._line = self._new_line(what, wait)
            return self._line

    def _new_line(self, what: str, wait: Wait) -> Line:
        rest = self._rests_until - time.monotonic()
        if rest > 0:
            raise Unavailable(
                f"{self.host}: {what}: the host did not answer and rests for {rest:.1f} s",
                hint="see that libvirtd on the host answers",
            )
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

    def _rest(self) -> None:
        self._rests_until = time.monotonic() + _REST_SECONDS
