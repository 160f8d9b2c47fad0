"""Many threads doing the same at once."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def all_at_once(work: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """What each call returned or raised; none begins before all are ready."""
    ready = threading.Barrier(len(work))

    def run(call: Callable[[], T]) -> T | Exception:
        ready.wait()
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(run, work))
