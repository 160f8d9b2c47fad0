"""What a pool of threads refuses is not done later, and holds no place."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.support.no_threads import no_more_threads
from vmwright.pools import Places, Threads

PATIENCE = 60


@contextmanager
def busy(pool: Threads | Places) -> Iterator[Callable[[], object]]:
    """One thread of the pool has something to do until what is returned is called."""
    at_work, free = threading.Event(), threading.Event()

    def work() -> None:
        at_work.set()
        assert free.wait(PATIENCE)

    done = pool.submit(work)
    assert at_work.wait(PATIENCE)
    try:
        yield lambda: (free.set(), done.result(PATIENCE))
    finally:
        free.set()
        pool.close()


@pytest.mark.parametrize("kind", [Threads, Places])
def test_call_that_was_refused_for_want_of_a_thread_is_never_done(
    kind: type[Threads] | type[Places],
) -> None:
    pool, done = kind(2, "test"), []
    with busy(pool) as go_on:
        with no_more_threads(), pytest.raises(RuntimeError, match="can't start new thread"):
            pool.submit(done.append, "refused")
        go_on()
        pool.submit(done.append, "accepted").result(PATIENCE)
    assert done == ["accepted"]


def test_call_that_was_refused_for_want_of_a_thread_waits_for_no_place() -> None:
    places = Places(2, "test")
    with busy(places) as go_on:
        with no_more_threads(), pytest.raises(RuntimeError, match="can't start new thread"):
            places.submit(int)
        assert places.take()
        places.give_back()
        go_on()
        places.submit(int).result(PATIENCE)
        assert places.take()


@pytest.mark.parametrize("kind", [Threads, Places])
def test_call_that_a_free_thread_begins_just_as_there_is_no_other_is_not_refused(
    kind: type[Threads] | type[Places], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, begun = kind(2, "test"), threading.Event()
    with busy(pool) as go_on:

        def start(thread: threading.Thread) -> None:
            go_on()
            assert begun.wait(PATIENCE)
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", start)
            pool.submit(begun.set).result(PATIENCE)


def test_what_is_called_off_before_a_thread_begins_it_is_never_done() -> None:
    places, done = Places(1, "test"), []
    with busy(places) as go_on:
        assert places.submit(done.append, "called off").cancel()
        go_on()
        places.submit(done.append, "accepted").result(PATIENCE)
        assert places.take()
    assert done == ["accepted"]
