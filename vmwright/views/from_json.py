"""A graph from its JSON: what `as_json` makes, back again, for every other renderer."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

import networkx as nx

from vmwright.states import Direction, NodeState, OperationState
from vmwright.views.graph import Graph, OperationFacts

_TIMES = ("started_at", "finished_at", "revert_started_at", "revert_finished_at")
_STATES = {"state": NodeState, "direction": Direction}


def graph_of(document: Mapping[str, Any]) -> Graph:
    """The graph that this is a document of. What a newer vmwright says besides is left out of
    pictures."""
    graph: Graph = nx.DiGraph(
        name=document["flow"] or "",
        inputs=tuple(document["inputs"]),
        elapsed=document["elapsed"],
        critical_path=list(document["critical_path"]),
    )
    if document["operation"] is not None:
        graph.graph["operation"] = _facts(document["operation"])
    for node in document["nodes"]:
        graph.add_node(node["id"], **_node(node))
    for edge in document["edges"]:
        facts = {name: value for name, value in edge.items() if name not in ("source", "target")}
        graph.add_edge(edge["source"], edge["target"], **facts | {"values": tuple(edge["values"])})
    return graph


def _node(node: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: value for name, value in node.items() if name != "id"}
    for name in _TIMES:
        facts[name] = datetime.fromisoformat(facts[name]) if facts.get(name) else None
    for name, kind in _STATES.items():
        facts[name] = kind(facts[name]) if facts.get(name) else None
    for name in ("requires", "provides"):
        facts[name] = tuple(facts[name])
    return facts


def _facts(operation: Mapping[str, Any]) -> OperationFacts:
    known = {one.name: operation[one.name] for one in fields(OperationFacts)}
    return OperationFacts(**known | {"state": OperationState(operation["state"])})
