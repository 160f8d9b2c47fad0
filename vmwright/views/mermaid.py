"""A graph as a Mermaid flowchart, for Markdown pages."""

import json
import re

from vmwright.states import NodeState
from vmwright.terminal.words import clipped, printable
from vmwright.views.elements import Edge, Node, edges_of, emphasised, nodes_of, scopes_of
from vmwright.views.graph import Graph
from vmwright.views.palette import LIGHT, LIGHT_TONES
from vmwright.views.wording import (
    debts,
    error_words,
    heading,
    particulars,
    progress_words,
    status_words,
    value_words,
)

_SPECIAL = re.compile(r"[^\w ,.()/·…↶-]")
"""What must be written as a character code, for it means something to Mermaid or to HTML."""

_SHORT = 120
"""Characters of an error message or a note that a box shows."""

_SCOPE = f"  classDef scope fill:none,stroke:{LIGHT.edge},stroke-dasharray:4 4"


def render(graph: Graph) -> str:
    """A flowchart: solid arrows say what comes next, dotted ones hand a value on."""
    ids = {node.name: _id(index, node.name) for index, node in enumerate(nodes_of(graph))}
    notes = [*particulars(graph), *debts(graph)]
    lines = [
        "---",
        f"title: {json.dumps(clipped(heading(graph), _SHORT), ensure_ascii=False)}",
        "---",
    ]
    lines += [*(f"%% {_comment(note)}" for note in notes), "flowchart TD"]
    for index, (scope, members) in enumerate(scopes_of(nodes_of(graph)).items()):
        lines.append(f"  subgraph scope_{index} [{_quoted(printable(scope))}]")
        lines += [f"    {_node(node, ids)}" for node in members]
        lines += ["  end", f"  class scope_{index} scope"]
    lines += [f"  {_node(node, ids)}" for node in nodes_of(graph) if not node.scope]
    lines += [f"  {_edge(graph, edge, ids)}" for edge in edges_of(graph)]
    return "\n".join([*lines, *_classes(graph, ids), _SCOPE]) + "\n"


def _id(index: int, name: str) -> str:
    """An id that is no word of Mermaid's language, such as ``end``."""
    return f"task_{name}" if re.fullmatch(r"[a-z0-9_]+", name) else f"task{index}"


def _comment(text: str) -> str:
    """A comment line. Braces after the percent signs would make it a directive."""
    return text.replace("{", "(").replace("}", ")")


def _node(node: Node, ids: dict[str, str]) -> str:
    undo = "↶ " if node.taken_back else ""
    lines = [
        node.title or node.name,
        undo + " · ".join(status_words(node)),
        clipped(progress_words(node), _SHORT),
        clipped(error_words(node), _SHORT),
    ]
    label = "<br>".join(_escaped(printable(line)) for line in lines if line)
    return f'{ids[node.name]}["{label}"]'


def _edge(graph: Graph, edge: Edge, ids: dict[str, str]) -> str:
    arrow = "==>" if emphasised(graph, edge) else "-->" if edge.order else "-.->"
    values = value_words(edge)
    label = f"|{_quoted(values)}|" if values else ""
    return f"{ids[edge.source]} {arrow}{label} {ids[edge.target]}"


def _classes(graph: Graph, ids: dict[str, str]) -> list[str]:
    lines = []
    for state in (None, *NodeState):
        members = [ids[node.name] for node in nodes_of(graph) if node.state is state]
        if members:
            tone, name = LIGHT_TONES[state], state.lower() if state else "task"
            colours = f"fill:{tone.fill},stroke:{tone.line},color:{tone.text}"
            lines.append(f"  classDef {name} {colours}")
            lines.append(f"  class {','.join(members)} {name}")
    thick = [ids[node.name] for node in nodes_of(graph) if emphasised(graph, node)]
    if thick:
        lines += ["  classDef critical stroke-width:3px", f"  class {','.join(thick)} critical"]
    return lines


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda match: f"#{ord(match.group())};", text)
