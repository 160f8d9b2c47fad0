"""What is written in the box of a task, line by line, and how large the box must be."""

from collections.abc import Iterable
from dataclasses import dataclass

from vmwright.states import NodeState
from vmwright.terminal.words import duration_words, printable
from vmwright.views.elements import Node
from vmwright.views.layout.measure import shortened, shortened_bold, wrapped
from vmwright.views.wording import error_words, hint_words, progress_words, status_words

CARD_WIDTH = 248.0
EDGE = 16.0
"""From a border of the card to what is in it."""
ICON = 24.0
"""What the mark of a state takes of the first line."""

_NAME_SIZE, _TEXT_SIZE = 14.0, 12.0
_LINE = 17.0
_GROUP = 4.0
"""Over each paragraph below the status."""
_ROOM = CARD_WIDTH - 2 * EDGE


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of text; `style` is its CSS class, (x, y) where its base line begins."""

    style: str
    text: str
    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class Card:
    """The inside of a box, relative to its upper left corner."""

    lines: tuple[Line, ...]
    bar: tuple[float, float] | None
    """y and fraction of the bar that shows progress."""
    height: float


def card_of(node: Node) -> Card:
    """Name, status, progress, error and hint; for a flow that nobody runs, what the task does."""
    indent = ICON if node.state else 0.0
    name = shortened_bold(printable(node.title or node.name), _NAME_SIZE, _ROOM - indent)
    lines = [Line(style="name", text=name, x=EDGE + indent, y=EDGE + 11)]
    y = EDGE + 11 + _LINE + 2
    for style, text in _first_lines(node):
        lines.append(Line(style=style, text=text, x=EDGE + indent, y=y))
        y += _LINE
    bar = None
    if node.progress is not None:
        bar = (y - 6, float(node.progress["fraction"]))
        y += 10
    for group in _last_lines(node):
        y += _GROUP
        for style, text in group:
            lines.append(Line(style=style, text=text, x=EDGE, y=y))
            y += _LINE
    return Card(lines=tuple(lines), bar=bar, height=y - _LINE + EDGE - 2)


def story(node: Node) -> list[str]:
    """All that is known of a task, uncut, one fact each."""
    facts = [
        " · ".join([printable(node.name), *status_words(node)]),
        printable(node.doc),
        f"ran {duration_words(node.duration)}" if node.duration is not None else "",
        progress_words(node),
        error_words(node),
        hint_words(node),
        _list("requires", node.requires),
        _list("provides", node.provides),
    ]
    return [fact for fact in facts if fact]


def _first_lines(node: Node) -> Iterable[tuple[str, str]]:
    room = _ROOM - ICON
    if node.state is None:
        yield from (("note", line) for line in wrapped(printable(node.doc), _TEXT_SIZE, _ROOM, 3))
    else:
        yield "status", shortened(" · ".join(status_words(node)), _TEXT_SIZE, room)


def _last_lines(node: Node) -> Iterable[list[tuple[str, str]]]:
    texts = [("note", progress_words(node), 2), ("error", error_words(node), 3)]
    if node.state in {NodeState.FAILURE, NodeState.REVERTING, NodeState.REVERTED}:
        texts.append(("note", hint_words(node), 2))
    for style, text, most in texts:
        if text:
            yield [(style, line) for line in wrapped(text, _TEXT_SIZE, _ROOM, most)]


def _list(word: str, names: Iterable[str]) -> str:
    listed = ", ".join(map(printable, names))
    return f"{word} {listed}" if listed else ""
