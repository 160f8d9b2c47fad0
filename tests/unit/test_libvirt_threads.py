"""Threads for calls that may hang: used again by the next call, or left behind."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.attempts import until
from vmwright.backends.libvirt.calls import Call, LostCalls, Threads, Unanswered


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads()
    yield threads
    threads.close()


def ask(threads: Threads, question: Any, seconds: float = 60.0, ended: Any = id) -> Any:
    return Call("ask", question, ended).answer(threads, seconds)


def test_call_answers_or_raises_what_its_question_does(threads: Threads) -> None:
    def fail() -> None:
        raise KeyError("no")

    assert ask(threads, lambda: 7) == 7
    with pytest.raises(KeyError, match="no"):
        ask(threads, fail)


def test_thread_that_came_back_answers_the_next_call(threads: Threads) -> None:
    first = ask(threads, threading.current_thread)
    until(lambda: first.name == "libvirt-idle")
    assert {ask(threads, threading.current_thread) for _ in range(20)} <= {
        first,
        *threading.enumerate(),
    }
    assert sum(thread.name.startswith("libvirt") for thread in threading.enumerate()) <= 2


def test_call_that_hangs_keeps_its_thread_and_no_other_waits_for_it(threads: Threads) -> None:
    go_on, lost = threading.Event(), LostCalls()
    hanging: Call[bool] = Call("hang", go_on.wait, lost.discard)
    with pytest.raises(Unanswered):
        hanging.answer(threads, 0.0)
    lost.add(hanging, "a thing")
    assert lost.concern("a thing")
    assert ask(threads, lambda: 7) == 7
    until(lambda: "libvirt: hang" in {thread.name for thread in threading.enumerate()})
    go_on.set()
    until(lambda: not lost.concern("a thing"))


def test_threads_end_with_their_host(threads: Threads) -> None:
    thread = ask(threads, threading.current_thread)
    until(lambda: thread.name == "libvirt-idle")
    until(lambda: threads.close() is None and not thread.is_alive())
