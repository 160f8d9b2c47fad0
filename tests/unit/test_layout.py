"""Nothing in a picture lies on a box that it does not belong to."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.random_flows import UNHURRIED, RandomFlow, random_flows
from tests.support.sample_graphs import SAMPLES
from vmwright.views.cards import CARD_WIDTH, EDGE, card_of
from vmwright.views.elements import edges_of, nodes_of
from vmwright.views.graph import Graph, flow_graph
from vmwright.views.layout.arrange import arrange
from vmwright.views.layout.gaps import Curve
from vmwright.views.layout.measure import bold_width, shortened, text_width, wrapped
from vmwright.views.layout.shapes import Box, Layout, Point, Route
from vmwright.views.svg_drawing import label_width

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


def laid_out(graph: Graph) -> Layout:
    sizes = {node.name: (CARD_WIDTH, card_of(node).height) for node in nodes_of(graph)}
    labels = {edge: label_width(edge) for edge in edges_of(graph) if edge.values}
    return arrange(nodes_of(graph), edges_of(graph), sizes, labels)


def passed(route: Route) -> list[Point]:
    """Points along the way of an arrow, close to each other."""
    points = []
    for (x, y), (to_x, to_y) in pairwise(route.points):
        shares = [step / 40 for step in range(41)]
        curve = Curve(x, to_x)
        for share in shares:
            straight = x + (to_x - x) * share
            across = curve.at(share) if route.curved else straight
            points.append((across, y + (to_y - y) * share))
    return points


def inside(box: Box, point: Point) -> bool:
    """Whether a point is in the box, and not on its border."""
    tight = box.grown(-1)
    return tight.left < point[0] < tight.right and tight.top < point[1] < tight.bottom


def check(graph: Graph) -> None:
    layout = laid_out(graph)
    boxes = list(layout.boxes.values())
    labels = [label.box for label in layout.labels]
    assert set(layout.boxes) == set(graph)
    assert {route.edge for route in layout.routes} == set(edges_of(graph))
    assert {label.edge for label in layout.labels} == {e for e in edges_of(graph) if e.values}
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert not any(label.overlaps(box) for label in labels for box in boxes)
    assert not any(one.overlaps(other) for one, other in combinations(labels, 2))
    page = Box(left=0, top=0, width=layout.width, height=layout.height).grown(0.5)
    for area in [*boxes, *labels, *(frame.box for frame in layout.frames)]:
        assert page.left <= area.left
        assert area.right <= page.right
        assert page.top <= area.top
        assert area.bottom <= page.bottom
    for route in layout.routes:
        for point in passed(route):
            assert not any(inside(box, point) for box in boxes), (route, point)
            assert page.left <= point[0] <= page.right


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_has_no_overlaps(name: str):
    check(SAMPLES[name]())


@UNHURRIED
@given(random_flows())
def test_flow_of_any_shape_has_no_overlaps(sample: RandomFlow):
    check(flow_graph(sample.flow))


@pytest.mark.parametrize("name", SAMPLES)
def test_arrows_begin_and_end_at_their_boxes(name: str):
    layout = laid_out(SAMPLES[name]())
    for route in layout.routes:
        source, target = layout.boxes[route.edge.source], layout.boxes[route.edge.target]
        assert on_border(source, route.points[0])
        assert on_border(target, route.points[-1])


def on_border(box: Box, point: Point) -> bool:
    touched = box.grown(0.01)
    within = touched.left < point[0] < touched.right and touched.top < point[1] < touched.bottom
    return within and not inside(box.grown(0.99), point)


@pytest.mark.parametrize("name", SAMPLES)
def test_text_stays_in_its_box(name: str):
    for node in nodes_of(SAMPLES[name]()):
        card = card_of(node)
        for line in card.lines:
            width = bold_width(line.text, 14) if line.style == "name" else text_width(line.text, 12)
            assert line.x + width <= CARD_WIDTH - EDGE + 0.1
            assert line.y <= card.height - 8


def test_frame_holds_its_tasks_and_no_others():
    layout = laid_out(SAMPLES["plain_create"]())
    (frame,) = layout.frames
    held = {name for name, box in layout.boxes.items() if frame.box.overlaps(box)}
    assert frame.scope == "on_host"
    assert held == {"claim_host", "plug_network", "map_block_devices", "spawn"}


def test_values_that_go_the_same_way_share_a_lane():
    layout = laid_out(SAMPLES["plain_create"]())
    lanes = {
        (route.edge.source, route.edge.target): route.points[1][0]
        for route in layout.routes
        if not route.curved
    }
    assert lanes["claim_host", "spawn"] == lanes["claim_host", "mark_active"]
    assert lanes["allocate_network", "plug_network"] == lanes["allocate_network", "spawn"]
    assert len(set(lanes.values())) == 2


@UNHURRIED
@given(TEXTS, st.floats(20, 200))
def test_shortened_text_fits(text: str, room: float):
    assert text_width(shortened(text, 12, room), 12) <= room + 0.1


@UNHURRIED
@given(TEXTS, st.floats(20, 200), st.integers(1, 4))
def test_wrapped_text_fits(text: str, room: float, lines: int):
    done = wrapped(text, 12, room, lines)
    assert len(done) <= lines
    assert all(text_width(line, 12) <= room + 0.1 for line in done)


def test_text_that_fits_is_left_alone():
    assert shortened("spawn", 14, 200) == "spawn"
    assert wrapped("one two", 12, 200, 2) == ["one two"]
    assert wrapped("", 12, 200, 2) == []
    assert wrapped("one two three", 12, 60, 2) == ["one two", "three"]
