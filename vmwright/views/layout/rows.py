"""Which boxes lie side by side, and in which order, so that few arrows cross."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from vmwright.views.elements import Edge, Node

_SWEEPS = 8


@dataclass(frozen=True)
class Bend:
    """The place that a long arrow keeps free for itself in a row that it passes."""

    source: str
    target: str
    layer: int


Slot = str | Bend
Rows = list[list[Slot]]


@dataclass(frozen=True)
class Segment:
    """The part of an arrow between two neighbouring rows."""

    edge: Edge
    layer: int
    """Of the upper end."""
    upper: Slot
    lower: Slot


def rows_of(nodes: Sequence[Node], edges: Iterable[Edge]) -> tuple[Rows, list[Segment]]:
    """The rows from first to last task, and the arrows of order cut at each row."""
    layers = {node.name: node.layer for node in nodes}
    segments = [part for edge in edges if edge.order for part in _cut(edge, layers)]
    rows: Rows = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for node in nodes:
        rows[node.layer].append(node.name)
    for segment in segments:
        if isinstance(segment.lower, Bend):
            rows[segment.lower.layer].append(segment.lower)
    return _uncrossed(rows, segments), segments


def _cut(edge: Edge, layers: Mapping[str, int]) -> list[Segment]:
    between = range(layers[edge.source] + 1, layers[edge.target])
    bends = [Bend(edge.source, edge.target, layer) for layer in between]
    stops: list[Slot] = [edge.source, *bends, edge.target]
    return [
        Segment(edge, layer, upper, lower)
        for layer, (upper, lower) in enumerate(pairwise(stops), layers[edge.source])
    ]


def _uncrossed(rows: Rows, segments: Sequence[Segment]) -> Rows:
    """The order with the fewest crossings that barycentres lead to, from the order given."""
    best, fewest = rows, _crossings(rows, segments)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        rows = _swept(rows, segments, downwards=sweep % 2 == 0)
        crossings = _crossings(rows, segments)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _swept(rows: Rows, segments: Sequence[Segment], *, downwards: bool) -> Rows:
    """Order each row by the mean place of what it is joined to in the row before."""
    joined: dict[Slot, list[Slot]] = {}
    for segment in segments:
        near, far = (segment.lower, segment.upper)[:: 1 if downwards else -1]
        joined.setdefault(near, []).append(far)
    done: dict[Slot, float] = {}
    ordered = []
    for row in rows if downwards else reversed(rows):
        means = {
            slot: _mean([done[far] for far in joined.get(slot, ())], place / max(1, len(row)))
            for place, slot in enumerate(row)
        }
        placed = sorted(row, key=means.__getitem__)
        done |= {slot: (place + 0.5) / len(placed) for place, slot in enumerate(placed)}
        ordered.append(placed)
    return ordered if downwards else ordered[::-1]


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _crossings(rows: Rows, segments: Sequence[Segment]) -> int:
    place = {slot: index for row in rows for index, slot in enumerate(row)}
    gaps: dict[int, list[tuple[int, int]]] = {}
    for segment in segments:
        ends = (place[segment.upper], place[segment.lower])
        gaps.setdefault(segment.layer, []).append(ends)
    return sum(
        (one[0] - other[0]) * (one[1] - other[1]) < 0
        for ends in gaps.values()
        for one, other in combinations(ends, 2)
    )
