"""The drawing in the middle of an SVG picture: frames, arrows, labels and boxes."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from xml.etree import ElementTree as ET

from vmwright.states import NodeState
from vmwright.terminal.words import printable
from vmwright.views.cards import CARD_WIDTH, EDGE, Card, story
from vmwright.views.elements import Edge, Node, emphasised, nodes_of
from vmwright.views.graph import Graph
from vmwright.views.layout.measure import shortened, text_width
from vmwright.views.layout.shapes import Frame, Label, Layout, Route
from vmwright.views.svg_marks import MARKS, head, way
from vmwright.views.svg_style import state_class
from vmwright.views.wording import value_words

_LABEL_SIZE = 11.0
_LABEL_MOST = 190.0
_LABEL_SIDES = 16.0


def label_width(edge: Edge) -> float:
    """What the values of an edge take: long lists are cut."""
    return min(_LABEL_MOST, text_width(value_words(edge), _LABEL_SIZE) + _LABEL_SIDES)


def written(parent: ET.Element, style: str, text: str, x: float, y: float) -> None:
    """Add a line of text whose base line begins (or is centred, by its style) at (x, y)."""
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}"}
    ET.SubElement(parent, "text", ({"class": style} if style else {}) | place).text = text


class Drawing:
    """A laid-out graph that can be added to an SVG element."""

    def __init__(self, graph: Graph, layout: Layout, cards: Mapping[str, Card]) -> None:
        self._graph = graph
        self._layout = layout
        self._cards = cards
        self._nodes = {node.name: node for node in nodes_of(graph)}

    def draw(self, parent: ET.Element) -> None:
        """Add everything, what lies behind first."""
        for frame in self._layout.frames:
            _draw_frame(parent, frame, self._scope_words(frame.scope))
        for route in self._layout.routes:
            if route.curved:
                self._draw_route(parent, route)
        crossing = (route for route in self._layout.routes if not route.curved)
        for _, routes in groupby(crossing, key=_lane):
            self._draw_lane(parent, list(routes))
        for label in self._layout.labels:
            self._draw_label(parent, label)
        for node in self._nodes.values():
            self._draw_task(parent, node)

    def _draw_lane(self, parent: ET.Element, routes: Iterable[Route]) -> None:
        """All halos first: one of them would cut through a line that it only joins."""
        routes = list(routes)
        for route in routes:
            ET.SubElement(parent, "path", {"class": "halo", "d": way(route.points, curved=False)})
        # What is still to come lies under what has been: they share a part of their way.
        for route in sorted(routes, key=lambda route: not self._is_ahead(route.edge)):
            self._draw_route(parent, route)

    def _draw_route(self, parent: ET.Element, route: Route) -> None:
        edge = route.edge
        group = ET.SubElement(
            parent,
            "g",
            {
                "class": f"edge {self._classes(edge)}",
                "data-source": printable(edge.source),
                "data-target": printable(edge.target),
                "data-values": value_words(edge),
            },
        )
        ET.SubElement(group, "title").text = _edge_story(edge)
        path = way(route.points, curved=route.curved)
        ET.SubElement(group, "path", {"class": "line", "d": path})
        triangle = head(route.points, curved=route.curved)
        ET.SubElement(group, "polygon", {"class": "head", "points": triangle})

    def _draw_label(self, parent: ET.Element, label: Label) -> None:
        box = label.box
        group = ET.SubElement(parent, "g", {"class": f"values {self._classes(label.edge)}"})
        ET.SubElement(group, "title").text = _edge_story(label.edge)
        _rect(group, box.left, box.top, box.width, box.height, box.height / 2)
        text = shortened(value_words(label.edge), _LABEL_SIZE, box.width - _LABEL_SIDES)
        written(group, "", text, box.middle[0], box.middle[1] + 4)

    def _draw_task(self, parent: ET.Element, node: Node) -> None:
        box, card = self._layout.boxes[node.name], self._cards[node.name]
        classes = f"task {state_class(node.state)}"
        classes += " critical" if emphasised(self._graph, node) else ""
        place = f"translate({box.left:.1f} {box.top:.1f})"
        task = {"class": classes, "data-task": printable(node.name), "transform": place}
        group = ET.SubElement(parent, "g", task)
        ET.SubElement(group, "title").text = "\n".join(story(node))
        _rect(group, 0, 0, box.width, box.height, 10)
        # An inner document cuts off what a strange font draws beyond its measure.
        size = {"width": f"{box.width:.1f}", "height": f"{box.height:.1f}"}
        inside = ET.SubElement(group, "svg", size)
        # A card that is lower than its row is centred in it.
        down = (box.height - card.height) / 2
        inside = ET.SubElement(inside, "g", {"transform": f"translate(0 {down:.1f})"})
        _draw_card(inside, node, card)

    def _scope_words(self, scope: str) -> str:
        retried = any(node.retry for node in self._nodes.values() if node.scope == scope)
        return f"{printable(scope)} · retried" if retried else printable(scope)

    def _classes(self, edge: Edge) -> str:
        source, target = self._nodes[edge.source], self._nodes[edge.target]
        classes = ["order" if edge.order else "data"]
        if emphasised(self._graph, edge):
            classes.append("critical")
        if source.taken_back and target.taken_back:
            classes.append("taken-back")
        if self._is_ahead(edge):
            classes.append("ahead")
        return " ".join(classes)

    def _is_ahead(self, edge: Edge) -> bool:
        return self._nodes[edge.target].state in {NodeState.PENDING, NodeState.IGNORE}


def _draw_card(parent: ET.Element, node: Node, card: Card) -> None:
    if node.state is not None:
        mark = {"class": "mark", "transform": f"translate({EDGE:.0f} {EDGE - 2:.0f})"}
        ET.SubElement(parent, "path", mark | {"d": MARKS[node.state]})
    for line in card.lines:
        written(parent, line.style, line.text, line.x, line.y)
    if card.bar is not None:
        y, fraction = card.bar
        length = CARD_WIDTH - 2 * EDGE
        _rect(parent, EDGE, y, length, 5, 2.5, "track")
        _rect(parent, EDGE, y, length * fraction, 5, 2.5, "bar")


def _draw_frame(parent: ET.Element, frame: Frame, words: str) -> None:
    box = frame.box
    group = ET.SubElement(parent, "g", {"class": "frame"})
    ET.SubElement(group, "title").text = words
    _rect(group, box.left, box.top, box.width, box.height, 16)
    # A third of the width: the arrow that enters the frame comes down its middle.
    text = shortened(words, _LABEL_SIZE, box.width / 3)
    width = text_width(text, _LABEL_SIZE) + 4
    _rect(group, box.left + 20, box.top - 8, width, 16, 0, "behind")
    written(group, "", text, box.left + 20 + width / 2, box.top + 4)


def _rect(
    parent: ET.Element,
    x: float,
    y: float,
    width: float,
    height: float,
    radius: float,
    style: str = "",
) -> None:
    numbers = {"x": x, "y": y, "width": width, "height": height, "rx": radius}
    attributes = {name: f"{value:.1f}" for name, value in numbers.items()}
    ET.SubElement(parent, "rect", ({"class": style} if style else {}) | attributes)


def _lane(route: Route) -> tuple[str, tuple[str, ...]]:
    return route.edge.source, route.edge.values


def _edge_story(edge: Edge) -> str:
    values = value_words(edge)
    way_words = f"{printable(edge.source)} → {printable(edge.target)}"
    return f"{way_words}: {values}" if values else way_words
