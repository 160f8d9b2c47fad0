"""Patience: every wait has a deadline, sees cancellation and can report how far it is."""

import math
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import tenacity

from vmwright.errors import Cancelled, Unavailable
from vmwright.progress import Progress

T = TypeVar("T")

Report = Callable[[Progress], None]
"""Told how far a call is, in its thread; never blocks, never raises."""


Guard = Callable[[], None]
"""Raises if whoever waits may not go on at all; asked before each step, so it must be quick."""


def _unheard(_progress: Progress) -> None:
    """A report that nobody asked for."""


def _unguarded() -> None:
    """Whoever waits may go on."""


class Wait:
    """How long one call may take, and who may end it early.

    `seconds` runs from now on a clock that never jumps. `cancelled` is None where nothing may
    interrupt, as while undoing. `guard` is asked first, whatever else ends the wait.
    """

    def __init__(
        self,
        seconds: float,
        *,
        cancelled: threading.Event | None = None,
        report: Report = _unheard,
        guard: Guard = _unguarded,
    ) -> None:
        self._ends = time.monotonic() + seconds
        self._cancelled = cancelled
        self._report = report
        self._guard = guard

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._ends - time.monotonic())

    def check(self, what: str) -> None:
        """Go on, or raise what the guard does, `Cancelled`, or `Unavailable` once the deadline
        has passed."""
        self._guard()
        if self._cancelled is not None and self._cancelled.is_set():
            raise Cancelled(f"{what}: cancelled")
        if time.monotonic() >= self._ends:
            raise Unavailable(f"{what}: no answer before the deadline")

    def pause(self, seconds: float, what: str) -> None:
        """Wait that long; raise as `check` does if cancelled, or if the deadline comes first."""
        bell = self._cancelled or threading.Event()
        bell.wait(min(seconds, self.remaining()))
        self.check(what)

    def within(self, seconds: float) -> "Wait":
        """The same patience with an earlier end."""
        return Wait(
            min(seconds, self.remaining()),
            cancelled=self._cancelled,
            report=self._report,
            guard=self._guard,
        )

    def heard_by(self, report: Report) -> "Wait":
        """The same patience; what it reports is told to `report` first."""

        def both(progress: Progress) -> None:
            report(progress)
            self._report(progress)

        return Wait(self.remaining(), cancelled=self._cancelled, report=both, guard=self._guard)

    def progress(self, fraction: float, note: str) -> None:
        """Tell whoever watches how far this call is: from 0.0 to 1.0, and what it does."""
        self._report(Progress(fraction=fraction, note=note))

    def tell(self, progress: Progress) -> None:
        """As `progress`, of what somebody else has said."""
        self._report(progress)

    def moved(self, done: int, total: int, note: str) -> None:
        """As `progress`, for a call that moves bytes."""
        self._report(Progress.of_bytes(done, total, note))


def patiently(call: Callable[[], T], wait: Wait, what: str, patience: float = math.inf) -> T:
    """Call until the outcome is known.

    `Unavailable` is asked again until `wait` ends, or until nothing else was heard for
    `patience` seconds.
    """
    try:
        return call()
    except Unavailable as error:
        return again_patiently(call, error, wait, what, patience)


def again_patiently(
    call: Callable[[], T], error: Unavailable, wait: Wait, what: str, patience: float = math.inf
) -> T:
    """As `patiently`, of what was called once and came to this error."""
    unheard = [error]
    silence = _Silence()

    def again() -> T:
        # Most calls are answered at once: what counts tries is made for the others only.
        if unheard:
            raise unheard.pop()
        return call()

    def given_up(state: tenacity.RetryCallState) -> bool:
        return not wait.remaining() or silence.seconds(state) > patience

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Unavailable),
        stop=given_up,
        wait=tenacity.wait_exponential(multiplier=0.1, max=2.0),
        sleep=lambda seconds: wait.pause(seconds, what),
        reraise=True,
    )
    outcome: T = retrying(again)
    return outcome


class _Silence:
    """How long something has not answered, counted from its first failure."""

    def __init__(self) -> None:
        self._since: float | None = None

    def seconds(self, state: tenacity.RetryCallState) -> float:
        at = state.outcome_timestamp or time.monotonic()
        self._since = at if self._since is None else self._since
        return at - self._since
