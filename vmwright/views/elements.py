"""The nodes and edges of a graph as typed values: all that a renderer reads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from vmwright.states import Direction, NodeState
from vmwright.views.graph import Graph, OperationFacts


@dataclass(frozen=True, kw_only=True)
class Node:
    """A task. `state` is None where the graph is of a flow that nobody runs."""

    name: str
    title: str = ""
    doc: str = ""
    gives_back: str = ""
    layer: int = 0
    scope: str = ""
    retry: str = ""
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    critical: bool = False
    state: NodeState | None = None
    direction: Direction | None = None
    attempt: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    revert_started_at: datetime | None = None
    revert_finished_at: datetime | None = None
    duration: float | None = None
    undo_duration: float | None = None
    error: Mapping[str, Any] | None = None
    progress: Mapping[str, Any] | None = None

    @property
    def taken_back(self) -> bool:
        """Whether the task is, or is being, undone."""
        return self.state in {NodeState.REVERTING, NodeState.REVERTED}


@dataclass(frozen=True, kw_only=True)
class Edge:
    """An arrow. Without `order` it only hands values over the heads of tasks in between."""

    source: str
    target: str
    values: tuple[str, ...] = ()
    order: bool = True
    critical: bool = False


_NODE_FIELDS = frozenset(field.name for field in fields(Node)) - {"name"}
_EDGE_FIELDS = frozenset(field.name for field in fields(Edge)) - {"source", "target"}


def nodes_of(graph: Graph) -> list[Node]:
    """The tasks in the order of the flow."""
    return [
        Node(name=name, **{key: data[key] for key in _NODE_FIELDS & set(data)})
        for name, data in graph.nodes.data()
    ]


def edges_of(graph: Graph) -> list[Edge]:
    """The arrows, by their source's place in the flow and then by their target's."""
    place = {name: index for index, name in enumerate(graph)}
    edges = [
        Edge(source=one, target=other, **{key: data[key] for key in _EDGE_FIELDS & set(data)})
        for one, other, data in graph.edges.data()
    ]
    return sorted(edges, key=lambda edge: (place[edge.source], place[edge.target]))


def scopes_of(nodes: Iterable[Node]) -> dict[str, list[Node]]:
    """The tasks of each part of the flow that has a name."""
    scopes: dict[str, list[Node]] = {}
    for node in nodes:
        if node.scope:
            scopes.setdefault(node.scope, []).append(node)
    return scopes


def operation_of(graph: Graph) -> OperationFacts | None:
    """The operation that the graph shows, or None where it shows a flow."""
    facts: OperationFacts | None = graph.graph.get("operation")
    return facts


def emphasised(graph: Graph, element: Node | Edge) -> bool:
    """Whether to draw the element as critical: only where its duration was measured.

    The longest path by number of tasks is data, but to a reader it would look like a fact
    about time.
    """
    ends = [element.name] if isinstance(element, Node) else [element.source, element.target]
    measured = all(graph.nodes[name].get("duration") is not None for name in ends)
    return element.critical and measured


def layers_of(graph: Graph) -> list[list[Node]]:
    """Tasks that may run side by side, in the order in which they may run."""
    layers: dict[int, list[Node]] = {}
    for node in nodes_of(graph):
        layers.setdefault(node.layer, []).append(node)
    return [layers[layer] for layer in sorted(layers)]
