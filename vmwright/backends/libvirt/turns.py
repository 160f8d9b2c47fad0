"""Waiting for one's turn, with one's own patience."""

import contextlib
import threading
from collections.abc import Iterator

from vmwright.waiting import Wait

_POLL_SECONDS = 0.1
"""Between two looks at the deadline and at cancellation."""


@contextlib.contextmanager
def turn(lock: "threading.Lock | threading.Semaphore", what: str, wait: Wait) -> Iterator[None]:
    """Hold the lock inside; raises as `Wait.check` does while others have it."""
    while not lock.acquire(timeout=_POLL_SECONDS):
        wait.check(what)
    try:
        yield
    finally:
        lock.release()
