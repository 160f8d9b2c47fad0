"""Frames around the tasks that make one part of a flow."""

from collections.abc import Iterable, Mapping

from vmwright.views.elements import Node, scopes_of
from vmwright.views.layout.shapes import Box, Frame

FRAME_MARGIN = 16.0
FRAME_TITLE = 14.0
"""What a frame takes above its first box, besides the margin."""


def frames_room(nodes: Iterable[Node]) -> tuple[set[int], set[int]]:
    """The rows over which frames begin, and those under which they end."""
    layers = [[node.layer for node in members] for members in scopes_of(nodes).values()]
    return {min(rows) for rows in layers}, {max(rows) for rows in layers}


def frames_of(nodes: Iterable[Node], boxes: Mapping[str, Box]) -> list[Frame]:
    """A frame for each scope whose tasks lie together: none where it would hold others too."""
    frames = []
    for scope, members in scopes_of(nodes).items():
        inside = {node.name for node in members}
        frame = _around([boxes[name] for name in inside])
        if not any(frame.overlaps(box) for name, box in boxes.items() if name not in inside):
            frames.append(Frame(scope=scope, box=frame))
    return frames


def _around(boxes: list[Box]) -> Box:
    left, top = min(box.left for box in boxes), min(box.top for box in boxes)
    right, bottom = max(box.right for box in boxes), max(box.bottom for box in boxes)
    tight = Box(left=left, top=top, width=right - left, height=bottom - top).grown(FRAME_MARGIN)
    return Box(
        left=tight.left,
        top=tight.top - FRAME_TITLE / 2,
        width=tight.width,
        height=tight.height + FRAME_TITLE / 2,
    )
