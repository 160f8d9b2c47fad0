"""From a graph and the sizes of its boxes to the place of everything."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from vmwright.views.elements import Edge, Node
from vmwright.views.layout.approaches import SIDE_PITCH, Approaches
from vmwright.views.layout.frames import frames_of
from vmwright.views.layout.gaps import LABEL_HEIGHT
from vmwright.views.layout.lanes import LEFT, RIGHT, lane_places, side_ends
from vmwright.views.layout.plan import FilledGap, Plan, gaps_of, plan_of
from vmwright.views.layout.shapes import Box, Frame, Label, Layout, Point, Route

Size = tuple[float, float]


def arrange(
    nodes: Sequence[Node],
    edges: Sequence[Edge],
    sizes: Mapping[str, Size],
    label_widths: Mapping[Edge, float],
) -> Layout:
    """Rows from top to bottom, arrows of order between them, other values on lanes beside them.

    `sizes` are the least width and height of each box; `label_widths` those of the edges that
    have a label. No label lies on a box or on another label, and no arrow crosses a box.
    """
    if not nodes:
        return Layout(boxes={}, routes=(), labels=(), frames=(), width=0.0, height=0.0)
    plan = plan_of(nodes, edges, {name: width for name, (width, _) in sizes.items()}, label_widths)
    gaps = gaps_of(plan)
    boxes, floors = _boxes(plan, sizes, gaps)
    approaches = Approaches(
        plan=plan, gaps=[filled.gap for filled in gaps], boxes=boxes, floors=floors
    )
    labels = [*_order_labels(plan, gaps, floors), *approaches.labels()]
    frames = frames_of(nodes, boxes)
    passed = [*boxes.values(), *(label.box for label in labels), *(frame.box for frame in frames)]
    places = lane_places(plan.lanes, _reach(plan, floors, passed))
    routes = [*_order_routes(plan, gaps, boxes, floors), *approaches.routes(places)]
    return _from_origin(boxes, routes, labels, frames)


def _boxes(
    plan: Plan, sizes: Mapping[str, Size], gaps: Sequence[FilledGap]
) -> tuple[dict[str, Box], list[float]]:
    """The boxes, as high as the highest of their row, and the y under each row."""
    ends = side_ends(plan.lanes, plan.doors)
    boxes, floors, top = {}, [], 0.0
    for layer, row in enumerate(plan.rows):
        names = [slot for slot in row if isinstance(slot, str)]
        sides = max(len(ends.get((name, side), ())) for name in names for side in (RIGHT, LEFT))
        height = max(sides * SIDE_PITCH, *(sizes[name][1] for name in names))
        for name in names:
            width = sizes[name][0]
            left = plan.centres[name] - width / 2
            boxes[name] = Box(left=left, top=top, width=width, height=height)
        floors.append(top + height)
        top += height + (gaps[layer].gap.height if layer < len(gaps) else 0.0)
    return boxes, floors


def _order_labels(plan: Plan, gaps: Sequence[FilledGap], floors: Sequence[float]) -> list[Label]:
    labels = []
    for filled, floor in zip(gaps, floors, strict=False):
        for edge, (x, y) in filled.labels:
            width = plan.label_widths[edge]
            top = floor + y - LABEL_HEIGHT / 2
            box = Box(left=x - width / 2, top=top, width=width, height=LABEL_HEIGHT)
            labels.append(Label(edge=edge, box=box))
    return labels


def _order_routes(
    plan: Plan, gaps: Sequence[FilledGap], boxes: Mapping[str, Box], floors: Sequence[float]
) -> list[Route]:
    """The arrows of order: through each gap, and straight down through the rows they pass."""
    points: dict[Edge, list[Point]] = {}
    for part in sorted(plan.segments, key=lambda part: part.layer):
        curve, floor = plan.curve(part), floors[part.layer]
        ends = [(curve.start, floor), (curve.end, floor + gaps[part.layer].gap.height)]
        points.setdefault(part.edge, []).extend(ends)
    return [
        Route(edge=edge, points=tuple(points[edge]), curved=True)
        for edge in sorted(points, key=lambda edge: boxes[edge.source].top)
    ]


def _reach(
    plan: Plan, floors: Sequence[float], passed: Sequence[Box]
) -> dict[tuple[int, int], float]:
    """How far each row, with the gap above it, reaches to each side."""
    reach: dict[tuple[int, int], float] = {}
    ceilings = [-math.inf, *floors]
    for layer, row in enumerate(plan.rows):
        beside = [box for box in passed if box.top < floors[layer] and box.bottom > ceilings[layer]]
        passing = [plan.centres[slot] for slot in row]
        reach[layer, RIGHT] = max([*passing, *(box.right for box in beside)])
        reach[layer, LEFT] = -min([*passing, *(box.left for box in beside)])
    return reach


def _from_origin(
    boxes: Mapping[str, Box],
    routes: Sequence[Route],
    labels: Sequence[Label],
    frames: Sequence[Frame],
) -> Layout:
    """Everything moved so that the page begins at (0, 0) and ends where the last thing does."""
    areas = [*boxes.values(), *(label.box for label in labels), *(frame.box for frame in frames)]
    xs = [x for route in routes for x, _ in route.points]
    left = min([*xs, *(area.left for area in areas)])
    top = min(area.top for area in areas)

    def moved(box: Box) -> Box:
        return box.moved(-left, -top)

    return Layout(
        boxes={name: moved(box) for name, box in boxes.items()},
        routes=[
            replace(route, points=tuple((x - left, y - top) for x, y in route.points))
            for route in routes
        ],
        labels=[replace(label, box=moved(label.box)) for label in labels],
        frames=[replace(frame, box=moved(frame.box)) for frame in frames],
        width=max([*xs, *(area.right for area in areas)]) - left,
        height=max(area.bottom for area in areas) - top,
    )
