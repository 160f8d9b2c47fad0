"""An operation as it goes on, for live display in a terminal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby
from typing import Any

from rich.console import (
    Console,
    ConsoleOptions,
    Group,
    RenderableType,
    RenderResult,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from vmwright.states import NodeState
from vmwright.terminal.bars import Bar, one_line
from vmwright.terminal.styles import OPERATION_STYLES, STYLES, spinner
from vmwright.terminal.words import (
    WORDS,
    Glyphs,
    clipped,
    duration_words,
    operation_mark,
    printable,
)
from vmwright.views.elements import Node, layers_of, nodes_of, operation_of
from vmwright.views.graph import Graph
from vmwright.views.wording import (
    attempt_words,
    debts,
    error_words,
    heading,
    hint_words,
    particulars,
    time_words,
)

_MOST_COLUMNS = 100
"""Wider lines would part a task from its time."""

_MOST_OF_TEXT = 400
"""Characters of an error or a hint: a live display must not be higher than the screen."""

_Line = Sequence[Segment]


class _Detail(IntEnum):
    """How much is told of what is at rest: the more, the more room it takes."""

    ALL = 0
    FOLDED = 1
    """Neighbours that are all done, all to come or all undone are one line."""
    TERSE = 2
    """And only the first line of the head."""
    BARE = 3
    """And of each task."""


def tree(graph: Graph, height: int | None = None) -> RenderableType:
    """The tasks with mark or spinner, time, progress, errors and hints.

    In `height` lines at most, if it is given: what is at rest is folded first. Times are those of
    the graph: for a live display make the graph anew at each refresh. Spinners turn with the
    console's clock, so they do not jump when that happens.
    """
    return _Tree(graph, height)


@dataclass(frozen=True)
class _Tree:
    graph: Graph
    height: int | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        narrow = options.update(
            width=min(options.max_width, _MOST_COLUMNS), height=None, no_wrap=None
        )
        lines: Sequence[_Line] = ()
        for detail in _Detail:
            lines = [*self._lines(console, narrow, detail)]
            if self.height is None or len(lines) <= self.height:
                break
        for line in lines[: self.height]:
            yield from line
            yield Segment.line()

    def _lines(self, console: Console, options: ConsoleOptions, detail: _Detail) -> Iterator[_Line]:
        glyphs = Glyphs.for_encoding(options.encoding)
        head = [*_head(self.graph, glyphs)]
        for text in head[:1] if detail >= _Detail.TERSE else head:
            yield from console.render_lines(text, options, pad=False)
        body = options.update_width(max(1, options.max_width - 1))
        for shown in _shown(self.graph, detail):
            if len(shown) > 1:
                line = console.render_lines(_folded([node for node, _ in shown], glyphs), body)[0]
                yield [Segment(" "), *line]
                continue
            ((node, place),) = shown
            rails = (glyphs.sibling(*place), glyphs.continuation(*place))
            lines = console.render_lines(_task(node, glyphs, detail), body)
            for index, line in enumerate(lines):
                yield [Segment(rails[min(index, 1)]), *line]


_Placed = tuple[Node, tuple[int, int]]
"""A task, its place among those beside it, and how many they are."""


def _shown(graph: Graph, detail: _Detail) -> Iterator[Sequence[_Placed]]:
    """What becomes of the tasks' lines: one for each, or one for several at rest."""
    placed = [
        (node, (place, len(siblings)))
        for siblings in layers_of(graph)
        for place, node in enumerate(siblings)
    ]
    if detail is _Detail.ALL:
        yield from ([one] for one in placed)
        return
    for at_rest, group in groupby(placed, key=lambda one: _rest(one[0])):
        if at_rest is None:
            yield from ([one] for one in group)
        else:
            yield [*group]


def _rest(node: Node) -> NodeState | None:
    """The state of a task that nothing is to be told of; None if there is."""
    is_calm = node.state in {NodeState.SUCCESS, NodeState.PENDING, NodeState.REVERTED}
    return node.state if is_calm and node.error is None else None


def _folded(nodes: Sequence[Node], glyphs: Glyphs) -> Table:
    state = nodes[0].state
    word = "to come" if state is NodeState.PENDING else WORDS[state]
    row = _row()
    row.add_row(
        Text(glyphs.mark(state), style=STYLES[state]),
        one_line(f"{len(nodes)} tasks {word}", STYLES[state], glyphs),
        "",
    )
    return row


def _head(graph: Graph, glyphs: Glyphs) -> Iterator[RenderableType]:
    facts = operation_of(graph)
    if facts is None:
        yield Text(glyphs.fitted(heading(graph)), style="bold")
        yield from (Text(glyphs.fitted(line), style="dim") for line in particulars(graph))
        return
    style = OPERATION_STYLES[facts.state]
    head = Text(f"{operation_mark(facts.state, glyphs)} ", style=style)
    title = printable(f"{facts.kind} {facts.instance_name}")
    head.append(glyphs.fitted(title), style="bold default")
    head.append(f" {facts.state.value}")
    elapsed = duration_words(graph.graph.get("elapsed"))
    head.append(f" {elapsed}".rstrip(), style="not bold dim default")
    yield head
    yield Text(glyphs.fitted(f"operation {printable(facts.id)}"), style="dim", overflow="fold")
    yield from _attempts(graph, glyphs)
    yield from _given_back(graph, glyphs)
    yield from (Text(glyphs.fitted(line), style="red") for line in debts(graph))


def _attempts(graph: Graph, glyphs: Glyphs) -> Iterator[RenderableType]:
    """Where it is, and why it is not where it was before."""
    facts = operation_of(graph)
    assert facts is not None, "a flow has no attempts"
    is_told_below = any(node.error for node in nodes_of(graph))
    several = len(facts.attempts) > 1
    for one in facts.attempts:
        host = f" on {printable(one['host'])}" if one.get("host") else ""
        is_told = is_told_below and one is facts.attempts[-1]
        if one.get("outcome") not in (None, "done") and not is_told:
            yield _failed_attempt(one, f"attempt {one['number']}{host}", glyphs)
        elif where := f"attempt {one['number']}{host}" if several else host.strip():
            yield Text(glyphs.fitted(where), style="dim")


def _failed_attempt(one: Mapping[str, Any], which: str, glyphs: Glyphs) -> RenderableType:
    fault = one.get("fault") or {}
    why = ": ".join(printable(fault[part]) for part in ("task", "message") if fault.get(part))
    line = clipped(f"{which} {printable(one['outcome'])}: {why}", _MOST_OF_TEXT)
    return _marked(glyphs.mark(NodeState.FAILURE), glyphs.fitted(line), "red")


def _marked(mark: str, text: str, style: str) -> Table:
    """Text whose further lines stand below its first word, not below its mark."""
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(width=1, no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row(Text(mark, style=style), Text(text, style=style))
    return row


def _given_back(graph: Graph, glyphs: Glyphs) -> Iterator[RenderableType]:
    """What was taken back so far, and is there no more."""
    given = [
        printable(node.gives_back)
        for node in nodes_of(graph)
        if node.state is NodeState.REVERTED and node.gives_back
    ]
    if given:
        mark = glyphs.mark(NodeState.REVERTED)
        text = glyphs.fitted(f"given back: {', '.join(dict.fromkeys(given))}")
        yield _marked(mark, text, STYLES[NodeState.REVERTED])


def _row() -> Table:
    """Mark and name to the left, time to the right."""
    row = Table.grid(padding=(0, 1, 0, 0), expand=True)
    row.add_column(width=1, no_wrap=True)
    row.add_column(ratio=1)
    row.add_column(justify="right", no_wrap=True)
    return row


def _task(node: Node, glyphs: Glyphs, detail: _Detail) -> Table:
    """The lines of one task."""
    row = _row()
    time = Text(time_words(node), style=STYLES[node.state])
    details = _details(node, glyphs) if detail is not _Detail.BARE else ()
    row.add_row(_mark(node, glyphs), Group(_name(node, glyphs), *details), time)
    return row


def _mark(node: Node, glyphs: Glyphs) -> RenderableType:
    style = STYLES[node.state]
    if node.state not in {NodeState.RUNNING, NodeState.REVERTING}:
        return Text(glyphs.mark(node.state), style=style)
    return spinner(style, glyphs)


def _name(node: Node, glyphs: Glyphs) -> Text:
    name = one_line("", STYLES[node.state], glyphs)
    if node.state is NodeState.REVERTING:
        name.append(f"{glyphs.mark(node.state)} ")
    name.append(glyphs.fitted(printable(node.title or node.name)))
    name.append(f" {attempt_words(node)}".rstrip(), style="dim")
    return name


def _details(node: Node, glyphs: Glyphs) -> Iterable[RenderableType]:
    if node.progress is not None:
        yield Bar(node.progress)
    for text, style in ((error_words(node), "red"), (_hint(node), "yellow")):
        if text:
            yield Text(glyphs.fitted(clipped(text, _MOST_OF_TEXT)), style=style, overflow="fold")


def _hint(node: Node) -> str:
    return f"hint: {hint_words(node)}" if hint_words(node) else ""
