"""An operation as it goes on, for live display in a terminal."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import (
    Console,
    ConsoleOptions,
    Group,
    OverflowMethod,
    RenderableType,
    RenderResult,
)
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from vmwright.states import OperationState
from vmwright.views.elements import Node, layers_of, operation_of
from vmwright.views.graph import Graph, NodeState
from vmwright.views.wording import (
    Glyphs,
    attempt_words,
    clipped,
    debts,
    duration_words,
    error_words,
    heading,
    hint_words,
    particulars,
    printable,
    time_words,
)

_MOST_COLUMNS = 80
"""Wider lines would part a task from its time."""

_MOST_OF_TEXT = 400
"""Characters of an error or a hint: a live display must not be higher than the screen."""

_STYLES = {
    None: "",
    NodeState.PENDING: "bright_black",
    NodeState.RUNNING: "cyan",
    NodeState.SUCCESS: "green",
    NodeState.FAILURE: "red",
    NodeState.REVERTING: "yellow",
    NodeState.REVERTED: "magenta",
    NodeState.IGNORE: "bright_black",
}
_OPERATION_STYLES = {
    OperationState.QUEUED: "bright_black",
    OperationState.RUNNING: "cyan",
    OperationState.UNDOING: "yellow",
    OperationState.INTERRUPTED: "yellow",
    OperationState.DONE: "green",
    OperationState.UNDONE: "magenta",
    OperationState.CANCELLED: "magenta",
    OperationState.STUCK: "red",
    OperationState.PARKED: "red",
}


def tree(graph: Graph) -> RenderableType:
    """The tasks with mark or spinner, time, progress, errors and hints.

    Times are those of the graph: for a live display make the graph anew at each refresh.
    Spinners turn with the console's clock, so they do not jump when that happens.
    """
    return _Tree(graph)


@dataclass(frozen=True)
class _Tree:
    graph: Graph

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        glyphs = Glyphs.for_encoding(options.encoding)
        width = min(options.max_width, _MOST_COLUMNS)
        yield from _head(self.graph, glyphs)
        for siblings in layers_of(self.graph):
            for place, node in enumerate(siblings):
                rails = (
                    glyphs.sibling(place, len(siblings)),
                    glyphs.continuation(place, len(siblings)),
                )
                body = options.update_width(max(1, width - 1))
                lines = console.render_lines(_task(node, glyphs), body)
                for index, line in enumerate(lines):
                    yield Segment(rails[min(index, 1)])
                    yield from line
                    yield Segment.line()


def _head(graph: Graph, glyphs: Glyphs) -> Iterator[Text]:
    facts = operation_of(graph)
    title = heading(graph) if facts is None else printable(facts.kind)
    head = Text(glyphs.fitted(title), style="bold")
    if facts is not None:
        elapsed = duration_words(graph.graph.get("elapsed"))
        head.append(f" {facts.state.value}", style=_OPERATION_STYLES[facts.state])
        head.append(f" {elapsed}".rstrip(), style="not bold dim")
    yield head
    yield from (Text(glyphs.fitted(line), style="dim") for line in particulars(graph))
    yield from (Text(glyphs.fitted(line), style="red") for line in debts(graph))


def _task(node: Node, glyphs: Glyphs) -> Table:
    """The lines of one task: mark and name to the left, time to the right."""
    row = Table.grid(padding=(0, 1, 0, 0), expand=True)
    row.add_column(width=1, no_wrap=True)
    row.add_column(ratio=1)
    row.add_column(justify="right", no_wrap=True)
    time = Text(time_words(node), style=_STYLES[node.state])
    row.add_row(_mark(node, glyphs), Group(_name(node, glyphs), *_details(node, glyphs)), time)
    return row


def _mark(node: Node, glyphs: Glyphs) -> RenderableType:
    style = _STYLES[node.state]
    if node.state not in {NodeState.RUNNING, NodeState.REVERTING}:
        return Text(glyphs.mark(node.state), style=style)
    spinner = Spinner({Glyphs.UNICODE: "dots", Glyphs.ASCII: "line"}[glyphs], style=style)
    spinner.start_time = 0.0
    return spinner


def _name(node: Node, glyphs: Glyphs) -> Text:
    name = _one_line("", _STYLES[node.state], glyphs)
    if node.state is NodeState.REVERTING:
        name.append(f"{glyphs.mark(node.state)} ")
    name.append(glyphs.fitted(printable(node.title or node.name)))
    name.append(f" {attempt_words(node)}".rstrip(), style="dim")
    return name


def _details(node: Node, glyphs: Glyphs) -> Iterator[RenderableType]:
    if node.progress is not None:
        yield _bar(float(node.progress["fraction"]))
        note = glyphs.fitted(printable(node.progress["note"]))
        yield from [_one_line(note, "dim", glyphs)] if note else []
    for text, style in ((error_words(node), "red"), (_hint(node), "yellow")):
        if text:
            yield Text(glyphs.fitted(clipped(text, _MOST_OF_TEXT)), style=style, overflow="fold")


def _one_line(text: str, style: str, glyphs: Glyphs) -> Text:
    """Text that is cut where the line ends."""
    cut: OverflowMethod = "ellipsis" if glyphs is Glyphs.UNICODE else "crop"
    return Text(text, style=style, no_wrap=True, overflow=cut)


def _hint(node: Node) -> str:
    return f"hint: {hint_words(node)}" if hint_words(node) else ""


def _bar(fraction: float) -> Table:
    row = Table.grid(padding=(0, 1, 0, 0), expand=True)
    row.add_column(ratio=1)
    row.add_column(width=4, justify="right")
    row.add_row(ProgressBar(total=1.0, completed=fraction), Text(f"{fraction:.0%}", style="dim"))
    return row
