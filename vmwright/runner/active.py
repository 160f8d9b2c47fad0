"""What a process knows of an operation while it runs it."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from vmwright.ownership import lease_clock
from vmwright.persistence.records import Event
from vmwright.persistence.unit_of_work import UnitOfWork
from vmwright.progress import Progress, Speedometer

_SELDOM = 1.0
"""Seconds between two words on how far tasks are."""


@dataclass
class Active:
    """An operation that this process runs right now."""

    since: float = math.inf
    """When it was surely ours, by `lease_clock`; not yet if it is infinite."""
    work: UnitOfWork | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    progress: dict[str, Progress] = field(default_factory=dict)
    _speeds: dict[str, Speedometer] = field(default_factory=dict)
    told: float = -math.inf
    """When it was last told how far they are, on the monotonic clock."""
    outside: dict[str, float] = field(default_factory=dict)
    """Tasks that their hosts were given and have not ended, and since when, on the monotonic
    clock."""

    def news(self) -> list[Event]:
        """How far its tasks are, if they have said so since this was last told; that is kept for
        ever, and not told too often."""
        assert self.work is not None, "tasks run"
        if not self.progress or time.monotonic() < self.told + _SELDOM:
            return []
        self.told = time.monotonic()
        progress, self.progress = self.progress, {}
        return [
            self.work.event("progress", "progress", task=task, detail=told.to_store())
            # A copy in one step: a task may still hold the old mapping, and add to it.
            for task, told in list(progress.items())
        ]

    def hears(self, task: str, progress: Progress) -> None:
        """A task says how far it is, in its own thread."""
        speed = self._speeds.setdefault(task, Speedometer())
        self.progress[task] = speed.read(progress)

    @property
    def is_claimed(self) -> bool:
        """Whether it is ours, as far as we have heard."""
        return self.since != math.inf

    def is_ours_from_now_on(self) -> None:
        """If it is lost again by now, the next fenced transaction finds out."""
        self.since = lease_clock()

    def hands_over(self, task: str) -> Callable[[object], object]:
        """A task goes to its host; what is returned is called when it has come back."""
        self.outside[task] = time.monotonic()
        return lambda _: self.outside.pop(task, None)

    def is_held_up(self, seconds: float) -> bool:
        """Whether a host has had one of its tasks for longer than that."""
        latest = time.monotonic() - seconds
        return any(since < latest for since in list(self.outside.values()))
