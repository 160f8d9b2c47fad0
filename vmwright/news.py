"""Tells those who wait in this process that something has happened to an operation in it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vmwright.ids import OperationId


def _by_nobody(_operation: OperationId) -> bool:
    return False


class News:
    """A bell for each who waits. Thread-safe; costs nothing where nobody waits."""

    def __init__(self) -> None:
        self._bells: dict[OperationId, set[threading.Event]] = {}
        self._lock = threading.Lock()
        self.comes_of: Callable[[OperationId], bool] = _by_nobody
        """Whether `tell` will be called once this operation is over, whoever runs it."""

    def tell(self, operation: OperationId) -> None:
        """Ring for those who wait for this operation: something of it was committed."""
        with self._lock:
            for bell in self._bells.get(operation, ()):
                bell.set()

    def tell_all(self) -> None:
        """Ring for everybody: there will be no more news."""
        with self._lock:
            for bells in self._bells.values():
                for bell in bells:
                    bell.set()

    @contextmanager
    def bell(self, operation: OperationId) -> Iterator[threading.Event]:
        """One that rings for this operation as long as the context lasts. Clear it before you
        look: what happens while you look rings it anew."""
        bell = threading.Event()
        with self._lock:
            self._bells.setdefault(operation, set()).add(bell)
        try:
            yield bell
        finally:
            with self._lock:
                self._bells[operation].discard(bell)
                if not self._bells[operation]:
                    del self._bells[operation]
