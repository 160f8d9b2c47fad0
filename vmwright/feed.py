"""What happens in a store, told to all who listen in this process: one query for all of them."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field

from vmwright.errors import StoreUnavailable
from vmwright.ids import OperationId
from vmwright.persistence.event_log import Told
from vmwright.persistence.stores import Stores

LOG = logging.getLogger(__name__)

_PAUSE = 0.1
"""Seconds between two looks at the store."""
_PAGE = 1000
REMEMBERED = 4096
"""Events that are kept for those who come back after a moment: the store is not asked for them."""
_MOST_UNHEARD = 20_000
"""Events that a listener may lie behind. Whoever is slower is let go: it can go on from where it
was, and gets from the store what it has missed."""
_LATE = 30.0
"""Seconds until a number is taken for one that never comes: its transaction was rolled back. None
lasts longer than a store may take to answer."""
_MOST_LATE = 5000
"""Numbers that are waited for at most. A server that is started anew may skip as many as it likes,
and has no transaction under way then."""
_AT_ONCE = 500
"""Numbers that one statement asks for."""

Wants = Callable[[Told], bool]
Heard = Callable[[Sequence[Told]], object]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Events in the order of their numbers, of which some may come in a later batch."""

    events: Sequence[Told]
    position: int
    """Everything up to this number has been told: whoever goes on after it misses nothing, and
    may hear some events again."""


@dataclass
class _Listener:
    wants: Wants
    loop: asyncio.AbstractEventLoop
    queue: "asyncio.Queue[Batch | None]" = field(default_factory=asyncio.Queue)
    told: int = 0
    heard: int = 0
    """Events; one thread counts each of these, so none is counted twice."""

    def tell(self, batch: Batch | None) -> bool:
        """Whether it is still there to be told."""
        try:
            self.loop.call_soon_threadsafe(self.queue.put_nowait, batch)
        except RuntimeError:  # its loop has ended, and it with that
            return False
        return True


class Feed:
    """Of one process. Thread-safe; its listeners are coroutines, in any loop."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._lock = threading.Lock()
        self._listeners: list[_Listener] = []
        self._hearers: list[Heard] = []
        self._remembered: deque[Told] = deque()
        self._forgotten = 0
        """Up to which number not everything that was found is remembered."""
        self._closing = threading.Event()
        self._late: dict[int, float] = {}
        """Numbers that were not there when later ones were, and until when they may come."""
        # SQLite gives numbers under the lock of its only writer: they are committed in order.
        self._may_be_late = stores.database.writer.dialect.name != "sqlite"
        self._last = 0
        self._begin()
        self._forgotten = self._last
        self._thread = threading.Thread(target=self._follow, name="vmwright-feed", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let all listeners go."""
        self._closing.set()
        self._thread.join()
        with self._lock:
            for listener in self._listeners:
                listener.tell(None)

    def hear(self, heard: Heard) -> None:
        """Have this called with each event from now on, once, whosever it is, in the feed's own
        thread: listeners wait meanwhile."""
        self._hearers.append(heard)

    def listening(self) -> int:
        """How many listen now."""
        with self._lock:
            return len(self._listeners)

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will be told."""
        return self._closing.is_set()

    def everything(self, project: str | None, *, after: int | None = None) -> AsyncIterator[Batch]:
        """What happens to operations of a project, or of all, from now on, or has happened after
        that number. Ends if this listener has fallen too far behind, or the feed is closed."""

        def wants(told: Told) -> bool:
            return project in (None, told.project)

        return self._listen(wants, self._page, after)

    def of_operation(
        self, operation: OperationId, *, after: int | None = 0
    ) -> AsyncIterator[Batch]:
        """What has happened to an operation after that number, and what does from now on; after
        None only that."""

        def wants(told: Told) -> bool:
            return told.event.operation_id == operation

        def page(after: int) -> Sequence[Told]:
            with self._stores.database.read() as connection:
                return self._stores.events.of_operation(connection, operation, after, _PAGE)

        return self._listen(wants, page, after)

    async def _listen(
        self, wants: Wants, page: Callable[[int], Sequence[Told]], after: int | None
    ) -> AsyncIterator[Batch]:
        listener = _Listener(wants, asyncio.get_running_loop())
        with self._lock:
            if self._closing.is_set():
                return
            self._listeners.append(listener)
            position = self._position()
            remembered = self._remembers(after)
        told: set[int] = set()
        try:
            if remembered is not None:
                after = None
                if found := [one for one in remembered if wants(one)]:
                    yield Batch(events=found, position=position)
            while after is not None and (missed := await asyncio.to_thread(page, after)):
                after = missed[-1].event.seq
                if found := [one for one in missed if wants(one)]:
                    # What the feed has not come to yet is heard from it, too.
                    told.update(one.event.seq for one in found if one.event.seq > position)
                    yield Batch(events=found, position=min(after, position))
            while (live := await listener.queue.get()) is not None:
                listener.heard += len(live.events)
                if fresh := [one for one in live.events if one.event.seq not in told]:
                    yield Batch(events=fresh, position=live.position)
        finally:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

    def _follow(self) -> None:
        while not self._closing.wait(_PAUSE):
            try:
                self._look()
            except StoreUnavailable as error:
                LOG.warning("events are not told until the store answers: %s", error)
                self._closing.wait(1.0)
            except Exception:
                # Whoever listens hears the rest once what is wrong was mended.
                LOG.exception("events cannot be read")
                self._closing.wait(1.0)

    def _look(self) -> None:
        while page := self._found():
            with self._lock:
                self._note(page)
                self._listeners = [one for one in self._listeners if self._tell(one, page)]
            for heard in self._hearers:
                heard(page)
            if len(page) < _PAGE:
                return

    def _found(self) -> Sequence[Told]:
        late = self._come_late() if self._late else []
        return [*late, *self._page(self._last)]

    def _come_late(self) -> list[Told]:
        """Those that are there now. Only a look that the store has answered gives any up."""
        since, numbers = time.monotonic(), sorted(self._late)
        found: list[Told] = []
        for first in range(0, len(numbers), _AT_ONCE):
            found += self._numbered(numbers[first : first + _AT_ONCE])
        there = {one.event.seq for one in found}
        with self._lock:
            for number in numbers:
                if number not in there and self._late[number] < since:
                    del self._late[number]
        return found

    def _remembers(self, after: int | None) -> Sequence[Told] | None:
        """Everything that was found and has a higher number; None if some of it is forgotten."""
        if after is None or after < self._forgotten:
            return None
        found = [one for one in self._remembered if one.event.seq > after]
        return sorted(found, key=lambda one: one.event.seq)

    def _remember(self, page: Sequence[Told]) -> None:
        self._remembered.extend(page)
        while len(self._remembered) > REMEMBERED:
            number = self._remembered.popleft().event.seq
            self._forgotten = max(self._forgotten, number)

    def _note(self, page: Sequence[Told]) -> None:
        self._remember(page)
        for number in (one.event.seq for one in page):
            self._late.pop(number, None)
            if number > self._last:
                if self._may_be_late:
                    self._await(range(self._last + 1, number))
                self._last = number

    def _await(self, missing: Sequence[int]) -> None:
        until = time.monotonic() + _LATE
        self._late.update(dict.fromkeys(missing[-_MOST_LATE:], until))
        for number in sorted(self._late)[:-_MOST_LATE]:
            del self._late[number]

    def _position(self) -> int:
        return min(self._late) - 1 if self._late else self._last

    def _tell(self, listener: _Listener, page: Sequence[Told]) -> bool:
        """Whether it goes on listening."""
        wanted = [one for one in page if listener.wants(one)]
        if not wanted:
            return True
        listener.told += len(wanted)
        if listener.told - listener.heard > _MOST_UNHEARD:
            listener.tell(None)
            return False
        return listener.tell(Batch(events=wanted, position=self._position()))

    def _begin(self) -> None:
        """At what is there now, and what may be committed late."""
        with self._stores.database.read() as connection:
            self._last = self._stores.events.newest(connection)
            if self._may_be_late:
                self._await(self._stores.events.gaps(connection, self._last, _PAGE))

    def _page(self, after: int) -> Sequence[Told]:
        with self._stores.database.read() as connection:
            return self._stores.events.after(connection, after, _PAGE)

    def _numbered(self, numbers: Collection[int]) -> Sequence[Told]:
        with self._stores.database.read() as connection:
            return self._stores.events.numbered(connection, numbers)
