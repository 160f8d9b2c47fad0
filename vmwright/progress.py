"""How far a call is: a fraction, a note, and where bytes are moved, how many and how fast."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

_SMOOTHING = 5.0
"""Seconds: what was measured so long ago counts for a third of what is measured now."""

_SHORTEST = 0.2
"""Seconds between two measures: below them the clock says little of a speed."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What a call says of itself while it goes on."""

    fraction: float
    """From 0.0 to 1.0."""
    note: str = ""
    done_bytes: int | None = None
    total_bytes: int | None = None
    rate: float | None = None
    """Bytes per second, as of late; None until it is known."""

    @classmethod
    def of_bytes(cls, done: int, total: int, note: str) -> Self:
        """Of what moves bytes; nothing to move is all moved."""
        fraction = min(1.0, done / total) if total else 1.0
        return cls(fraction=fraction, note=note, done_bytes=done, total_bytes=total)

    @classmethod
    def from_store(cls, detail: Mapping[str, Any]) -> Self:
        """What `to_store` gave, also an earlier release's."""
        return cls(
            fraction=min(1.0, max(0.0, float(detail.get("fraction") or 0.0))),
            note=str(detail.get("note") or ""),
            done_bytes=detail.get("done_bytes"),
            total_bytes=detail.get("total_bytes"),
            rate=detail.get("rate"),
        )

    def to_store(self) -> dict[str, Any]:
        """What is known of it, as plain values."""
        facts = {
            "done_bytes": self.done_bytes,
            "total_bytes": self.total_bytes,
            "rate": self.rate,
        }
        known = {name: value for name, value in facts.items() if value is not None}
        return {"fraction": self.fraction, "note": self.note} | known

    def to_users(self) -> dict[str, Any]:
        """All that is known of it, under the names that users see."""
        return asdict(self) | {"seconds_left": self.seconds_left}

    @property
    def seconds_left(self) -> float | None:
        """At the rate of late; None if that is unknown."""
        if not self.rate or self.done_bytes is None or self.total_bytes is None:
            return None
        return max(0, self.total_bytes - self.done_bytes) / self.rate


@dataclass
class Speedometer:
    """Adds the rate to what one call says, one thing after the other. Of one thread."""

    clock: Callable[[], float] = time.monotonic
    _measured: tuple[float, int] | None = None
    _rate: float | None = field(default=None)

    def read(self, progress: Progress) -> Progress:
        """The same with its rate, which is smoothed: it steers what a person expects."""
        if progress.done_bytes is None:
            return progress
        now = self.clock()
        if self._measured is None or progress.done_bytes < self._measured[1]:
            # Also a call that begins anew, such as one to another host.
            self._measured, self._rate = (now, progress.done_bytes), None
        elif now - self._measured[0] >= _SHORTEST:
            self._measure(now, progress.done_bytes)
        return progress if self._rate is None else replace(progress, rate=round(self._rate, 1))

    def _measure(self, now: float, done: int) -> None:
        assert self._measured is not None, "read has seen to that"
        since, before = self._measured
        fresh = (done - before) / (now - since)
        weight = (now - since) / (now - since + _SMOOTHING)
        self._rate = fresh if self._rate is None else self._rate + (fresh - self._rate) * weight
        self._measured = (now, done)
