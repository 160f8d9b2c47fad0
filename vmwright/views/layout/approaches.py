"""How values get from a box to their lane, and from the lane to the boxes that take them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vmwright.views.elements import Edge
from vmwright.views.layout.gaps import LABEL_HEIGHT, Gap
from vmwright.views.layout.lanes import RIGHT, Lane, side_ends
from vmwright.views.layout.plan import Plan
from vmwright.views.layout.shapes import Box, Label, Point, Route

SIDE_PITCH = 24.0
"""Between two ends of lanes at the side of a box."""

_SIDE_STUB = 26.0
"""From a box's side to the label of a value that enters there."""
_GAP_STUB = 12.0
"""From the place over a box to the label of a value that comes down there."""


@dataclass(frozen=True, kw_only=True)
class Approaches:
    """The ends of all lanes, once the boxes have their places."""

    plan: Plan
    gaps: Sequence[Gap]
    boxes: Mapping[str, Box]
    floors: Sequence[float]
    """The y of each gap's top."""

    def labels(self) -> list[Label]:
        """The labels of the values that travel on lanes, each near its target."""
        return [
            Label(edge=edge, box=self._label(lane, edge))
            for lane in self.plan.lanes
            for edge in lane.edges
            if edge in self.plan.label_widths
        ]

    def routes(self, places: Mapping[tuple[Edge, ...], float]) -> list[Route]:
        """The way of each value; `places` has the x of each lane."""
        routes = []
        for lane in self.plan.lanes:
            x, start = places[lane.edges], self._departure(lane)
            for edge in lane.edges:
                end = self._arrival(lane, edge)
                points = (*start, (x, start[-1][1]), (x, end[0][1]), *end)
                routes.append(Route(edge=edge, points=points, curved=False))
        return routes

    def _departure(self, lane: Lane) -> tuple[Point, ...]:
        box = self.boxes[lane.source]
        if self.plan.doors.open(lane.source, lane.side):
            return (self._side_point(lane.source, lane, lane.side),)
        x = self.plan.ports.bottom(lane.source, lane)
        line = self.plan.leaving(lane.first).index(lane)
        return (x, box.bottom), (x, self.floors[lane.first] + self.gaps[lane.first].line(line))

    def _arrival(self, lane: Lane, edge: Edge) -> tuple[Point, ...]:
        box = self.boxes[edge.target]
        if self.plan.doors.open(edge.target, lane.side):
            return (self._side_point(edge.target, edge, lane.side),)
        x, layer = self.plan.ports.top(edge.target, edge), self.plan.layers[edge.target]
        gap = self.gaps[layer - 1]
        line = gap.leaving + gap.labels + self.plan.arriving(layer).index((lane, edge))
        return (x, self.floors[layer - 1] + gap.line(line)), (x, box.top)

    def _side_point(self, name: str, end: Lane | Edge, side: int) -> Point:
        box = self.boxes[name]
        ends = side_ends(self.plan.lanes, self.plan.doors)[name, side]
        y = box.middle[1] + (ends.index(end) - (len(ends) - 1) / 2) * SIDE_PITCH
        return (box.right if side == RIGHT else box.left), y

    def _label(self, lane: Lane, edge: Edge) -> Box:
        at_side = self.plan.doors.open(edge.target, lane.side)
        x, y = self._arrival(lane, edge)[0]
        width = self.plan.label_widths[edge]
        near = x + lane.side * (_SIDE_STUB if at_side else _GAP_STUB)
        left = near if lane.side == RIGHT else near - width
        return Box(left=left, top=y - LABEL_HEIGHT / 2, width=width, height=LABEL_HEIGHT)
