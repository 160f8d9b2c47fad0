"""Repeats reconcilers, each in a thread of its own, until they are told to stop."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from vmwright.errors import Cancelled, StoreUnavailable
from vmwright.persistence.outage import Outage

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Round:
    """What is done again and again. It may fail, and may end with `Cancelled` when all stop."""

    name: str
    what: Callable[[], object]
    pause: float
    """Seconds before the first time, and between the end of one and the next."""


class Rounds:
    """Threads that repeat rounds. They end with the process, or once `stopping` is set."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._threads: list[threading.Thread] = []

    def start(self, rounds: Iterable[Round]) -> None:
        """Repeat these too."""
        for one in rounds:
            thread = threading.Thread(
                target=self._repeat, args=[one], name=f"vmwright-{one.name}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def all_alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    def join(self) -> None:
        """Wait for those that are under way."""
        for thread in self._threads:
            thread.join()

    def _repeat(self, one: Round) -> None:
        outage = Outage(f"the round of {one.name} is left out")
        while not self._stopping.wait(one.pause):
            try:
                one.what()
                outage.over()
            except Cancelled:
                return
            except StoreUnavailable as error:
                outage.noticed(error)
            except Exception:
                # A thread that ended here would leave every later round undone.
                LOG.exception("a round of %s failed", one.name)
