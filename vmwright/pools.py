"""Threads, bounded: one pool for engines, one for the tasks of each host."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, thread
from typing import TypeVar

T = TypeVar("T")


class Places:
    """How many tasks one host has at a time, and threads for those that bring none.

    Who waits for its task anyway may carry it out itself: that takes a place, and no thread.
    """

    def __init__(self, size: int, name: str) -> None:
        self._threads = ThreadPoolExecutor(size, thread_name_prefix=name)
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
        """Wait for what runs; begin nothing more."""
        self._threads.shutdown(wait=True, cancel_futures=True)

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
        self.engines = ThreadPoolExecutor(self._engines, thread_name_prefix="vmwright-engine")
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
        """Wait for what runs; begin nothing more."""
        # An engine that is cancelled here could not say that its operation is nobody's.
        self.engines.shutdown(wait=True)
        with self._lock:
            pools = list(self._tasks.values())
        for pool in pools:
            pool.close()
