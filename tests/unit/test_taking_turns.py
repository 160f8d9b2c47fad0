"""Whoever comes while somebody is at it is done with those who came with him."""

import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from vmwright.persistence.taking_turns import Turns

PATIENCE = 60


class Done:
    """Notes who was done together; the first time, only once it is let."""

    def __init__(self, most=64):
        self.groups, self.under_way, self.go_on = [], threading.Event(), threading.Event()
        self.turns = Turns(self.do, most=most)

    def do(self, ones):
        self.groups.append(list(ones))
        if len(self.groups) == 1:
            self.under_way.set()
            assert self.go_on.wait(PATIENCE)
        if "broken" in ones:
            raise ValueError(ones)

    def all_of(self, first, *others):
        """What became of each: the others come one after the other while the first is done."""
        with ThreadPoolExecutor(1 + len(others)) as pool:
            taken = [pool.submit(self.turns.take, first)]
            assert self.under_way.wait(PATIENCE)
            for number, other in enumerate(others, 1):
                taken.append(pool.submit(self.turns.take, other))
                while self.turns.waiting() < number:
                    threading.Event().wait(0.001)
            self.go_on.set()
            return [one.exception(PATIENCE) for one in taken]


def test_those_who_come_meanwhile_are_done_at_once_and_in_order():
    done = Done()
    assert done.all_of("a", "b", "c", "d") == [None] * 4
    assert done.groups == [["a"], ["b", "c", "d"]]


def test_no_more_are_done_at_once_than_may_be():
    done = Done(most=2)
    assert done.all_of("a", "b", "c", "d") == [None] * 4
    assert done.groups == [["a"], ["b", "c"], ["d"]]


def test_one_alone_is_done_in_its_own_thread():
    threads = []
    Turns(lambda _ones: threads.append(threading.get_ident()), most=2).take("a")
    assert threads == [threading.get_ident()]


def test_what_is_raised_reaches_one_and_keeps_nobody_waiting():
    done = Done()
    outcomes = done.all_of("a", "broken", "c")
    assert [type(outcome) for outcome in outcomes] == [type(None), ValueError, type(None)]
    done.turns.take("later")
    assert done.groups[-1] == ["later"]


def test_one_who_was_interrupted_is_no_heir():
    done = Done()
    main = threading.main_thread().ident
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(done.turns.take, "a")
        assert done.under_way.wait(PATIENCE)

        def interrupt():
            while not done.turns.waiting():
                threading.Event().wait(0.001)
            signal.pthread_kill(main, signal.SIGINT)

        interrupting = pool.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            done.turns.take("interrupted")
        interrupting.result(PATIENCE)
        after = pool.submit(done.turns.take, "b")
        while not done.turns.waiting():
            threading.Event().wait(0.001)
        done.go_on.set()
        assert [one.exception(PATIENCE) for one in (first, after)] == [None, None]
    assert done.groups == [["a"], ["b"]]


def interrupted_at(name, call):
    """Have Ctrl-C come once, just as this function begins."""
    left = [name]

    def trace(frame, event, _argument):
        if event == "call" and frame.f_code.co_name in left:
            raise KeyboardInterrupt(left.pop())

    sys.settrace(trace)
    try:
        with pytest.raises(KeyboardInterrupt):
            call()
    finally:
        sys.settrace(None)


def test_one_who_is_interrupted_as_he_gets_the_lead_leaves_it_to_others():
    done = Done()
    done.go_on.set()
    interrupted_at("_lead", lambda: done.turns.take("interrupted"))
    later = threading.Thread(target=done.turns.take, args=("later",), daemon=True)
    later.start()
    later.join(PATIENCE / 10)
    assert done.groups == [["later"]]


@pytest.mark.parametrize("name", ["_leave", "_pass_on"])
def test_one_who_is_interrupted_as_he_leaves_keeps_nobody_waiting(name):
    done = Done()
    with ThreadPoolExecutor(2) as pool:

        def let_go_on():
            while not done.turns.waiting():
                threading.Event().wait(0.001)
            done.go_on.set()

        def follow():
            assert done.under_way.wait(PATIENCE)
            done.turns.take("b")

        following, letting = pool.submit(follow), pool.submit(let_go_on)
        interrupted_at(name, lambda: done.turns.take("a"))
        assert [one.exception(PATIENCE) for one in (following, letting)] == [None, None]
    done.turns.take("c")
    assert done.groups == [["a"], ["b"], ["c"]]


def test_one_who_gets_the_lead_before_he_waits_for_it_leads():
    done = Done()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(done.turns.take, "a")
        assert done.under_way.wait(PATIENCE)

        def look(_frame, _event, _argument):
            if not first.done() and done.turns._waiting and not done.turns._lock.locked():
                done.go_on.set()
                first.result(PATIENCE)
            return look

        def trace(frame, _event, _argument):
            return look if frame.f_code is Turns.take.__code__ else None

        sys.settrace(trace)
        try:
            done.turns.take("b")
        finally:
            sys.settrace(None)
    assert done.groups == [["a"], ["b"]]
