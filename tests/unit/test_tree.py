"""The live display fits any terminal."""

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.live import Live

from tests.support.sample_graphs import SAMPLES
from vmwright.views.tree import tree

each_sample = pytest.mark.parametrize("sample", SAMPLES)


def console(width: int = 80, encoding: str = "utf-8", **more: bool) -> Console:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    return Console(file=file, width=width, height=50, legacy_windows=False, **more)


def shown(sample: str, width: int = 80, encoding: str = "utf-8") -> str:
    paper = console(width, encoding)
    with paper.capture() as capture:
        paper.print(tree(SAMPLES[sample]()))
    return capture.get()


@each_sample
@pytest.mark.parametrize("width", [200, 80, 40, 20, 5])
def test_no_line_is_wider_than_the_terminal(sample: str, width: int):
    assert all(cell_len(line) <= width for line in shown(sample, width).splitlines())


@each_sample
def test_every_task_is_shown(sample: str):
    lines = shown(sample, 120).splitlines()
    for name in SAMPLES[sample]():
        assert any(name[:60] in line for line in lines)


def test_names_and_times_fit_forty_columns():
    lines = shown("running_create", 40).splitlines()
    assert any(
        line.startswith("┌✓ plug_network") and line.rstrip().endswith("2.9 s") for line in lines
    )
    assert any("map_block_devices" in line and "18.5 s" in line for line in lines)


def test_progress_has_a_bar_a_percentage_and_a_note():
    lines = shown("running_create", 60).splitlines()
    assert any("━" in line and line.rstrip().endswith("62%") for line in lines)
    assert any("copying volume 2 of 3" in line for line in lines)


def test_error_and_hint_are_shown_whole():
    text = " ".join(shown("failing_create", 40).split())
    assert "pool vmwright has 2 GiB left, the root disk needs 20 GiB" in text
    assert "hint: add space to the pool" in text
    assert "owes volume" in text


def test_what_is_undone_turns_back():
    text = shown("failing_create")
    assert "↶ plug_network" in text
    assert "↺ map_block_devices" in text


def test_terminal_without_unicode_gets_ascii():
    assert shown("hostile", encoding="ascii").isascii()
    assert "+ plug_network" in shown("running_create", encoding="ascii")


def test_no_color_has_no_colour(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    paper = console(force_terminal=True)
    with paper.capture() as capture:
        paper.print(tree(SAMPLES["failing_create"]()))
    assert "\x1b[3" not in capture.get()


def test_live_display_takes_a_new_graph_at_each_refresh():
    paper = console(force_terminal=True)
    with Live(console=paper, auto_refresh=False) as live:
        for sample in ("running_create", "done_create"):
            live.update(tree(SAMPLES[sample]()), refresh=True)


def test_a_tree_names_the_host_and_those_that_failed():
    fault = {"task": "spawn", "message": "no room"}
    tries = [
        {"number": 1, "host": "host1", "outcome": "failed", "fault": fault},
        {"number": 2, "host": "host2", "outcome": "failed", "fault": fault},
    ]
    graph = SAMPLES["failing_create"]()
    graph.graph["operation"] = replace(graph.graph["operation"], attempts=tries)
    paper = console()
    with paper.capture() as capture:
        paper.print(tree(graph))
    lines = [line.rstrip() for line in capture.get().splitlines()]
    assert "✗ attempt 1 on host1 failed: spawn: no room" in lines
    assert "attempt 2 on host2" in lines, "why is told where it failed"
