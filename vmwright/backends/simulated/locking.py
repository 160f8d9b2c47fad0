"""Taking turns: one holder at a time among all threads and processes that name the same file."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vmwright.waiting import Wait

_POLL = 0.002
"""Seconds between two looks at a lock that another process holds for far less than that."""

_PATIENCE = 0.05
"""Seconds after which a thread that waits for another looks whether it was cancelled."""


class Turn:
    """A lock that dies with its holder. Not re-entrant.

    The file is opened for each turn, so that neither a fork nor a second object for the same
    file shares it; the kernel gives it back however the process ends.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._threads = threading.Lock()

    @contextmanager
    def held(self, wait: Wait, what: str) -> Iterator[None]:
        """Hold it; raises what `wait` raises if that comes first."""
        while not self._threads.acquire(timeout=min(_PATIENCE, wait.remaining())):
            wait.check(what)
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                while not _locked(descriptor):
                    wait.pause(_POLL, what)
                yield
            finally:
                os.close(descriptor)
        finally:
            self._threads.release()


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
