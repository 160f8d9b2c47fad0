"""Tells those who wait in this process that something has happened to an operation in it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vmwright.ids import OperationId


def _none(_operation: OperationId) -> bool:
    return False


class News:
    """A bell for each who waits. Thread-safe; costs next to nothing where nobody waits."""

    def __init__(self) -> None:
        self._bells: dict[OperationId, dict[threading.Event, bool]] = {}
        self._lock = threading.Lock()
        self.has_end: Callable[[OperationId], bool] = _none
        """Whether `ended` will be called once this operation is over, whoever runs it."""
        self.has_all: Callable[[OperationId], bool] = _none
        """Whether `committed` is called of this operation whenever something happens to it."""

    def ended(self, operation: OperationId) -> None:
        """Ring for all who wait for this operation: its run here, or wherever, has ended."""
        with self._lock:
            for bell in self._bells.get(operation, ()):
                bell.set()

    def committed(self, operation: OperationId) -> None:
        """Ring for those who want to see each event of this operation."""
        if operation not in self._bells:
            return
        with self._lock:
            for bell, wants_all in self._bells.get(operation, {}).items():
                if wants_all:
                    bell.set()

    def no_more(self) -> None:
        """Ring for everybody: nothing else will be heard here."""
        with self._lock:
            for bells in self._bells.values():
                for bell in bells:
                    bell.set()

    @contextmanager
    def bell(self, operation: OperationId, *, every_event: bool) -> Iterator[threading.Event]:
        """One that rings for this operation as long as the context lasts. Clear it before you
        look: what happens while you look rings it anew."""
        bell = threading.Event()
        with self._lock:
            self._bells.setdefault(operation, {})[bell] = every_event
        try:
            yield bell
        finally:
            with self._lock:
                del self._bells[operation][bell]
                if not self._bells[operation]:
                    del self._bells[operation]
