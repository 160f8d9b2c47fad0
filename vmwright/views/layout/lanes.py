"""The lanes beside the boxes, on which values travel past the tasks in between."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vmwright.views.elements import Edge
from vmwright.views.layout.rows import Rows

RIGHT, LEFT = 1, -1

_APART = 22.0
"""Between two lanes, and between a lane and what it passes."""


@dataclass(frozen=True)
class Lane:
    """One task's values on their way to all that take the same ones."""

    source: str
    side: int
    """`RIGHT` or `LEFT`."""
    edges: tuple[Edge, ...]
    first: int
    last: int
    """Rows of the source and of the farthest target."""


@dataclass(frozen=True)
class Doors:
    """Which ends of lanes reach their box from the side; the others go through a gap."""

    outermost: Mapping[tuple[int, int], str]
    """The box at the end of a row, by row and side."""
    layers: Mapping[str, int]

    def open(self, name: str, side: int) -> bool:
        """Whether nothing lies between this box and the lanes on that side."""
        return self.outermost.get((self.layers[name], side)) == name


def doors_of(rows: Rows, layers: Mapping[str, int]) -> Doors:
    """The boxes that lanes can reach from the side."""
    outermost = {}
    for layer, row in enumerate(rows):
        for side, slot in ((RIGHT, row[-1]), (LEFT, row[0])):
            if isinstance(slot, str):
                outermost[layer, side] = slot
    return Doors(outermost, layers)


def lanes_of(edges: Iterable[Edge], layers: Mapping[str, int], doors: Doors) -> list[Lane]:
    """The lanes, shortest first, each on the side where more of its ends are at hand."""
    groups: dict[tuple[str, tuple[str, ...]], list[Edge]] = {}
    for edge in edges:
        if not edge.order:
            groups.setdefault((edge.source, edge.values), []).append(edge)
    lanes: list[Lane] = []
    for group in groups.values():
        for side, part in _parted(group, doors, lanes).items():
            last = max(layers[edge.target] for edge in part)
            source = part[0].source
            lanes.append(Lane(source, side, tuple(part), layers[source], last))
    return sorted(lanes, key=lambda lane: (lane.last - lane.first, lane.first))


def _parted(group: Sequence[Edge], doors: Doors, lanes: Sequence[Lane]) -> dict[int, list[Edge]]:
    """The edges of one source by side: all on the better one, but for those that would have to
    go round other boxes there, and on the other side need not.
    """
    source = group[0].source
    better = _better_side([source, *(edge.target for edge in group)], doors, lanes)
    parts: dict[int, list[Edge]] = {}
    for edge in group:
        straight = all(doors.open(end, -better) for end in (source, edge.target))
        detour = not doors.open(edge.target, better)
        parts.setdefault(-better if straight and detour else better, []).append(edge)
    return parts


def _better_side(ends: Sequence[str], doors: Doors, lanes: Sequence[Lane]) -> int:
    def cost(side: int) -> tuple[int, int]:
        detours = sum(not doors.open(end, side) for end in ends)
        return detours, sum(lane.side == side for lane in lanes)

    return min((RIGHT, LEFT), key=cost)


def side_ends(lanes: Sequence[Lane], doors: Doors) -> dict[tuple[str, int], list[Lane | Edge]]:
    """What begins (a lane) or ends (an edge) at each side of each box, from top to bottom.

    What arrives from an inner lane is above what arrives from an outer one, and what leaves
    for an inner lane below what leaves for an outer one: so they do not cross.
    """
    arriving: dict[tuple[str, int], list[Lane | Edge]] = {}
    leaving: dict[tuple[str, int], list[Lane | Edge]] = {}
    for lane in lanes:
        if doors.open(lane.source, lane.side):
            leaving.setdefault((lane.source, lane.side), []).insert(0, lane)
        for edge in lane.edges:
            if doors.open(edge.target, lane.side):
                arriving.setdefault((edge.target, lane.side), []).append(edge)
    return {key: arriving.get(key, []) + leaving.get(key, []) for key in arriving | leaving}


def lane_places(
    lanes: Sequence[Lane], reach: Mapping[tuple[int, int], float]
) -> dict[tuple[Edge, ...], float]:
    """The x of each lane: beyond what its rows reach, and beyond shorter lanes beside it.

    `reach` is the farthest x in each row, by row and side, times the side. Keys are the edges
    that a lane carries.
    """
    places: dict[tuple[Edge, ...], float] = {}
    done: list[Lane] = []
    for lane in lanes:
        rows = range(lane.first, lane.last + 1)
        limits = [reach[row, lane.side] for row in rows]
        limits += [
            lane.side * places[other.edges]
            for other in done
            if other.side == lane.side and other.first <= lane.last and lane.first <= other.last
        ]
        places[lane.edges] = lane.side * (max(limits) + _APART)
        done.append(lane)
    return places
