"""A process that may start no more threads, as one at its container's limit of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_MORE_THAN_THERE_IS = 1 << 46
"""Bytes of stack: the system refuses a thread that asks for as many."""


@contextmanager
def no_more_threads() -> Iterator[None]:
    """Those that run go on; `Thread.start` raises what it does at the limit."""
    before = threading.stack_size(_MORE_THAN_THERE_IS)
    try:
        with pytest.raises(RuntimeError, match="can't start new thread"):
            threading.Thread(target=int).start()
        yield
    finally:
        threading.stack_size(before)
