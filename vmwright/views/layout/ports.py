"""Where arrows leave and enter the lower and upper borders of boxes."""

import math
from collections.abc import Mapping, Sequence

from vmwright.views.elements import Edge
from vmwright.views.layout.lanes import Doors, Lane
from vmwright.views.layout.rows import Bend, Segment, Slot

Arrow = Segment | Edge | Lane
"""A part of an arrow of order, a value that arrives from a lane, or a lane that begins."""

_PITCH = 30.0
_CORNER = 28.0
"""What the ends of a border keep free."""


class Ports:
    """The x of every end of an arrow at a horizontal border."""

    def __init__(
        self,
        segments: Sequence[Segment],
        lanes: Sequence[Lane],
        doors: Doors,
        centres: Mapping[Slot, float],
        widths: Mapping[str, float],
    ) -> None:
        self._centres = centres
        self._entering = {
            name: _spread(arrows, centres[name], widths[name])
            for name, arrows in _entering(segments, lanes, doors, centres).items()
        }
        self._leaving = {
            name: _spread(arrows, centres[name], widths[name])
            for name, arrows in _leaving(segments, lanes, doors, centres).items()
        }

    def top(self, slot: Slot, arrow: Arrow) -> float:
        """Where the arrow enters."""
        return self._centres[slot] if isinstance(slot, Bend) else self._entering[slot][arrow]

    def bottom(self, slot: Slot, arrow: Arrow) -> float:
        """Where the arrow leaves."""
        return self._centres[slot] if isinstance(slot, Bend) else self._leaving[slot][arrow]

    def lean(self, source: str, target: str) -> int:
        """Where a label has room: near the end at which fewer arrows meet; 0 if equal."""
        leaving, entering = len(self._leaving[source]), len(self._entering[target])
        return (leaving > entering) - (leaving < entering)


Wanted = dict[str, list[tuple[float, Arrow]]]
"""For each box the arrows at a border, and how far to the right each would like to be."""


def _entering(
    segments: Sequence[Segment], lanes: Sequence[Lane], doors: Doors, centres: Mapping[Slot, float]
) -> Wanted:
    wanted: Wanted = {}
    for part in segments:
        if isinstance(part.lower, str):
            wanted.setdefault(part.lower, []).append((centres[part.upper], part))
    for lane in lanes:
        for edge in lane.edges:
            if not doors.open(edge.target, lane.side):
                wanted.setdefault(edge.target, []).append((lane.side * math.inf, edge))
    return wanted


def _leaving(
    segments: Sequence[Segment], lanes: Sequence[Lane], doors: Doors, centres: Mapping[Slot, float]
) -> Wanted:
    wanted: Wanted = {}
    for part in segments:
        if isinstance(part.upper, str):
            wanted.setdefault(part.upper, []).append((centres[part.lower], part))
    for lane in lanes:
        if not doors.open(lane.source, lane.side):
            wanted.setdefault(lane.source, []).append((lane.side * math.inf, lane))
    return wanted


def _spread(
    wanted: Sequence[tuple[float, Arrow]], centre: float, width: float
) -> dict[Arrow, float]:
    """Evenly around the middle, in the order in which the other ends lie."""
    arrows = [arrow for _, arrow in sorted(wanted, key=lambda pair: pair[0])]
    pitch = min(_PITCH, (width - 2 * _CORNER) / max(1, len(arrows) - 1))
    start = centre - pitch * (len(arrows) - 1) / 2
    return {arrow: start + pitch * index for index, arrow in enumerate(arrows)}
