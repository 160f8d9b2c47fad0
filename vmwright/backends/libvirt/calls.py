"""Calls that may never return, in threads that their callers can leave behind."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Generic, NoReturn, TypeVar

T = TypeVar("T")

_IDLE_SECONDS = 10.0
_IDLE = "libvirt-idle"


class Unanswered(Exception):
    """The call goes on, and nobody waits for it any more. Never leaves this package."""


class Call(Generic[T]):
    """One question, asked in a daemon thread that nobody else uses meanwhile.

    Nothing can end a thread that hangs in libvirt; so each call has its own, and whoever waits
    for it may stop waiting.
    """

    def __init__(
        self, name: str, question: Callable[[], T], ended: "Callable[[Call[Any]], None]"
    ) -> None:
        self.name = name
        self._question = question
        self._ended = ended
        self._context = copy_context()
        self._answers: SimpleQueue[Callable[[], T]] = SimpleQueue()
        self.is_over = False

    def answer(self, threads: "Threads", seconds: float) -> T:
        """Ask, and return or raise what the question does; `Unanswered` after the seconds."""
        threads.run(self)
        try:
            answer = self._answers.get(timeout=seconds)
        except Empty:
            if not self.is_over:
                raise Unanswered from None
            answer = self._answers.get()
        return answer()

    def ask(self) -> None:
        """In a thread of its own: have the question answered."""
        answer: Callable[[], T]
        try:
            answer = partial(_told, self._context.run(self._question))
        except BaseException as error:  # noqa: BLE001  it is raised where the answer is awaited
            answer = partial(_raised, error)
        self.is_over = True
        self._answers.put(answer)
        self._ended(self)


def _told(answer: T) -> T:
    return answer


def _raised(error: BaseException) -> NoReturn:
    raise error


class Threads:
    """Daemon threads for calls. One that has come back waits a while for the next."""

    def __init__(self) -> None:
        self._idle: list[_Thread] = []
        self._lock = threading.Lock()

    def run(self, call: Call[Any]) -> None:
        with self._lock:
            thread = self._idle.pop() if self._idle else None
        if thread is None:
            thread = _Thread(self._came_back, self._left)
            thread.start()
        thread.calls.put(call)

    def close(self) -> None:
        """Threads that wait end now; those in a call some time after it."""
        with self._lock:
            idle, self._idle = self._idle, []
        for thread in idle:
            thread.calls.put(None)

    def _came_back(self, thread: "_Thread") -> None:
        with self._lock:
            self._idle.append(thread)

    def _left(self, thread: "_Thread") -> bool:
        """Whether it may end: somebody may just have taken it for a call."""
        with self._lock:
            if thread not in self._idle:
                return False
            self._idle.remove(thread)
            return True


class _Thread(threading.Thread):
    def __init__(
        self, came_back: "Callable[[_Thread], None]", left: "Callable[[_Thread], bool]"
    ) -> None:
        super().__init__(name=_IDLE, daemon=True)
        self.calls: SimpleQueue[Call[Any] | None] = SimpleQueue()
        self._came_back = came_back
        self._left = left

    def run(self) -> None:
        while (call := self._next()) is not None:
            self.name = f"libvirt: {call.name}"
            call.ask()
            del call  # its question holds what was asked about
            self.name = _IDLE
            self._came_back(self)

    def _next(self) -> Call[Any] | None:
        try:
            return self.calls.get(timeout=_IDLE_SECONDS)
        except Empty:
            return None if self._left(self) else self.calls.get()


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
