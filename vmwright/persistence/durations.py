"""How long many things took, as counts: nothing is kept of any one of them."""

import threading
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; what took longer than the last is counted too."""


class Durations:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = [0] * (len(BOUNDS) + 1)
        self._sum = 0.0

    def note(self, seconds: float) -> None:
        """One more."""
        place = bisect_left(BOUNDS, seconds)
        with self._lock:
            self._counts[place] += 1
            self._sum += seconds

    def read(self) -> tuple[Sequence[int], float]:
        """How many took as long as each bound at most, then how many there were; and the sum of
        their seconds."""
        with self._lock:
            return list(accumulate(self._counts)), self._sum
