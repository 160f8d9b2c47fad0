"""The space between two rows: how high it is, and where in it labels and crossings lie."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vmwright.views.layout.shapes import Point

LABEL_HEIGHT = 18.0

_PITCH = 22.0
"""From one line of labels to the next."""
_ABOVE, _BELOW = 18.0, 26.0
"""Free space under a row, and over the next one, where the arrow heads are."""
_LEAST = 44.0
_MOST_FOR_WIDTH, _STEEPNESS = 44.0, 0.12
_APART = 8.0
"""Between two labels on one line."""


@dataclass(frozen=True)
class Curve:
    """The way of an arrow through a gap: down, across and down, without a corner."""

    start: float
    end: float
    """x at the top and at the bottom."""

    def at(self, share: float) -> float:
        """x where this share of the height, from 0.0 to 1.0, lies above."""
        low, high = 0.0, 1.0
        for _ in range(30):
            middle = (low + high) / 2
            if _fall(middle) < share:
                low = middle
            else:
                high = middle
        along = low * low * (3 - 2 * low)
        return self.start + (self.end - self.start) * along


def _fall(time: float) -> float:
    """The share of the height after that share of the curve's parameter."""
    return 1.5 * time * (1 - time) + time**3


@dataclass(frozen=True)
class Wish:
    """A label that an arrow wants to have in the gap."""

    curve: Curve
    width: float
    lean: int
    """-1 to lie near the top, 1 near the bottom, 0 in the middle."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A gap cut into lines: first those on which lanes leave, then labels, then arrivals."""

    leaving: int = 0
    labels: int = 0
    arriving: int = 0
    above: float = 0.0
    below: float = 0.0
    """More space at top and bottom, for the frames that end or begin here."""
    least: float = _LEAST

    @property
    def height(self) -> float:
        lines = self.leaving + self.labels + self.arriving
        return max(self.least, _ABOVE + lines * _PITCH + _BELOW) + self.above + self.below

    def line(self, index: int) -> float:
        """How far below the top of the gap the middle of a line is."""
        lines = self.leaving + self.labels + self.arriving
        slack = max(0.0, self.least - _ABOVE - lines * _PITCH - _BELOW) / 2
        return self.above + _ABOVE + slack + (index + 0.5) * _PITCH


def least_height(curves: Sequence[Curve]) -> float:
    """More for arrows that go far to the side: they would run too flat."""
    widest = max((abs(curve.end - curve.start) for curve in curves), default=0.0)
    return _LEAST + min(_MOST_FOR_WIDTH, widest * _STEEPNESS)


def with_labels(
    gap: Gap, wishes: Sequence[Wish], curves: Sequence[Curve]
) -> tuple[Gap, list[Point]]:
    """The gap with as few lines of labels as keep them apart, and the middle of each label.

    `curves` are all that pass the gap: labels keep off them where they can. Points are relative
    to the top of the gap.
    """
    for lines in range(len(wishes) + 1):
        grown = Gap(**{**vars(gap), "labels": lines})
        places = _placed(grown, wishes, curves)
        if places is not None:
            return grown, places
    raise AssertionError("as many lines as labels always suffice")


def _placed(gap: Gap, wishes: Sequence[Wish], curves: Sequence[Curve]) -> list[Point] | None:
    """A point for each label, or None if the lines are too few."""
    taken: list[tuple[int, float, float]] = []
    places = []
    for wish in wishes:
        lines = sorted(range(gap.labels), key=_preference(gap.labels, wish.lean))
        spots = [(line, wish.curve.at(gap.line(gap.leaving + line) / gap.height)) for line in lines]
        free = [spot for spot in spots if _is_free(*spot, wish.width, taken)]
        clear = [spot for spot in free if _is_clear(gap, *spot, wish, curves)]
        if not free:
            return None
        line, x = (clear or free)[0]
        taken.append((line, x - wish.width / 2 - _APART, x + wish.width / 2 + _APART))
        places.append((x, gap.line(gap.leaving + line)))
    return places


def _preference(lines: int, lean: int) -> Callable[[int], float]:
    wanted: Mapping[int, float] = {-1: 0.0, 0: (lines - 1) / 2, 1: lines - 1.0}
    return lambda line: abs(line - wanted[lean])


def _is_free(line: int, x: float, width: float, taken: Sequence[tuple[int, float, float]]) -> bool:
    """Whether no label on this line is in the way."""
    return not any(
        line == other and x - width / 2 < right and left < x + width / 2
        for other, left, right in taken
    )


def _is_clear(gap: Gap, line: int, x: float, wish: Wish, curves: Sequence[Curve]) -> bool:
    """Whether the label hides no other arrow."""
    share = gap.line(gap.leaving + line) / gap.height
    others = (curve.at(share) for curve in curves if curve != wish.curve)
    return all(abs(other - x) > wish.width / 2 for other in others)
