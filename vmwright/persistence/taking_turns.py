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
        place = _Place(one)
        try:
            with self._lock:
                waits, self._is_led = self._is_led, True
                place.leads = not waits
                if waits:
                    self._waiting.append(place)
            # Also if the lead is his by now: it is given by this lock, which is taken once.
            if waits:
                place.settled.acquire()
            if place.leads:
                self._lead(place)
            self._leave(place)
        except BaseException:
            # Also of one who was interrupted, wherever, and be it as he left: nobody is to wait
            # for him.
            self._leave(place)
            raise

    def waiting(self) -> int:
        """How many wait now."""
        with self._lock:
            return len(self._waiting)

    def _lead(self, place: "_Place[T]") -> None:
        """Do it for who waits, and for the one of this place."""
        with self._lock:
            if place in self._waiting:
                taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                place.led = taken
        self._do([each.one for each in place.led] or [place.one])

    def _leave(self, place: "_Place[T]") -> None:
        """Settle those whom it led, and leave the lead to who came meanwhile. Done again, it does
        what an interrupt has kept it from doing."""
        with self._lock:
            if place in self._waiting:
                self._waiting.remove(place)
            if place.leads:
                self._pass_on(place)
        for each in place.led:
            if each.settled.locked():
                each.settled.release()

    def _pass_on(self, place: "_Place[T]") -> None:
        # No interrupt comes before something is called.
        heir = self._waiting[0] if self._waiting else None
        self._is_led, place.leads = heir is not None, False
        if heir is not None:
            heir.leads = True
            heir.settled.release()


class _Place(Generic[T]):
    """Of one who takes a turn."""

    def __init__(self, one: T) -> None:
        self.one = one
        self.leads = False
        self.led: Sequence[_Place[T]] = ()
        """Those who waited, and whom it does it for."""
        self.settled = threading.Lock()
        """Free once it was done, or is to be led from here."""
        self.settled.acquire()
