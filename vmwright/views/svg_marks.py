"""Drawn marks: one for each state, arrow heads, and the ways of arrows."""

import math
from collections.abc import Sequence
from itertools import pairwise

from vmwright.states import NodeState
from vmwright.views.layout.shapes import Point

MARKS: dict[NodeState, str] = {
    NodeState.PENDING: "M8 2 a6 6 0 1 0 0.01 0",
    NodeState.RUNNING: "M5 3 L13 8 L5 13 Z",
    NodeState.SUCCESS: "M2.5 8.5 L6.5 12.5 L13.5 4",
    NodeState.FAILURE: "M3.5 3.5 L12.5 12.5 M12.5 3.5 L3.5 12.5",
    NodeState.REVERTING: "M6 2 L2 6 L6 10 M2 6 H9.5 a4 4 0 0 1 0 8 H6",
    NodeState.REVERTED: "M6 2 L2 6 L6 10 M2 6 H9.5 a4 4 0 0 1 0 8 H6",
    NodeState.IGNORE: "M3 8 H13",
}
"""Paths in a square of 16 units; an undo is an arrow that turns back."""

_HEAD_LENGTH, _HEAD_WIDTH = 9.0, 4.5
_CORNER = 10.0


def head(points: Sequence[Point], *, curved: bool) -> str:
    """The points of the triangle at the end of a way."""
    (x, y), (dx, dy) = points[-1], _direction(points, curved=curved)
    back = (x - dx * _HEAD_LENGTH, y - dy * _HEAD_LENGTH)
    corners = [
        (x, y),
        (back[0] - dy * _HEAD_WIDTH, back[1] + dx * _HEAD_WIDTH),
        (back[0] + dy * _HEAD_WIDTH, back[1] - dx * _HEAD_WIDTH),
    ]
    return " ".join(f"{_number(a)},{_number(b)}" for a, b in corners)


def way(points: Sequence[Point], *, curved: bool) -> str:
    """The path of an arrow up to the middle of its head, so that no thick line sticks out."""
    dx, dy = _direction(points, curved=curved)
    x, y = points[-1]
    end = (x - dx * _HEAD_LENGTH / 2, y - dy * _HEAD_LENGTH / 2)
    stops = [*points[:-1], end]
    return _curved(stops) if curved else _cornered(stops)


def _direction(points: Sequence[Point], *, curved: bool) -> Point:
    """The unit vector in which a way ends."""
    (x, y), (before_x, before_y) = points[-1], points[-2]
    if curved:
        return (0.0, math.copysign(1.0, y - before_y))
    length = math.dist(points[-1], points[-2]) or 1.0
    return ((x - before_x) / length, (y - before_y) / length)


def _curved(points: Sequence[Point]) -> str:
    parts = [f"M{_point(points[0])}"]
    for (x, y), (to_x, to_y) in pairwise(points):
        if math.isclose(x, to_x, abs_tol=0.05):
            parts.append(f"L{_point((to_x, to_y))}")
        else:
            middle = (y + to_y) / 2
            stops = [(x, middle), (to_x, middle), (to_x, to_y)]
            parts.append("C" + " ".join(map(_point, stops)))
    return " ".join(parts)


def _cornered(points: Sequence[Point]) -> str:
    parts = [f"M{_point(points[0])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        radius = min(_CORNER, math.dist(before, corner) / 2, math.dist(corner, after) / 2)
        near, far = _towards(corner, before, radius), _towards(corner, after, radius)
        parts.append(f"L{_point(near)} Q{_point(corner)} {_point(far)}")
    return " ".join([*parts, f"L{_point(points[-1])}"])


def _towards(start: Point, end: Point, length: float) -> Point:
    whole = math.dist(start, end) or 1.0
    share = length / whole
    return (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)


def _point(point: Point) -> str:
    return f"{_number(point[0])},{_number(point[1])}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
