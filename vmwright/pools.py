"""Threads, bounded: one pool for engines, one for the tasks of each host."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, thread
from typing import TypeVar

T = TypeVar("T")


class Threads:
    """So many at most. What they refuse is not done later.

    Python's pool queues a call before it asks for a thread, and leaves it there if none is to be
    had: the next thread that is free would do it.
    """

    def __init__(self, size: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix=name)

    def submit(self, call: Callable[..., T], *arguments: object) -> "Future[T]":
        """Have it done. `RuntimeError` if no thread is to be had, as when the interpreter ends."""
        future: Future[T] = Future()
        try:
            self._pool.submit(_do, future, call, arguments)
        except RuntimeError:
            # A thread that was free just then may have begun it.
            if future.cancel():
                raise
        return future

    def close(self) -> None:
        """Wait for what was handed in; take nothing more."""
        self._pool.shutdown(wait=True)


def _do(future: "Future[T]", call: Callable[..., T], arguments: tuple[object, ...]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call(*arguments)
    except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
        future.set_exception(error)
    else:
        future.set_result(result)


class Places:
    """How many tasks one host has at a time, and threads for those that bring none.

    Who waits for its task anyway may carry it out itself: that takes a place, and no thread.
    """

    def __init__(self, size: int, name: str) -> None:
        self._threads = Threads(size, name)
        self._free = size
        self._waiting = 0
        self._lock = threading.Lock()
        self._freed = threading.Condition(self._lock)

    def submit(self, call: Callable[..., T], *arguments: object) -> "Future[T]":
        """Have it done by another thread, once a place is free."""
        with self._lock:
            self._waiting += 1
        try:
            future = self._threads.submit(self._in_turn, call, *arguments)
        except RuntimeError:
            self._waits_no_more()
            raise
        future.add_done_callback(lambda done: self._waits_no_more() if done.cancelled() else None)
        return future

    def take(self) -> bool:
        """A place for the thread that asks, which gives it back, if one is free and nobody waits
        for it.

        There is none once the interpreter ends, for which there is no public word: a program that
        ends must not wait for the rest of what runs.
        """
        with self._lock:
            taken = self._free > 0 and not self._waiting and not getattr(thread, "_shutdown", False)
            self._free -= taken
        return taken

    def give_back(self) -> None:
        with self._lock:
            self._free += 1
            if self._waiting:
                self._freed.notify()

    def close(self) -> None:
        """Wait for what was handed in; take nothing more."""
        self._threads.close()

    def _in_turn(self, call: Callable[..., T], *arguments: object) -> T:
        with self._lock:
            while self._free <= 0:
                self._freed.wait()
            self._free -= 1
            self._waiting -= 1
        try:
            return call(*arguments)
        finally:
            self.give_back()

    def _waits_no_more(self) -> None:
        with self._lock:
            self._waiting -= 1


class Pools:
    """Engines and tasks never share places: an engine waiting for its own task would hang.

    Tasks on a slow host queue up behind each other, not behind those of other hosts. There are
    twice as many engines as operations that make progress: the others wait for slow hosts.
    """

    def __init__(self, *, parallel: int, tasks_per_host: int) -> None:
        self._engines = 2 * parallel
        self.engines = Threads(self._engines, "vmwright-engine")
        self._per_host = tasks_per_host
        self._tasks: dict[str | None, Places] = {}
        self._lock = threading.Lock()

    def engines_left(self, busy: int) -> int:
        """How many have nothing to do while so many run."""
        return self._engines - busy

    def of(self, host: str | None) -> Places:
        """The places for tasks on this host; None for those that are not on one."""
        places = self._tasks.get(host)
        if places is None:
            with self._lock:
                if host not in self._tasks:
                    self._tasks[host] = Places(self._per_host, f"vmwright-{host or 'controller'}")
                places = self._tasks[host]
        return places

    def close(self) -> None:
        """Wait for what was handed in; take nothing more."""
        # First those who wait for tasks: when they have ended, no task is left.
        self.engines.close()
        with self._lock:
            pools = list(self._tasks.values())
        for pool in pools:
            pool.close()
