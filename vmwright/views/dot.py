"""A graph in the language of Graphviz."""

import textwrap
from collections.abc import Iterable

from vmwright.states import NodeState
from vmwright.terminal.words import clipped, duration_words, printable
from vmwright.views.elements import Edge, Node, edges_of, emphasised, nodes_of, scopes_of
from vmwright.views.graph import Graph
from vmwright.views.palette import LIGHT, LIGHT_TONES
from vmwright.views.wording import (
    debts,
    error_words,
    heading,
    hint_words,
    particulars,
    progress_words,
    status_words,
    value_words,
)

_BOX, _HEADING = 36, 72
"""Characters in a line of a box, and in one of the heading."""
_MOST_OF_ERROR = 200
"""Characters of an error that a box shows; the tooltip has them all."""


_GRAPH = {"labelloc": "t", "fontname": "Helvetica", "fontsize": "12"}


def render(graph: Graph) -> str:
    """A digraph: solid arrows say what comes next, dashed ones hand a value on."""
    title = [heading(graph), *particulars(graph), *debts(graph)]
    scoped = scopes_of(nodes_of(graph))
    lines = [
        "digraph flow {",
        f"  graph [{_attributes(label=_lines(title, _HEADING), **_GRAPH)}];",
        '  node [shape="box", style="rounded,filled", fontname="Helvetica", fontsize="11"];',
        f'  edge [fontname="Helvetica", fontsize="9", arrowsize="0.7", color="{LIGHT.edge}"];',
    ]
    for index, (scope, members) in enumerate(scoped.items()):
        lines += [f"  subgraph cluster_{index} {{", f"    {_scope_attributes(scope)};"]
        lines += [f"    {_node(graph, node)}" for node in members]
        lines.append("  }")
    lines += [f"  {_node(graph, node)}" for node in nodes_of(graph) if not node.scope]
    lines += [f"  {_edge(graph, edge)}" for edge in edges_of(graph)]
    return "\n".join([*lines, "}"]) + "\n"


def _scope_attributes(scope: str) -> str:
    label = _quoted(_escaped(printable(scope)))
    return f'label={label}; style="rounded,dashed"; color="{LIGHT.edge}"'


def _node(graph: Graph, node: Node) -> str:
    tone = LIGHT_TONES[node.state]
    attributes = _attributes(
        label=_lines(_label(node)),
        tooltip=_lines([error_words(node) or node.doc or node.name, hint_words(node)]),
        **{"class": f"task {node.state.lower()}" if node.state else "task"},
        fillcolor=tone.fill,
        color=tone.line,
        fontcolor=tone.text,
        style="rounded,filled,dashed" if node.state is NodeState.IGNORE else "rounded,filled",
        penwidth="3" if emphasised(graph, node) else "1",
    )
    return f"{_id(node.name)} [{attributes}];"


def _label(node: Node) -> list[str]:
    undo = "↶ " if node.taken_back else ""
    error = clipped(error_words(node), _MOST_OF_ERROR)
    details = [f"{undo}{' · '.join(status_words(node))}", progress_words(node), error]
    if node.taken_back and node.duration is not None:
        details[0] += f" (ran {duration_words(node.duration)})"
    return [node.title or node.name, *(line for line in details if line)]


def _edge(graph: Graph, edge: Edge) -> str:
    attributes = _attributes(
        label=_lines([value_words(edge)]),
        style="solid" if edge.order else "dashed",
        # Ranks come from the order of tasks alone.
        constraint="true" if edge.order else "false",
        penwidth="3" if emphasised(graph, edge) else "1",
    )
    return f"{_id(edge.source)} -> {_id(edge.target)} [{attributes}];"


def _id(name: str) -> str:
    """A node's id. A backslash that stood before the closing quote would swallow it."""
    return _quoted(name.replace("\\", "\\\\"))


def _attributes(**attributes: str) -> str:
    return ", ".join(f"{name}={_quoted(value)}" for name, value in attributes.items())


def _lines(texts: Iterable[str], width: int = _BOX) -> str:
    """Escaped label text, in lines of at most `width` characters."""
    broken = (line for text in texts for line in textwrap.wrap(printable(text), width))
    return r"\n".join(map(_escaped, broken))


def _escaped(text: str) -> str:
    r"""Label text: Graphviz knows ``\N`` and the like, and entities of HTML, inside labels."""
    return text.replace("\\", "\\\\").replace("&", "&amp;")


def _quoted(text: str) -> str:
    """A quoted id. Only the quote is escaped in one."""
    return '"' + text.replace('"', r"\"") + '"'
