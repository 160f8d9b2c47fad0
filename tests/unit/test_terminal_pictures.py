"""Trees and boards as terminals of any size show them."""

import io
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from tests.support.sample_graphs import NOW, SAMPLES
from vmwright.progress import Progress
from vmwright.states import OperationState
from vmwright.terminal.bars import Bar
from vmwright.terminal.board import Row, board
from vmwright.terminal.words import rough_words, size_words
from vmwright.views.tree import tree

GOLDEN = Path(__file__).with_name("golden")
MIB = 1 << 20
_UPLOAD = Progress(
    fraction=0.62, note="upload", done_bytes=322 * MIB, total_bytes=519 * MIB, rate=48.0 * MIB
).to_users()
_FULL = "spawn: pool vmwright has 2 GiB left, the root disk needs 20 GiB"


def row(name: str, state: OperationState, **more: object) -> Row:
    facts = {
        "id": name,
        "kind": "create",
        "name": name,
        "began": NOW - timedelta(seconds=8),
        "ended": None,
        "host": "host1",
    }
    return Row(**{**facts, "state": state, **more})  # type: ignore[arg-type]


def rows() -> Iterator[Row]:
    """One of each state, not in the order in which they are shown."""
    spawn = {"task": "spawn", "direction": "execute", "since": None, "progress": _UPLOAD}
    undo = {"task": "plug_network", "direction": "revert", "since": None, "progress": None}
    yield row("waits", OperationState.QUEUED, began=None, host="")
    yield row("first", OperationState.DONE, ended=NOW - timedelta(seconds=5))
    yield row("later", OperationState.DONE, ended=NOW, kind="delete")
    yield row("full", OperationState.UNDONE, ended=NOW, why=_FULL)
    yield row("lost", OperationState.STUCK, why="unplug: the host does not answer", owes=2)
    yield row("cut", OperationState.INTERRUPTED)
    yield row("builds", OperationState.RUNNING, tasks=[spawn], attempt=2)
    yield row("returns", OperationState.UNDOING, tasks=[undo])


PICTURES: dict[str, RenderableType] = {
    "tree-running": tree(SAMPLES["running_create"]()),
    "tree-undoing": tree(SAMPLES["failing_create"]()),
    "board": board([*rows()], now=NOW),
}


def shown(picture: RenderableType, width: int, *, colour: bool = False) -> str:
    paper = Console(
        file=io.StringIO(),
        width=width,
        height=50,
        force_terminal=colour,
        color_system="truecolor" if colour else None,
        get_time=lambda: 0.0,
        _environ={},
    )
    with paper.capture() as capture:
        paper.print(picture)
    return capture.get()


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("name", sorted(PICTURES))
def test_picture_is_as_it_was_approved(name: str, width: int) -> None:
    """Set VMWRIGHT_UPDATE_GOLDEN=1 to approve what is drawn now."""
    picture, file = shown(PICTURES[name], width), GOLDEN / f"{name}-{width}.txt"
    lines = [line.rstrip() for line in picture.splitlines()]
    if os.getenv("VMWRIGHT_UPDATE_GOLDEN") == "1":
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert lines == file.read_text(encoding="utf-8").splitlines()
    assert all(cell_len(line) <= width for line in lines)


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_colours_say_nothing_that_the_text_does_not(name: str) -> None:
    coloured = shown(PICTURES[name], 80, colour=True)
    assert "\x1b[" in coloured
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    unfinished = str.maketrans("╺╸", "━━")
    # A bar draws what is to come only where a colour tells it from what has come.
    assert plain.translate(unfinished).replace("━", "").split() == (
        shown(PICTURES[name], 80).translate(unfinished).replace("━", "").split()
    )


@pytest.mark.parametrize("height", [1, 3, 5, 8])
@pytest.mark.parametrize("sample", ["running_create", "failing_create", "wide"])
def test_a_tree_is_no_higher_than_its_screen(sample: str, height: int) -> None:
    assert len(shown(tree(SAMPLES[sample](), height), 60).splitlines()) <= height


def test_a_low_screen_folds_what_is_at_rest_and_shows_what_moves() -> None:
    text = shown(tree(SAMPLES["running_create"](), 9), 60)
    assert "✓ 5 tasks done" in text
    assert "map_block_devices" in text
    assert "62%" in text
    assert "2 tasks to come" in text


def test_a_low_screen_counts_what_a_board_cannot_show() -> None:
    lines = shown(board([*rows()], now=NOW, height=5), 100).splitlines()
    assert len(lines) == 5
    assert [line.split()[1] for line in lines[1:4]] == ["returns", "builds", "cut"]
    assert lines[4].startswith("… 5 more: 1 stuck · 1 failed · 2 done · 1 queued")


def test_what_ended_last_comes_first_and_what_is_hidden_is_counted() -> None:
    names = [line.split()[1] for line in shown(board([*rows()], now=NOW), 100).splitlines()[1:]]
    assert names.index("later") < names.index("first")
    hidden = shown(board([*rows()], now=NOW, hidden={OperationState.DONE}), 100)
    assert "2 done" in hidden
    assert "first" not in hidden


def test_an_empty_board_says_so() -> None:
    assert shown(board([], now=NOW), 80).startswith("nothing runs")


def test_a_terminal_without_unicode_gets_ascii() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    paper = Console(file=file, width=60)
    for picture in PICTURES.values():
        paper.print(picture)
    file.flush()
    assert file.buffer.getvalue().isascii()  # type: ignore[attr-defined]


def test_hostile_words_do_not_steer_the_terminal() -> None:
    evil = row("a\x1b[2Jb\nc", OperationState.UNDONE, why="\x1b]0;t\x07\u202e", host="\x9b31m")
    text = shown(board([evil], now=NOW), 80)
    assert "\x1b" not in text
    assert len(text.splitlines()) == 2


def test_a_bar_that_is_through_makes_room() -> None:
    through = Progress.of_bytes(MIB, MIB, "upload").to_users()
    assert shown(Bar(through), 60).strip() == "100% 1.0 MiB upload"


def test_sizes_and_times_are_words() -> None:
    sizes = (0, 1023, 1024, 1536 * 1024, 300 * MIB, 5 << 30)
    words = ["0 bytes", "1023 bytes", "1 KiB", "1.5 MiB", "300 MiB", "5.0 GiB"]
    assert [size_words(one) for one in sizes] == words
    assert [rough_words(one) for one in (0.4, 3.4, 75)] == ["0 s", "3 s", "1 min 15 s"]
