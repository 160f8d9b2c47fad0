"""Waiting for operations, and what happens to them, whoever runs them."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from vmwright.errors import Conflict, DeadlinePassed
from vmwright.ids import OperationId
from vmwright.news import News
from vmwright.persistence.records import Event, Operation
from vmwright.persistence.retrying import while_away
from vmwright.persistence.stores import Stores
from vmwright.states import CLAIMABLE

T = TypeVar("T")

_POLL = 0.1
"""Seconds between two looks at what others may be running."""
_SELDOM = 1.0
"""Seconds until one looks again although one would be told."""
_PAGE = 500


class Watch:
    """Looks at operations in the store until nothing more happens to them by itself."""

    def __init__(
        self,
        stores: Stores,
        look: Callable[[str], Operation],
        closed: threading.Event,
        patience: float,
        news: News,
    ) -> None:
        """`look` finds an operation, or says that the caller may not. A store that does not
        answer is asked again for `patience` seconds. `news` are of what this process runs."""
        self._stores = stores
        self._look = look
        self._closed = closed
        self._patience = patience
        self._news = news

    def wait(self, operation: str, timeout: float | None) -> Operation:
        """As `Controller.wait`."""
        for _ in self._ticks(operation, timeout, every_event=False):
            known = self._patiently(lambda: self._look(operation))
            if known.state not in CLAIMABLE:
                return known
        raise AssertionError("ticks end by an exception only")

    def events(self, operation: str, *, after: int, timeout: float | None) -> Iterator[Event]:
        """As `Controller.watch`."""
        for _ in self._ticks(operation, timeout, every_event=True):
            # The state first: what is written before an end is then not missed.
            known = self._patiently(lambda: self._look(operation))
            over = known.state not in CLAIMABLE
            while events := self._patiently(partial(self._page, operation, after)):
                yield from events
                after = events[-1].seq
            if over:
                return

    def _page(self, operation: str, after: int) -> Sequence[Event]:
        with self._stores.database.read() as connection:
            return self._stores.operations.events(
                connection, OperationId(operation), after=after, limit=_PAGE
            )

    def _patiently(self, look: Callable[[], T]) -> T:
        """Runs of this process outlive an absence of the store that is no longer."""
        return while_away(look, self._patience, self._closed)

    def _ticks(self, operation: str, timeout: float | None, *, every_event: bool) -> Iterator[None]:
        """When to look: at once, whenever there is news, seldom where news will come, and often
        where others may run it."""
        ends = None if timeout is None else time.monotonic() + timeout
        known = OperationId(operation)
        is_told = self._news.has_all if every_event else self._news.has_end
        with self._news.bell(known, every_event=every_event) as bell:
            while True:
                bell.clear()
                yield
                if ends is not None and time.monotonic() >= ends:
                    raise DeadlinePassed(
                        f"operation {operation} has not ended within {timeout:g} seconds",
                        hint=f"it goes on; see: vmwright operation show {operation}",
                    )
                pause = _SELDOM if is_told(known) else _POLL
                left = pause if ends is None else max(0.0, ends - time.monotonic())
                bell.wait(min(pause, left))
                if self._closed.is_set():
                    raise Conflict(
                        f"operation {operation} is waited for no more: this controller was closed",
                        hint="any other controller on its store goes on with it",
                    )
