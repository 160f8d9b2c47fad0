"""A graph as plain text: one task a line, in the order of the flow, for terminals and pipes."""

from collections.abc import Iterator

from vmwright.terminal.words import WORDS, Glyphs, printable
from vmwright.views.elements import Node, edges_of, emphasised, layers_of, nodes_of
from vmwright.views.graph import Graph
from vmwright.views.wording import (
    attempt_words,
    debts,
    error_words,
    heading,
    hint_words,
    particulars,
    progress_words,
    time_words,
)


def render(graph: Graph, glyphs: Glyphs = Glyphs.UNICODE) -> str:
    """Aligned columns: mark, name, state, time, attempt, values taken and given.

    Tasks that may run side by side are tied together by a bracket; ``*`` marks the path that
    took longest.
    """
    lines = [heading(graph), *particulars(graph), *debts(graph), "", *_body(graph, glyphs)]
    return glyphs.fitted("\n".join(line.rstrip() for line in lines).rstrip()) + "\n"


def _body(graph: Graph, glyphs: Glyphs) -> Iterator[str]:
    rows = _aligned({node.name: _cells(graph, node, glyphs) for node in nodes_of(graph)})
    for siblings in layers_of(graph):
        for place, node in enumerate(siblings):
            tie = glyphs.sibling(place, len(siblings))
            yield f"{tie}{glyphs.mark(node.state)} {rows[node.name]}"
            below = glyphs.continuation(place, len(siblings))
            yield from (f"{below}    {line}" for line in _details(node))


def _cells(graph: Graph, node: Node, glyphs: Glyphs) -> list[str]:
    star = " *" if emphasised(graph, node) else ""
    return [
        printable(node.name) + star,
        WORDS[node.state],
        time_words(node),
        attempt_words(node),
        _values(graph, node, glyphs),
    ]


def _aligned(rows: dict[str, list[str]]) -> dict[str, str]:
    """Each row as one line; columns that are empty in all rows are left out."""
    widths = [max(map(len, column)) for column in zip(*rows.values(), strict=True)]
    return {
        name: "  ".join(
            cell.ljust(width) for cell, width in zip(cells, widths, strict=True) if width
        )
        for name, cells in rows.items()
    }


def _values(graph: Graph, node: Node, glyphs: Glyphs) -> str:
    """The values that other tasks give to the task, and those that it gives."""
    edges = (edge for edge in edges_of(graph) if edge.target == node.name)
    taken = sorted({value for edge in edges for value in edge.values})
    given = f"{glyphs.arrow} {', '.join(node.provides)}" if node.provides else ""
    return printable(f"{', '.join(taken)} {given}")


def _details(node: Node) -> list[str]:
    error, hint = error_words(node), hint_words(node)
    code = printable((node.error or {}).get("code") or "")
    lines = [progress_words(node), f"{code}: {error}" if code and code != error else error]
    return [line for line in [*lines, f"hint: {hint}" if hint else ""] if line]
