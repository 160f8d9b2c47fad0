"""`vmwright watch` shows what happens: in lines, and live at a terminal."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console

from tests.support.command_line import BUILD, CommandLine, stocked
from tests.support.terminals import at_terminal
from vmwright.cli.overview import Board, Lines, Overview, Seldom
from vmwright.reader import Reader
from vmwright.settings import Settings
from vmwright.states import OperationState


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    return stocked(tmp_path)


def test_an_instance_that_is_built_is_told_event_by_event(command: CommandLine) -> None:
    assert command("create", "vm1", *BUILD).code == 0
    watched = command("watch", "vm1")
    assert (watched.code, watched.err) == (0, "")
    lines = watched.out.splitlines()
    assert any(line.endswith("spawn done") for line in lines)
    (operation,) = command("operation", "list", "--all", "-f", "json").data
    assert command("watch", operation["id"]).out.splitlines() == lines


def test_several_are_told_in_a_line_each_until_all_are_over(command: CommandLine) -> None:
    command.configure(faults="ensure_running:1:refuse")
    assert command("create", "vm", *BUILD, "--max", "2").code == 1
    watched = command("watch", "vm-1", "vm-2")
    assert watched.code == 0
    lines = [line.partition(" ")[2] for line in watched.out.splitlines()]
    assert sorted(line.split(":")[0] for line in lines) == ["create vm-1", "create vm-2"]
    assert sum("create done on host1" in line for line in lines) == 1
    assert sum("create failed: spawn: ensure_running" in line for line in lines) == 1


def test_what_is_not_there_cannot_be_watched(command: CommandLine) -> None:
    watched = command("watch", "nobody")
    assert watched.code == 4
    assert "no operation and no instance 'nobody'" in watched.err


def test_all_are_seen_while_they_run_and_for_a_while_after(command: CommandLine) -> None:
    assert command("create", "done", *BUILD).code == 0
    assert command("create", "waits", *BUILD, "--no-wait").code == 0
    with Reader(Settings.from_files(str(command.file))) as reader:
        overview = Overview(reader)
        rows = {row.name: row for row in overview.look()}
        assert rows["done"].state is OperationState.DONE
        assert rows["done"].host == "host1"
        assert rows["waits"].state is OperationState.QUEUED
        assert command("resume").code == 0
        rows = {row.name: row for row in overview.look()}
        assert rows["waits"].state is OperationState.DONE
        assert not overview.is_over
        lines = Lines()
        assert len([*lines.of([*rows.values()])]) == 2
        assert [*lines.of([*rows.values()])] == [], "nothing is new"


def test_what_runs_is_seen_with_its_tasks(command: CommandLine) -> None:
    command.configure("[operations]\npatience = 60", latency="ensure_base:30", faults="")
    operation = command("create", "vm1", *BUILD, "--no-wait", "-f", "json").data["id"]
    building = command.start("resume", stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        with Reader(Settings.from_files(str(command.file))) as reader:
            overview, bell = Overview(reader, [operation]), threading.Event()
            while True:
                (row,) = overview.look()
                if any(task["progress"] for task in row.tasks):
                    break
                bell.wait(0.05)
        (task,) = row.tasks
        assert (row.state, task["task"]) == (OperationState.RUNNING, "spawn")
        assert task["progress"]["total_bytes"] == 1 << 20
    finally:
        building.kill()
        building.wait()


def test_what_stays_on_the_screen_is_how_it_ended(command: CommandLine) -> None:
    operation = command("create", "vm1", *BUILD, "--no-wait", "-f", "json").data["id"]
    with Reader(Settings.from_files(str(command.file))) as reader:
        picture, paper = Board(Seldom(Overview(reader, [operation]).look)), Console(width=80)
        with paper.capture() as first:
            paper.print(picture.frame(10))
        assert command("resume").code == 0
        with paper.capture() as last:
            paper.print(picture.frame(None))
    assert "1 operation: 1 queued" in first.get()
    assert "1 operation: 1 done" in last.get()


def test_a_terminal_is_drawn_on_and_given_back(command: CommandLine) -> None:
    assert command("create", "vm1", *BUILD).code == 0
    program = "import sys; from vmwright.cli.main import main; sys.exit(main())"
    words = ["--config-file", str(command.file), "watch"]
    env = {"VMWRIGHT_CONFIG": str(command.file), "PATH": os.environ["PATH"]}
    with at_terminal([sys.executable, "-c", program, *words], env) as terminal:
        terminal.wait_for("1 operation: 1 done")
        assert command("create", "vm2", *BUILD).code == 0
        terminal.wait_for("2 operations: 2 done")
        terminal.resize(30, 8)
        terminal.press("\x03")
        assert terminal.ends() == 130
