"""What systemd is told: sd_notify(3) over real sockets."""

import os
import socket
from pathlib import Path

import pytest

from vmwright.cli.notify import Notifier


@pytest.fixture(params=["file", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A socket, and the name that systemd gives to it."""
    monkeypatch.chdir(tmp_path)  # addresses must be short
    name = "notify" if request.param == "file" else f"@vmwright-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(name.replace("@", "\0"))
        made.setblocking(False)
        yield made, name


def heard(made: socket.socket) -> list[str]:
    words = []
    while True:
        try:
            words.append(made.recv(4096).decode())
        except BlockingIOError:
            return words


def test_words_of_one_message_come_together(listener) -> None:
    made, name = listener
    Notifier({"NOTIFY_SOCKET": name}).say("READY=1", "STATUS=well")
    assert heard(made) == ["READY=1\nSTATUS=well"]


def test_watchdog_is_fed_only_by_what_lives(listener) -> None:
    made, name = listener
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2000000"})
    notifier.alive(1.9)
    notifier.alive(2.1)
    notifier.alive(float("inf"))
    assert heard(made) == ["WATCHDOG=1"]


def test_watchdog_of_another_process_is_left_alone(listener) -> None:
    made, name = listener
    asked = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2000000"}
    Notifier(asked | {"WATCHDOG_PID": str(os.getppid())}).alive(0.0)
    assert heard(made) == []
    Notifier(asked | {"WATCHDOG_PID": str(os.getpid())}).alive(0.0)
    assert heard(made) == ["WATCHDOG=1"]


def test_nobody_who_listens_is_no_reason_to_end(tmp_path: Path) -> None:
    Notifier({}).say("READY=1")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).say("READY=1")
