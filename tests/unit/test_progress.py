"""What a call says of its progress, and how fast its bytes come."""

import pytest

from vmwright.progress import Progress, Speedometer

MIB = 1 << 20


class Clock:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def told(done: int) -> Progress:
    return Progress.of_bytes(done * MIB, 100 * MIB, "copy")


def test_rate_and_time_left_are_those_of_the_bytes() -> None:
    clock = Clock()
    speed = Speedometer(clock)
    assert speed.read(told(0)).rate is None
    for second in (1, 2, 3):
        clock.now = float(second)
        progress = speed.read(told(10 * second))
    assert progress.rate == 10 * MIB
    assert progress.seconds_left == 7.0


def test_rate_follows_slowly_and_begins_anew_with_a_call_that_does() -> None:
    clock = Clock()
    speed = Speedometer(clock)
    speed.read(told(0))
    clock.now = 1.0
    assert speed.read(told(10)).rate == 10 * MIB
    clock.now = 1.01
    assert speed.read(told(40)).rate == 10 * MIB, "a moment says nothing of a speed"
    clock.now = 2.0
    assert 10 * MIB < (speed.read(told(40)).rate or 0) < 20 * MIB
    assert speed.read(told(5)).rate is None


def test_what_counts_no_bytes_has_no_rate() -> None:
    progress = Speedometer().read(Progress(fraction=0.5, note="half"))
    assert (progress.rate, progress.seconds_left) == (None, None)
    assert Progress.of_bytes(0, 0, "nothing").fraction == 1.0


@pytest.mark.parametrize(
    "progress", [Progress(fraction=0.5, note="half"), Progress.of_bytes(1, 4, "copy"), told(50)]
)
def test_what_is_stored_is_what_was_told(progress: Progress) -> None:
    assert Progress.from_store(progress.to_store()) == progress


def test_what_an_earlier_release_stored_can_be_read() -> None:
    assert Progress.from_store({"fraction": 3, "note": None}) == Progress(fraction=1.0)
