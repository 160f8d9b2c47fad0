"""The command as a process: signals, terminals and pipes that nobody reads."""

import os
import pty
import re
import signal
import subprocess

import pytest

from tests.support.command_line import BUILD, CommandLine
from tests.support.through_service import in_both_ways


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_interrupted_build_is_named_and_resumed(
    vmwright: CommandLine, number: signal.Signals
) -> None:
    vmwright.configure(latency="ensure_running:60")
    process = vmwright.start("create", "web", *BUILD, stderr=subprocess.PIPE)
    rest = _interrupted_at(process, " spawn running\n", number)
    assert process.wait() == 130, rest
    (operation,) = vmwright("operation", "list", "-f", "json").data
    assert operation["state"] == vmwright.left_as
    last = rest.splitlines()[-1]
    assert last.startswith(
        f"vmwright: interrupted: operation {operation['id']} {vmwright.what_is_left} "
    )
    assert vmwright.way_on(operation["id"]) in last
    assert f"{vmwright.command} operation cancel {operation['id']}" in last
    assert "Traceback" not in rest

    vmwright.configure()
    resumed = vmwright("resume", "-q", "-f", "json")
    assert resumed.code == 0
    assert [one["state"] for one in resumed.data] == ["done"]
    assert vmwright("show", "web", "-f", "json").data["vm_state"] == "active"


@in_both_ways
def test_interrupted_delete_is_only_gone_on_with(vmwright: CommandLine) -> None:
    vmwright("create", "web", *BUILD)
    vmwright.configure(latency="ensure_no_domain:60")
    process = vmwright.start("delete", "web", stderr=subprocess.PIPE)
    rest = _interrupted_at(process, " destroy_guest running\n", signal.SIGINT)
    assert process.wait() == 130, rest
    (operation,) = vmwright("operation", "list", "-f", "json").data
    assert rest.splitlines()[-1].endswith(f"({vmwright.way_on(operation['id'])})")
    vmwright.configure()
    assert vmwright("resume", "-q").code == 0
    assert vmwright("list", "-f", "json").data == []


@pytest.mark.parametrize("colour", [True, False])
def test_terminal_gets_a_live_picture(vmwright: CommandLine, colour: bool) -> None:
    ours, theirs = pty.openpty()
    environment = {"TERM": "xterm", **({} if colour else {"NO_COLOR": "1"})}
    process = vmwright.start(
        "create", "web", *BUILD, stdout=subprocess.PIPE, stderr=theirs, env=environment
    )
    os.close(theirs)
    drawn = _all_of(ours)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert "mark_active" in drawn
    assert "\x1b[?25l" in drawn
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]", drawn)) is colour
    assert "active" in out
    assert "\x1b" not in out


def _all_of(terminal: int) -> str:
    read = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # what a terminal says once its other end is closed
            break
        read += chunk
    os.close(terminal)
    return read.decode()


def test_data_that_nobody_reads_is_no_error(vmwright: CommandLine) -> None:
    read, write = os.pipe()
    os.close(read)
    process = vmwright.start("list", "-f", "json", stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    _, err = process.communicate()
    assert (process.returncode, err) == (0, "")


def test_build_goes_on_although_nobody_reads_its_progress(vmwright: CommandLine) -> None:
    read, write = os.pipe()
    os.close(read)
    process = vmwright.start(
        "create", "web", *BUILD, "-f", "json", stdout=subprocess.PIPE, stderr=write
    )
    os.close(write)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert '"vm_state": "active"' in out


def _interrupted_at(process: "subprocess.Popen[str]", moment: str, number: signal.Signals) -> str:
    """Send the signal once a line of progress ends so; what the process writes after it."""
    assert process.stderr is not None
    with process.stderr as progress:
        assert any(line.endswith(moment) for line in progress)
        process.send_signal(number)
        return progress.read()
