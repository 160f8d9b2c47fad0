"""Doing for several at one moment what costs as much for one: they take turns at it."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Whoever comes while somebody is at it waits; the first of those then does it for them all.

    Thread-safe.
    """

    def __init__(self, do: Callable[[Sequence[T]], None], *, most: int) -> None:
        """`do` is called for `most` at once, in a thread of one of them. What it raises reaches
        only the one whose thread that is: what became of the others must be told by them."""
        self._do = do
        self._most = most
        self._lock = threading.Lock()
        self._waiting: list[_Place[T]] = []
        self._is_led = False

    def take(self, one: T) -> None:
        """Return once it was done for this one, if need be after waiting for others."""
        place = None
        with self._lock:
            if self._is_led:
                place = _Place(one)
                self._waiting.append(place)
            self._is_led = True
        if place is None:
            self._lead([one], [])
            return
        place.wait(self._abandoned)
        if place.leads:
            with self._lock:
                places, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            self._lead([each.one for each in places], places)

    def waiting(self) -> int:
        """How many wait now."""
        with self._lock:
            return len(self._waiting)

    def _lead(self, ones: Sequence[T], places: "Sequence[_Place[T]]") -> None:
        """Do it for these, and leave the lead to who came meanwhile."""
        try:
            self._do(ones)
        finally:
            with self._lock:
                self._pass_on()
            for place in places:
                place.settled.release()

    def _pass_on(self) -> None:
        heir = self._waiting[0] if self._waiting else None
        self._is_led = heir is not None
        if heir is not None:
            heir.leads = True
            heir.settled.release()

    def _abandoned(self, place: "_Place[T]") -> None:
        """Nobody waits there any more: it must not be the heir."""
        with self._lock:
            if place in self._waiting:
                self._waiting.remove(place)
                if place.leads:
                    self._pass_on()


class _Place(Generic[T]):
    """Of one who waits."""

    def __init__(self, one: T) -> None:
        self.one = one
        self.leads = False
        self.settled = threading.Lock()
        """Free once it was done, or is to be led from here."""
        self.settled.acquire()

    def wait(self, abandoned: "Callable[[_Place[T]], None]") -> None:
        try:
            self.settled.acquire()
        except BaseException:  # Ctrl-C
            abandoned(self)
            raise
