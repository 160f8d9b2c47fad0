"""Patience ends at its deadline or when somebody cancels, and says which."""

import threading

import pytest

from vmwright.errors import Cancelled, ClaimLost, Refused, Unavailable
from vmwright.progress import Progress
from vmwright.waiting import Wait, patiently


def test_new_patience_goes_on() -> None:
    wait = Wait(60)
    wait.check("call")
    assert 0 < wait.remaining() <= 60


@pytest.mark.parametrize("seconds", [0, -1])
def test_ended_patience_is_unavailable(seconds: float) -> None:
    wait = Wait(seconds)
    assert wait.remaining() == 0
    with pytest.raises(Unavailable, match="call: no answer"):
        wait.check("call")


def test_cancelled_patience_says_so() -> None:
    cancelled = threading.Event()
    wait = Wait(60, cancelled=cancelled)
    wait.check("call")
    cancelled.set()
    with pytest.raises(Cancelled, match="call"):
        wait.check("call")


def test_cancellation_goes_before_the_deadline() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        Wait(0, cancelled=cancelled).check("call")


def test_pause_within_patience_returns() -> None:
    Wait(60).pause(0.001, "call")


def test_pause_ends_at_the_deadline() -> None:
    with pytest.raises(Unavailable):
        Wait(0.001).pause(3600, "call")


def test_pause_ends_when_cancelled() -> None:
    cancelled = threading.Event()
    wait = Wait(3600, cancelled=cancelled)
    threading.Timer(0.001, cancelled.set).start()
    with pytest.raises(Cancelled):
        wait.pause(3600, "call")


def test_shorter_patience_never_outlasts_its_parent() -> None:
    parent = Wait(1)
    assert parent.within(3600).remaining() <= 1
    assert Wait(3600).within(1).remaining() <= 1


def test_shorter_patience_hears_the_same_voices() -> None:
    cancelled, heard = threading.Event(), []
    wait = Wait(60, cancelled=cancelled, report=heard.append).within(1)
    wait.progress(0.5, "half")
    wait.moved(1, 4, "quarter")
    cancelled.set()
    assert heard == [Progress(fraction=0.5, note="half"), Progress.of_bytes(1, 4, "quarter")]
    with pytest.raises(Cancelled):
        wait.check("call")


def test_progress_that_nobody_hears_is_fine() -> None:
    Wait(1).progress(1.0, "done")


def test_unknown_outcome_is_asked_for_again() -> None:
    answers = iter([Unavailable("first"), Unavailable("second")])

    def call() -> str:
        for error in answers:
            raise error
        return "known"

    assert patiently(call, Wait(60), "call") == "known"


def test_known_outcome_is_not_asked_for_again() -> None:
    asked = []

    def call() -> None:
        asked.append(1)
        raise Refused("no")

    with pytest.raises(Refused):
        patiently(call, Wait(60), "call")
    assert asked == [1]


@pytest.mark.parametrize(
    ("seconds", "patience"), [(0, 60.0), (60, 0.0)], ids=["deadline", "silence"]
)
def test_asking_ends_with_what_was_said_last(seconds: float, patience: float) -> None:
    def call() -> None:
        raise Unavailable("silent")

    with pytest.raises(Unavailable, match="silent"):
        patiently(call, Wait(seconds), "call", patience)


def test_guard_is_asked_first_and_by_everything_that_waits() -> None:
    def refuse() -> None:
        raise ClaimLost("not ours")

    cancelled = threading.Event()
    cancelled.set()
    wait = Wait(0.0, cancelled=cancelled, guard=refuse)
    for ask in (
        lambda: wait.check("look"),
        lambda: wait.pause(0.0, "look"),
        lambda: wait.within(1.0).check("look"),
    ):
        with pytest.raises(ClaimLost):
            ask()
