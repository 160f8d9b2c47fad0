"""Threads, bounded: one pool for engines, one for the tasks of each host."""

import threading
from concurrent.futures import Executor, ThreadPoolExecutor


class Pools:
    """Engines and tasks never share threads: an engine waiting for its own task would hang.

    Tasks on a slow host queue up behind each other, not behind those of other hosts. There are
    twice as many engines as operations that make progress: the others wait for slow hosts.
    """

    def __init__(self, *, parallel: int, tasks_per_host: int) -> None:
        self._engines = 2 * parallel
        self.engines = ThreadPoolExecutor(self._engines, thread_name_prefix="vmwright-engine")
        self._per_host = tasks_per_host
        self._tasks: dict[str | None, ThreadPoolExecutor] = {}
        self._lock = threading.Lock()

    def engines_left(self, busy: int) -> int:
        """How many have nothing to do while so many run."""
        return self._engines - busy

    def of(self, host: str | None) -> Executor:
        """The pool for tasks on this host; None for those that are not on one."""
        with self._lock:
            if host not in self._tasks:
                self._tasks[host] = ThreadPoolExecutor(
                    self._per_host, thread_name_prefix=f"vmwright-{host or 'controller'}"
                )
            return self._tasks[host]

    def close(self) -> None:
        """Wait for what runs; begin nothing more."""
        # An engine that is cancelled here could not say that its operation is nobody's.
        self.engines.shutdown(wait=True)
        with self._lock:
            pools = list(self._tasks.values())
        for pool in pools:
            pool.shutdown(wait=True, cancel_futures=True)
