"""A host that does not answer is left alone, and asked again by one caller first."""

import fcntl
import logging
import os
import re
import signal
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.attempts import until
from vmwright.backends.circuit import Board, Circuit, CircuitState, Condition
from vmwright.errors import Unavailable

URI = "qemu+ssh://rack1/system"


class Hands:
    """A circuit, the clock that it reads, and all that it told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.told: list[Condition] = []
        self.circuit = Circuit("host rack1", 5.0, self.told.append, lambda: self.now)

    def probe(self) -> bool:
        with self.circuit.admitted("look") as probing:
            return probing


@pytest.fixture
def hands() -> Hands:
    return Hands()


def test_host_that_answers_is_asked_by_all(hands: Hands) -> None:
    with hands.circuit.admitted("look") as first, hands.circuit.admitted("look") as second:
        assert (first, second) == (False, False)
    hands.circuit.answered()
    assert hands.told == []


def test_silent_host_is_asked_by_nobody_while_it_rests(hands: Hands, caplog) -> None:
    caplog.set_level(logging.INFO)
    hands.circuit.silent("no answer within 60.0 s", 3)
    assert [(told.state, told.reason, told.unanswered) for told in hands.told] == [
        (CircuitState.OPEN, "no answer within 60.0 s", 3)
    ]
    assert "host rack1 does not answer and rests for 5 s: no answer within 60.0 s" in caplog.text
    hands.now += 4.9
    with pytest.raises(Unavailable, match=r"look: the host did not answer and rests for 0\.1 s"):
        hands.probe()


def test_one_caller_asks_first_and_the_others_are_told_at_once(hands: Hands) -> None:
    hands.circuit.silent("gone", 0)
    hands.now += 5.0
    with hands.circuit.admitted("look") as probing:
        assert probing
        assert hands.circuit.condition.state is CircuitState.HALF_OPEN
        with pytest.raises(Unavailable, match="is being asked again"):
            hands.probe()
        hands.circuit.answered()
    assert hands.told[-1] == Condition()
    assert not hands.probe()


def test_probe_that_ends_without_a_word_leaves_it_to_the_next(hands: Hands) -> None:
    hands.circuit.silent("gone", 0)
    hands.now += 5.0
    assert hands.probe()
    assert hands.circuit.condition.state is CircuitState.OPEN
    assert hands.probe()


def test_rests_become_longer_up_to_six_times_the_first(hands: Hands) -> None:
    rests = []
    for _ in range(5):
        hands.circuit.silent("gone", 0)
        began = hands.now
        while True:
            with suppress(Unavailable), hands.circuit.admitted("look"):
                break
            hands.now += 1.0
        rests.append(hands.now - began)
    assert rests == [5.0, 10.0, 20.0, 30.0, 30.0]
    hands.circuit.answered()
    hands.circuit.silent("gone", 0)
    hands.now += 5.0
    assert hands.probe()


def test_calls_that_were_under_way_do_not_prolong_the_rest(hands: Hands) -> None:
    for unanswered in (1, 2, 3):
        hands.circuit.silent("gone", unanswered)
    assert hands.circuit.condition.unanswered == 3
    hands.now += 5.0
    assert hands.probe()


def test_first_silence_is_remembered_and_the_answer_told(hands: Hands, caplog) -> None:
    caplog.set_level(logging.INFO)
    hands.circuit.silent("gone", 0)
    since = hands.told[0].since
    hands.now += 5.0
    assert hands.probe()
    hands.circuit.silent("still gone", 0)
    assert hands.told[-1].since == since
    assert hands.told[-1].reason == "still gone"
    hands.circuit.answered()
    assert "host rack1 answers again" in caplog.text


def test_controller_that_ends_takes_its_word_back_and_tells_no_answer(
    hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    hands.circuit.silent("gone", 0)
    hands.circuit.end()
    assert hands.told[-1] == Condition()
    assert "answers again" not in caplog.text


def test_others_on_the_machine_see_which_host_is_silent(tmp_path: Path) -> None:
    board = Board(tmp_path)
    assert board.condition(URI) == Condition()
    tell = board.teller(URI)
    silent = Condition(state=CircuitState.OPEN, since=1.5, reason="gone", unanswered=2)
    tell(silent)
    assert Board(tmp_path).condition(URI) == silent
    assert Board(tmp_path).condition(URI + "2") == Condition()
    (sheet,) = (tmp_path / "circuits").iterdir()
    assert sheet.stat().st_mode & 0o777 == 0o600
    tell(Condition())
    assert Board(tmp_path).condition(URI) == Condition()
    assert list((tmp_path / "circuits").iterdir()) == []


def test_word_of_a_dead_controller_does_not_count(tmp_path: Path) -> None:
    process = os.fork()
    if not process:
        Board(tmp_path).teller(URI)(Condition(state=CircuitState.OPEN, since=1.5))
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process, 0)
    assert len(list((tmp_path / "circuits").iterdir())) == 1
    assert Board(tmp_path).condition(URI) == Condition()
    assert list((tmp_path / "circuits").iterdir()) == []


def test_sheet_that_a_reader_takes_for_a_dead_ones_is_written_again(tmp_path: Path) -> None:
    """He has it open and locked before whoever writes it has; then he removes it."""
    tell = Board(tmp_path).teller(URI)
    tell(silent := Condition(state=CircuitState.OPEN, since=1.5))
    (sheet,) = (tmp_path / "circuits").iterdir()
    tell(Condition())
    sheet.touch()
    with sheet.open() as read:
        fcntl.flock(read, fcntl.LOCK_SH)
        writer = threading.Thread(target=tell, args=[silent])
        writer.start()
        waits = re.compile(rf"-> FLOCK .*:{sheet.stat().st_ino} ")
        until(lambda: not writer.is_alive() or waits.search(Path("/proc/locks").read_text()))
        sheet.unlink()
    writer.join()
    assert Board(tmp_path).condition(URI) == silent


def test_board_that_cannot_be_written_keeps_nobody_from_asking(tmp_path: Path, caplog) -> None:
    (tmp_path / "circuits").touch()
    Board(tmp_path).teller(URI)(Condition(state=CircuitState.OPEN, since=1.5))
    assert "could not be written" in caplog.text
    assert Board(tmp_path).condition(URI) == Condition()
