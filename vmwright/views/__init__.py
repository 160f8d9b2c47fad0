"""Pictures of flows and operations: one graph, and a renderer for each kind of reader."""

from collections.abc import Callable

from vmwright.views import as_json, dot, mermaid, svg, text
from vmwright.views.graph import Graph

RENDERERS: dict[str, Callable[[Graph], str]] = {
    "text": text.render,
    "dot": dot.render,
    "mermaid": mermaid.render,
    "svg": svg.render,
    "json": as_json.render,
}
"""By the name that a user gives. Each makes a whole document of a graph, whatever is in it."""
