"""What a piece of work costs in this process: rate, latency and CPU."""

import gc
import resource
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

Figures = dict[str, Any]
"""One line of JSON."""

CROWD = 50
"""Workflows at once, whoever does them."""
WARMING = 30
"""And how many each does before those that are measured: the first ones fill caches."""

_YOUNG = 5000
"""As in `vmwright.cli.session`, which peers do not have."""


def cpu_seconds() -> float:
    """User and system time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def measure(work: Callable[[int], object], count: int, threads: int) -> Figures:
    """Do `work(0)` to `work(count - 1)` on so many threads; what one of them costs.

    Raises what the first of them raised that failed.
    """
    latencies: list[float] = []
    failures: list[BaseException] = []
    numbers, lock = iter(range(count)), threading.Lock()

    def one_after_another() -> None:
        while not failures:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            began = time.perf_counter()
            try:
                work(number)
            except BaseException as error:  # noqa: BLE001 - it is raised again in the caller
                failures.append(error)
                return
            latencies.append(time.perf_counter() - began)

    # As a service of ours does by itself: what is loaded is not looked through again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG)
    cpu, began = cpu_seconds(), time.perf_counter()
    _on_threads(one_after_another, threads)
    wall, used = time.perf_counter() - began, cpu_seconds() - cpu
    if failures:
        raise failures[0]
    return {
        "threads": threads,
        "workflows": count,
        "per_second": round(count / wall, 2),
        "cpu_ms": round(1000 * used / count, 3),
        **percentiles(latencies),
    }


def _on_threads(work: Callable[[], None], threads: int) -> None:
    if threads == 1:
        work()
        return
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def percentiles(seconds: Sequence[float]) -> Figures:
    """The middle and the slow end, in milliseconds."""
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return {
        "p50_ms": round(1000 * ordered[len(ordered) // 2], 3),
        "p99_ms": round(1000 * ordered[min(last, int(len(ordered) * 0.99))], 3),
    }


def resident_mib() -> float:
    """Memory of this process that is in RAM now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[1])
    return pages * resource.getpagesize() / 2**20
