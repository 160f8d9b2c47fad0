"""What a finished layout is made of. Lengths are in user units of SVG; y grows downwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vmwright.views.elements import Edge

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def middle(self) -> Point:
        return (self.left + self.width / 2, self.top + self.height / 2)

    def moved(self, right: float, down: float) -> "Box":
        return Box(
            left=self.left + right, top=self.top + down, width=self.width, height=self.height
        )

    def grown(self, margin: float) -> "Box":
        return Box(
            left=self.left - margin,
            top=self.top - margin,
            width=self.width + 2 * margin,
            height=self.height + 2 * margin,
        )

    def overlaps(self, other: "Box") -> bool:
        """Whether the two share more than a border."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


@dataclass(frozen=True, kw_only=True)
class Route:
    """The way of one arrow, from its source to its target's border.

    Curved routes leave and enter each point vertically; the others turn at right angles.
    """

    edge: Edge
    points: tuple[Point, ...]
    curved: bool


@dataclass(frozen=True, kw_only=True)
class Label:
    """Where the values of an edge are written."""

    edge: Edge
    box: Box


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What surrounds the tasks of one scope, and nothing else."""

    scope: str
    box: Box


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Everything at its place, from (0, 0) to (width, height)."""

    boxes: Mapping[str, Box]
    routes: Sequence[Route]
    labels: Sequence[Label]
    frames: Sequence[Frame]
    width: float
    height: float
