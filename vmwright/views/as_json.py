"""A graph as JSON, for programs."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from vmwright.views.elements import Edge, Node, edges_of, nodes_of, operation_of
from vmwright.views.graph import Graph, OperationFacts


def render(graph: Graph) -> str:
    """Node-link data with a fixed order of keys; times in ISO 8601, durations in seconds."""
    return json.dumps(document(graph), indent=2) + "\n"


def document(graph: Graph) -> dict[str, Any]:
    """What `render` writes, before it is text."""
    facts = operation_of(graph)
    return {
        "flow": graph.graph.get("name") or None,
        "inputs": list(graph.graph.get("inputs", ())),
        "operation": None if facts is None else _facts(facts),
        "elapsed": graph.graph.get("elapsed"),
        "nodes": [_node(node) for node in nodes_of(graph)],
        "edges": [_edge(edge) for edge in edges_of(graph)],
        "critical_path": list(graph.graph.get("critical_path", ())),
    }


def _facts(facts: OperationFacts) -> dict[str, Any]:
    return asdict(facts) | {"owes": list(facts.owes), "attempts": list(facts.attempts)}


def _node(node: Node) -> dict[str, Any]:
    facts = {name: _plain(value) for name, value in vars(node).items() if name != "name"}
    return {"id": node.name} | facts


def _edge(edge: Edge) -> dict[str, Any]:
    return {name: _plain(value) for name, value in vars(edge).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
