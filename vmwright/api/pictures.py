"""Graphs as answers."""

from collections.abc import Callable
from typing import Literal

from fastapi import Response

from vmwright.views import as_json, as_page, dot, mermaid, svg, text
from vmwright.views.graph import Graph

Format = Literal["json", "page", "dot", "mermaid", "svg", "text"]

_RENDERERS: dict[str, tuple[Callable[[Graph], str], str]] = {
    "json": (as_json.render, "application/json"),
    "page": (as_page.render, "application/json"),
    "dot": (dot.render, "text/vnd.graphviz"),
    "mermaid": (mermaid.render, "text/vnd.mermaid"),
    "svg": (svg.render, "image/svg+xml"),
    "text": (text.render, "text/plain; charset=utf-8"),
}


def picture(graph: Graph, kind: Format) -> Response:
    """The graph in one of the formats that there are."""
    render, media_type = _RENDERERS[kind]
    return Response(render(graph), media_type=media_type)
