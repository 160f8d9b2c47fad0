"""How far to the right each box lies, so that arrows run as straight as they can."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from vmwright.views.layout.rows import Bend, Rows, Segment, Slot

_BETWEEN = 40.0
"""Between two boxes of one row."""
_PASSAGE = 12.0
"""What a long arrow takes of a row."""
_ROUNDS = 24


def centres_of(
    rows: Rows, segments: Sequence[Segment], widths: Mapping[str, float]
) -> dict[Slot, float]:
    """The middle of each box, and of each passage, from left to right."""
    room = {
        slot: _PASSAGE if isinstance(slot, Bend) else widths[slot] for row in rows for slot in row
    }
    joined: dict[Slot, list[Slot]] = {}
    for segment in segments:
        joined.setdefault(segment.upper, []).append(segment.lower)
        joined.setdefault(segment.lower, []).append(segment.upper)
    centres: dict[Slot, float] = {}
    for row in rows:
        centres |= _spread(row, dict.fromkeys(row, 0.0), room)
    for turn in range(_ROUNDS):
        for row in rows if turn % 2 == 0 else reversed(rows):
            wanted = {slot: _wanted(slot, joined, centres) for slot in row}
            centres |= _spread(row, wanted, room)
    return centres


def _wanted(
    slot: Slot, joined: Mapping[Slot, Sequence[Slot]], centres: Mapping[Slot, float]
) -> float:
    """The mean of what the slot is joined to; a passage pulls harder, for straight long arrows."""
    others = [
        other
        for other in joined.get(slot, ())
        for _ in range(6 if isinstance(slot, Bend) and isinstance(other, Bend) else 1)
    ]
    return sum(centres[other] for other in others) / len(others) if others else centres[slot]


def _spread(
    row: Sequence[Slot], wanted: Mapping[Slot, float], room: Mapping[Slot, float]
) -> dict[Slot, float]:
    """The places nearest to those wanted (least squares) that keep order and distance.

    Less the distances it is a monotone regression: neighbours that stand in each other's way
    are pooled at their mean.
    """
    offset, offsets = 0.0, [0.0] if row else []
    for one, other in pairwise(row):
        offset += (room[one] + room[other]) / 2 + _BETWEEN
        offsets.append(offset)
    pools: list[list[float]] = []
    for slot, before in zip(row, offsets, strict=True):
        pools.append([wanted[slot] - before])
        while len(pools) > 1 and _mean(pools[-2]) >= _mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    places = [_mean(pool) for pool in pools for _ in pool]
    return {slot: place + before for slot, place, before in zip(row, places, offsets, strict=True)}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
