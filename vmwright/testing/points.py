"""Where a process may die: an observer of every commit and every backend call of a controller.

`Watcher` counts the points that its process comes to and has a callback visited at each, in the
thread that came there. A recording run enumerates them; a second run may end itself at one.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol, Self, runtime_checkable
from urllib.parse import urlsplit

from vmwright.backends.host import Backend, Host
from vmwright.ids import DeploymentId
from vmwright.tasks.task import Means
from vmwright.testing.transactions import watch_transactions


class Kind(StrEnum):
    TRANSACTION = "transaction"
    CALL = "call"


class Moment(StrEnum):
    BEFORE = "before"
    IN = "in"
    AFTER = "after"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One moment of one transaction or call."""

    kind: Kind
    moment: Moment
    name: str
    """``verb@host`` of a call; of a transaction the last event that it writes, such as ``task
    spawn RUNNING``, or else the tables that it writes."""
    step: str = ""
    """How far inside a call: a step of the simulated host, or ``struck`` by the clock."""
    count: int = 1
    """How often this process has come there."""

    @property
    def place(self) -> str:
        """The point without its count: the same in every run."""
        return " ".join(filter(None, [self.kind, self.moment, self.name, self.step]))

    def __str__(self) -> str:
        return f"{self.place} #{self.count}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """What `str` made of a point."""
        place, _, count = text.rpartition(" #")
        kind, moment, name = place.split(" ", 2)
        step = ""
        if Kind(kind) is Kind.CALL:
            name, _, step = name.partition(" ")
        return cls(kind=Kind(kind), moment=Moment(moment), name=name, step=step, count=int(count))


Visit = Callable[[Point], None]
"""Called at a point, in the thread that came there. What it raises leaves the call or commit."""

Strike = Callable[[str], float | None]
"""After how many seconds a call of this verb is visited in its middle, if it still runs."""


@runtime_checkable
class Stepping(Protocol):
    """A backend that tells of the steps inside its calls."""

    def watch(self, watch: Callable[[str], None]) -> None: ...


class Watcher:
    """Visits every point of one controller: ``Controller(settings, watch=Watcher(visit).watch)``.

    Transactions are those that write. A call's middle is a step of the simulated host; of any
    other backend it is a moment that `strike` chooses, visited by a thread of its own. After a
    call is visited however it ended; after a commit only if there was one.
    """

    def __init__(self, visit: Visit, *, strike: Strike | None = None) -> None:
        self._visit = visit
        self._strike = strike
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._call: ContextVar[str | None] = ContextVar("call", default=None)

    def watch(self, means: Means) -> Means:
        """The same means, watched from now on."""
        watch_transactions(
            means.stores.database.writer,
            before=lambda name: self._arrive(Kind.TRANSACTION, Moment.BEFORE, name),
            after=lambda name: self._arrive(Kind.TRANSACTION, Moment.AFTER, name),
        )
        if isinstance(means.backend, Stepping):
            means.backend.watch(self._step)
        return replace(means, backend=_WatchedBackend(means.backend, self.calling))

    @contextmanager
    def calling(self, name: str) -> Iterator[None]:
        """Around one call: ``verb@host``."""
        self._arrive(Kind.CALL, Moment.BEFORE, name)
        timer = self._timer(name)
        here = self._call.set(name)
        try:
            yield
        finally:
            self._call.reset(here)
            if timer is not None:
                timer.cancel()
            self._arrive(Kind.CALL, Moment.AFTER, name)

    def _step(self, step: str) -> None:
        name = self._call.get()
        if name is not None:
            self._arrive(Kind.CALL, Moment.IN, name, step)

    def _timer(self, name: str) -> threading.Timer | None:
        seconds = self._strike(name.partition("@")[0]) if self._strike else None
        if seconds is None:
            return None
        strike = [Kind.CALL, Moment.IN, name, "struck"]
        timer = threading.Timer(seconds, self._arrive, strike)
        timer.daemon = True
        timer.start()
        return timer

    def _arrive(self, kind: Kind, moment: Moment, name: str, step: str = "") -> None:
        point = Point(kind=kind, moment=moment, name=name, step=step)
        with self._lock:
            self._counts[point.place] += 1
            point = replace(point, count=self._counts[point.place])
        self._visit(point)


class _WatchedBackend:
    """A backend whose hosts' verbs are watched."""

    def __init__(self, backend: Backend, calling: Callable[[str], Any]) -> None:
        self._backend = backend
        self._calling = calling
        self.deployment: DeploymentId = backend.deployment

    @property
    def default_uri(self) -> str:
        return self._backend.default_uri

    def host(self, uri: str) -> Host:
        host, name = self._backend.host(uri), _host_name(uri)
        return Host(
            hypervisor=self._watched(host.hypervisor, name),
            network=self._watched(host.network, name),
            volumes=self._watched(host.volumes, name),
        )

    def close(self) -> None:
        self._backend.close()

    def _watched(self, verbs: object, host: str) -> Any:
        return _WatchedVerbs(verbs, host, self._calling)


class _WatchedVerbs:
    """One noun of a host: each public method is a call, but for those that ask nothing of it."""

    def __init__(self, verbs: object, host: str, calling: Callable[[str], Any]) -> None:
        self._verbs = verbs
        self._host = host
        self._calling = calling

    def __getattr__(self, verb: str) -> Any:
        method = getattr(self._verbs, verb)
        if verb == "definition":
            return method

        def call(*arguments: Any, **named: Any) -> Any:
            with self._calling(f"{verb}@{self._host}"):
                return method(*arguments, **named)

        return call


def _host_name(uri: str) -> str:
    """A short name of the host at this address."""
    parts = urlsplit(uri)
    return parts.hostname or parts.path.rpartition("/")[2] or uri
