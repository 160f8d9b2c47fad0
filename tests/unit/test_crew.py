"""Processes that are watched, and whose places are filled again."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

import pytest

from vmwright.cli.crew import Crew, _Place
from vmwright.cli.notify import Notifier

_READY = """
import signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
line = socket.socket(fileno=int(sys.argv[1]))
line.send(b"READY=1\\nSTATUS=operations that run here: 3")
"""
_OBEDIENT = _READY + "sys.exit(line.recv(100) != b'STOP')"
_SILENT = _READY + "signal.pause()"


class Programs:
    """What the processes of a crew run: one after the other, the last one again and again."""

    def __init__(self, *programs: str, enough: int = 0) -> None:
        """Once so many were begun, the crew is told to stop."""
        self.stop = threading.Event()
        self.begun: list[int] = []
        self._programs = programs
        self._enough = enough

    def words(self, number: int, lifeline: int) -> Sequence[str]:
        program = self._programs[min(len(self.begun), len(self._programs) - 1)]
        self.begun.append(number)
        if len(self.begun) == self._enough:
            self.stop.set()
        return [sys.executable, "-c", program, str(lifeline)]


class Heard(Notifier):
    """What systemd would have heard."""

    def __init__(self, react: Callable[[str], object]) -> None:
        super().__init__({})
        self.words: list[str] = []
        self._react = react

    def say(self, *words: str) -> None:
        self.words += words
        for word in words:
            self._react(word)


def served(
    programs: Programs,
    *,
    at: str = "",
    act: Callable[[Crew], object] = lambda _: None,
    silence: float = 60.0,
) -> tuple[int, list[str]]:
    """The exit code of a crew of two, and what it said. It acts `at` a word."""
    heard = Heard(lambda word: act(crew) if word == at and heard.words.count(at) == 1 else None)
    crew = Crew(programs.words, 2, heard, not_again=frozenset({78}), silence=silence)
    return crew.serve_until(programs.stop), heard.words


def test_crew_is_ready_once_all_are_and_ends_with_all() -> None:
    status = "STATUS=operations that run here: 6, in 2 processes"
    programs = Programs(_OBEDIENT)
    code, words = served(programs, at=status, act=lambda _: programs.stop.set())
    assert code == 0
    assert words[:3] == ["READY=1", status, "STOPPING=1"]


def test_what_no_restart_mends_ends_the_whole_crew() -> None:
    code, words = served(Programs(_OBEDIENT, "import sys; sys.exit(78)"))
    assert code == 78
    assert "STOPPING=1" in words


def test_crew_that_cannot_begin_ends_as_its_process_did() -> None:
    programs = Programs(_OBEDIENT, "import sys; sys.exit(7)")
    assert served(programs)[0] == 7
    assert programs.begun == [1, 2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["failed", "killed"])
def test_whoever_ends_is_followed_by_another_one(number: signal.Signals) -> None:
    programs = Programs(_OBEDIENT, enough=3)

    def end_the_second(crew: Crew) -> None:
        who = crew._places[1].who
        assert who is not None
        os.kill(who.process.pid, number)

    assert served(programs, at="READY=1", act=end_the_second)[0] == 0
    assert programs.begun == [1, 2, 2]


def test_whoever_has_hung_is_cut_off_and_followed_by_another_one() -> None:
    """Although it had said that it was ready."""
    programs = Programs(_SILENT, _SILENT, _OBEDIENT, enough=4)
    assert served(programs, silence=0.5)[0] == 0
    assert sorted(programs.begun[2:]) == [1, 2]


def test_cut_off_crew_leaves_nobody() -> None:
    programs = Programs(_SILENT)

    def cut_off(crew: Crew) -> None:
        programs.stop.set()
        crew.cut_off()

    assert served(programs, at="READY=1", act=cut_off)[0] == 128 + signal.SIGKILL


def test_those_that_end_soon_are_waited_for_longer_each_time() -> None:
    place, pauses = _Place(1), []
    for _ in range(8):
        place.wait_before_the_next(now=place.begun + 1.0)
        pauses.append(place.due - place.begun - 1.0)
    assert pauses == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    place.wait_before_the_next(now=place.begun + 61.0)
    assert place.due == place.begun + 61.0
