"""A graph as a self-contained SVG picture."""

from xml.etree import ElementTree as ET

from vmwright.states import NodeState, OperationState
from vmwright.terminal.words import duration_words, printable
from vmwright.views.cards import CARD_WIDTH, card_of
from vmwright.views.elements import edges_of, emphasised, nodes_of, operation_of
from vmwright.views.graph import Graph
from vmwright.views.layout.arrange import arrange
from vmwright.views.layout.measure import bold_width, shortened, text_width, wrapped
from vmwright.views.svg_drawing import Drawing, label_width, written
from vmwright.views.svg_style import state_class, style_sheet
from vmwright.views.wording import debts, heading, particulars, summary

_MARGIN = 32.0
_LEAST_WIDTH = 376.0
_LINE = 18.0
_HEADING_SIZE, _TEXT_SIZE, _LEGEND_SIZE = 18.0, 12.0, 11.0

_OPERATION_TONES = {
    OperationState.QUEUED: NodeState.PENDING,
    OperationState.RUNNING: NodeState.RUNNING,
    OperationState.UNDOING: NodeState.REVERTING,
    OperationState.INTERRUPTED: NodeState.REVERTING,
    OperationState.DONE: NodeState.SUCCESS,
    OperationState.UNDONE: NodeState.REVERTED,
    OperationState.CANCELLED: NodeState.REVERTED,
    OperationState.STUCK: NodeState.FAILURE,
    OperationState.PARKED: NodeState.IGNORE,
}


def render(graph: Graph) -> str:
    """An SVG document: boxes in the order of the flow, coloured by state.

    It needs no fonts, scripts or style sheets from elsewhere, may be put into an HTML page as it
    is, and follows the reader's colour scheme.
    """
    nodes, edges = nodes_of(graph), edges_of(graph)
    cards = {node.name: card_of(node) for node in nodes}
    layout = arrange(
        nodes,
        edges,
        {name: (CARD_WIDTH, card.height) for name, card in cards.items()},
        {edge: label_width(edge) for edge in edges if edge.values},
    )
    width = max(_LEAST_WIDTH, layout.width + 2 * _MARGIN)
    root = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "class": "vmw", "role": "img"})
    for tag, text in (
        ("title", heading(graph)),
        ("desc", summary(graph)),
        ("style", style_sheet()),
    ):
        ET.SubElement(root, tag).text = text
    canvas = ET.SubElement(root, "rect", {"class": "canvas"})
    top = _header(root, graph, width)
    place = f"translate({(width - layout.width) / 2:.1f} {top:.1f})"
    Drawing(graph, layout, cards).draw(ET.SubElement(root, "g", {"transform": place}))
    height = _legend(root, graph, top + layout.height) + _MARGIN
    for name, length in (("width", width), ("height", height)):
        root.set(name, f"{length:.0f}")
        canvas.set(name, f"{length:.0f}")
    root.set("viewBox", f"0 0 {width:.0f} {height:.0f}")
    return ET.tostring(root, encoding="unicode") + "\n"


def _header(root: ET.Element, graph: Graph, width: float) -> float:
    """Write what the picture shows; the y at which the drawing begins."""
    y = _MARGIN + _HEADING_SIZE * 0.8
    _headline(root, graph, width, y)
    lines = [("note", line) for line in particulars(graph)]
    lines += [("debt", line) for line in debts(graph)]
    for style, text in lines:
        for line in wrapped(text, _TEXT_SIZE, width - 2 * _MARGIN, 3):
            y += _LINE
            written(root, style, line, _MARGIN, y + 6)
    return y + _MARGIN + 8


def _headline(root: ET.Element, graph: Graph, width: float, y: float) -> None:
    """Name of the flow, or kind, state and time of the operation."""
    facts = operation_of(graph)
    text = heading(graph) if facts is None else printable(facts.kind)
    room = width - 2 * _MARGIN - (0.0 if facts is None else 200.0)
    text = shortened(text, _HEADING_SIZE * 1.14, room)
    written(root, "heading", text, _MARGIN, y)
    if facts is None:
        return
    x = _MARGIN + bold_width(text, _HEADING_SIZE) + 8
    pill_width = bold_width(facts.state.value, _TEXT_SIZE) + 20
    tone = state_class(_OPERATION_TONES[facts.state])
    pill = ET.SubElement(root, "g", {"class": f"pill {tone}"})
    box = {"x": x, "y": y - 17, "width": pill_width, "height": 22, "rx": 11}
    ET.SubElement(pill, "rect", {name: f"{value:.1f}" for name, value in box.items()})
    written(pill, "", facts.state.value, x + pill_width / 2, y - 2)
    written(root, "note", duration_words(graph.graph.get("elapsed")), x + pill_width + 10, y - 2)


def _legend(root: ET.Element, graph: Graph, y: float) -> float:
    """Say what the kinds of arrows in the picture mean; the y below that."""
    edges = edges_of(graph)
    entries = [
        ("order", "then", any(edge.order for edge in edges)),
        ("data", "hands a value on", not all(edge.order for edge in edges)),
        ("critical", "took longest", any(emphasised(graph, edge) for edge in edges)),
    ]
    x, y = _MARGIN, y + _MARGIN
    for kind, text, shown in entries:
        if not shown:
            continue
        entry = ET.SubElement(root, "g", {"class": f"legend {kind}"})
        ET.SubElement(entry, "path", {"class": "line", "d": f"M{x:.1f},{y:.1f} h24"})
        written(entry, "", text, x + 32, y + 4)
        x += 32 + text_width(text, _LEGEND_SIZE) + 20
    return y + 8 if edges else y - _MARGIN
