"""A graph as JSON for a page that draws it itself, and goes on with it as more is told."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from vmwright.views.elements import Edge, Node, edges_of, nodes_of
from vmwright.views.graph import Graph
from vmwright.views.layout.arrange import arrange
from vmwright.views.layout.shapes import Box, Layout, Route
from vmwright.views.svg_drawing import label_width
from vmwright.views.svg_marks import head, way

CARD = (224.0, 68.0)
"""Width and height of every box: where things lie depends on the flow only."""

_KINDS = frozenset({"attempt", "debt", "instance", "operation", "owner", "task"})


def render(graph: Graph) -> str:
    """The flow, where its parts lie, and what has happened so far; times in ISO 8601."""
    return json.dumps(document(graph), separators=(",", ":"))


def document(graph: Graph) -> dict[str, Any]:
    """What `render` writes, before it is text.

    States are left to the reader, who needs them from the events anyway: `position` is the number
    of the last one that is among them. Of progress only the latest of each task is there.
    """
    events = graph.graph.get("events", ())
    nodes = tuple(_bare(node) for node in nodes_of(graph))
    edges = tuple(
        Edge(source=edge.source, target=edge.target, values=edge.values, order=edge.order)
        for edge in edges_of(graph)
    )
    now = graph.graph.get("now") or datetime.now(UTC)
    return {
        "flow": graph.graph.get("name") or None,
        "now": now.isoformat(),
        "position": max((event.seq for event in events), default=0),
        "nodes": [_node(node) for node in nodes_of(graph)],
        "edges": [
            {"source": edge.source, "target": edge.target, "values": edge.values} for edge in edges
        ],
        "layout": _placed(nodes, edges),
        "events": [_event(event) for event in _told(events)],
    }


def _bare(node: Node) -> Node:
    """What of a task decides where it lies."""
    return Node(name=node.name, layer=node.layer, scope=node.scope)


def _node(node: Node) -> dict[str, Any]:
    return {
        "id": node.name,
        **{name: getattr(node, name) for name in ("title", "doc", "layer", "scope", "retry")},
        "requires": node.requires,
        "provides": node.provides,
    }


@lru_cache(maxsize=64)
def _placed(nodes: tuple[Node, ...], edges: tuple[Edge, ...]) -> dict[str, Any]:
    sizes = {node.name: CARD for node in nodes}
    widths = {edge: label_width(edge) for edge in edges if edge.values}
    return _layout(arrange(nodes, edges, sizes, widths))


def _layout(layout: Layout) -> dict[str, Any]:
    return {
        "width": round(layout.width, 1),
        "height": round(layout.height, 1),
        "boxes": {name: _box(box) for name, box in layout.boxes.items()},
        "routes": [_route(route) for route in layout.routes],
        "labels": [
            {"source": label.edge.source, "target": label.edge.target, **_box(label.box)}
            for label in layout.labels
        ],
        "frames": [{"scope": frame.scope, **_box(frame.box)} for frame in layout.frames],
    }


def _box(box: Box) -> dict[str, float]:
    return {side: round(getattr(box, side), 1) for side in ("left", "top", "width", "height")}


def _route(route: Route) -> dict[str, Any]:
    """Forwards, and backwards for what is taken back."""
    return {
        "source": route.edge.source,
        "target": route.edge.target,
        "order": route.edge.order,
        "forwards": _arrow(route.points, curved=route.curved),
        "backwards": _arrow(route.points[::-1], curved=route.curved),
    }


def _arrow(points: Sequence[tuple[float, float]], *, curved: bool) -> dict[str, str]:
    return {"way": way(points, curved=curved), "head": head(points, curved=curved)}


def _told(events: Iterable[Any]) -> list[Any]:
    """Those that matter, in order. A task that copies tells its progress a thousand times."""
    kept = {event.seq: event for event in events if event.kind in _KINDS}
    latest = {event.task: event for event in events if event.kind == "progress"}
    kept.update((event.seq, event) for event in latest.values())
    return [kept[number] for number in sorted(kept)]


def _event(event: Any) -> dict[str, Any]:
    at = datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds")
    names = ("kind", "task", "attempt", "direction", "state", "error", "detail")
    return {"seq": event.seq, "at": at, **{name: getattr(event, name) for name in names}}
