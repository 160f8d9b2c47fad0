"""Taking turns: one holder at a time among all threads and processes that name the same file."""

import fcntl
import os
import threading

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
        self._descriptor = -1

    def begin(self, wait: Wait, what: str) -> None:
        """Hold it until `end`; raises what `wait` raises if that comes first."""
        if not self._threads.acquire(blocking=False):
            while not self._threads.acquire(timeout=min(_PATIENCE, wait.remaining())):
                wait.check(what)
        try:
            self._descriptor = _locked(self._path, wait, what)
        except BaseException:
            self._threads.release()
            raise

    def end(self) -> None:
        try:
            os.close(self._descriptor)
        finally:
            self._threads.release()


def _locked(path: str, wait: Wait, what: str) -> int:
    """The descriptor of the file, which is locked until that is closed."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                wait.pause(_POLL, what)
            else:
                return descriptor
    except BaseException:
        os.close(descriptor)
        raise
