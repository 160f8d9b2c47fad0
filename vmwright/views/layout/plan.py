"""What of a layout is known before anything has a height."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vmwright.views.elements import Edge, Node
from vmwright.views.layout.columns import centres_of
from vmwright.views.layout.frames import FRAME_MARGIN, FRAME_TITLE, frames_room
from vmwright.views.layout.gaps import Curve, Gap, Wish, least_height, with_labels
from vmwright.views.layout.lanes import Doors, Lane, doors_of, lanes_of
from vmwright.views.layout.ports import Ports
from vmwright.views.layout.rows import Rows, Segment, Slot, rows_of
from vmwright.views.layout.shapes import Point


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Order, columns and lanes."""

    nodes: Sequence[Node]
    rows: Rows
    layers: Mapping[str, int]
    segments: Sequence[Segment]
    lanes: Sequence[Lane]
    doors: Doors
    centres: Mapping[Slot, float]
    ports: Ports
    label_widths: Mapping[Edge, float]

    def arriving(self, layer: int) -> list[tuple[Lane, Edge]]:
        """The values that enter boxes of this row from above, off their lanes."""
        return [
            (lane, edge)
            for lane in self.lanes
            for edge in lane.edges
            if self.layers[edge.target] == layer and not self.doors.open(edge.target, lane.side)
        ]

    def leaving(self, layer: int) -> list[Lane]:
        """The lanes that begin below boxes of this row."""
        return [
            lane
            for lane in self.lanes
            if lane.first == layer and not self.doors.open(lane.source, lane.side)
        ]

    def curve(self, part: Segment) -> Curve:
        """The way of an arrow of order through one gap."""
        return Curve(
            self.ports.bottom(part.upper, part),
            self.ports.top(part.lower, part),
        )


@dataclass(frozen=True, kw_only=True)
class FilledGap:
    """A gap with the labels of the arrows of order, relative to its top."""

    gap: Gap
    labels: Sequence[tuple[Edge, Point]]


def plan_of(
    nodes: Sequence[Node],
    edges: Sequence[Edge],
    widths: Mapping[str, float],
    label_widths: Mapping[Edge, float],
) -> Plan:
    """Decide everything that lies side by side."""
    rows, segments = rows_of(nodes, edges)
    layers = {node.name: node.layer for node in nodes}
    doors = doors_of(rows, layers)
    lanes = lanes_of(edges, layers, doors)
    centres = centres_of(rows, segments, widths)
    return Plan(
        nodes=nodes,
        rows=rows,
        layers=layers,
        segments=segments,
        lanes=lanes,
        doors=doors,
        centres=centres,
        ports=Ports(segments, lanes, doors, centres, widths),
        label_widths=label_widths,
    )


def gaps_of(plan: Plan) -> list[FilledGap]:
    """The gaps between the rows, from top to bottom."""
    return [_gap(plan, layer) for layer in range(len(plan.rows) - 1)]


def _gap(plan: Plan, layer: int) -> FilledGap:
    begin, end = frames_room(plan.nodes)
    parts = [part for part in plan.segments if part.layer == layer]
    curves = [plan.curve(part) for part in parts]
    empty = Gap(
        leaving=len(plan.leaving(layer)),
        arriving=len(plan.arriving(layer + 1)),
        above=FRAME_MARGIN if layer in end else 0.0,
        below=FRAME_MARGIN + FRAME_TITLE if layer + 1 in begin else 0.0,
        least=least_height(curves),
    )
    asking = [part for part in parts if _carries_label(plan, part)]
    wishes = [
        Wish(plan.curve(part), plan.label_widths[part.edge], _lean(plan, part.edge))
        for part in asking
    ]
    gap, points = with_labels(empty, wishes, curves)
    edges = [part.edge for part in asking]
    return FilledGap(gap=gap, labels=list(zip(edges, points, strict=True)))


def _lean(plan: Plan, edge: Edge) -> int:
    return plan.ports.lean(edge.source, edge.target)


def _carries_label(plan: Plan, part: Segment) -> bool:
    """Whether the label of a long arrow lies in this part: the one at its less busy end."""
    edge = part.edge
    first, last = plan.layers[edge.source], plan.layers[edge.target] - 1
    return edge in plan.label_widths and part.layer == (first if _lean(plan, edge) < 0 else last)
