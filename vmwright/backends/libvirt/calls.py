"""Calls that may never return, in threads that their callers can leave behind."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Unanswered(Exception):
    """The call goes on, and nobody waits for it any more. Never leaves this package."""


class Call(Generic[T]):
    """One question, asked in a daemon thread of its own.

    Nothing can end a thread that hangs in libvirt; so each call has its own, and whoever waits
    for it may stop waiting.
    """

    def __init__(
        self, name: str, question: Callable[[], T], ended: "Callable[[Call[Any]], None]"
    ) -> None:
        self._question = question
        self._ended = ended
        self._future: Future[T] = Future()
        self._thread = threading.Thread(target=self._run, name=f"libvirt: {name}", daemon=True)

    @property
    def is_over(self) -> bool:
        return self._future.done()

    def answer(self, seconds: float) -> T:
        """Ask, and return or raise what the question does; `Unanswered` after the seconds."""
        self._thread.start()
        try:
            return self._future.result(seconds)
        except TimeoutError:
            if self._future.done():
                return self._future.result()
            raise Unanswered from None

    def _run(self) -> None:
        try:
            self._future.set_result(self._question())
        except BaseException as error:  # noqa: BLE001  it is raised where the answer is awaited
            self._future.set_exception(error)
        finally:
            self._ended(self)


class LostCalls:
    """Calls to one host that nobody waits for and that may still change something there."""

    def __init__(self) -> None:
        self._about: dict[int, str] = {}
        self._lock = threading.Lock()

    def add(self, call: Call[Any], about: str) -> None:
        with self._lock:
            if not call.is_over:
                self._about[id(call)] = about

    def discard(self, call: Call[Any]) -> None:
        """The call is over. Calls that were never lost may be named as well."""
        with self._lock:
            self._about.pop(id(call), None)

    def __len__(self) -> int:
        return len(self._about)

    def concern(self, thing: str) -> bool:
        """Whether one of them is about this thing."""
        with self._lock:
            return thing in self._about.values()
