"""The command that draws flows and operations."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, cast

from vmwright.cli.command import Command
from vmwright.errors import InvalidRequest

if TYPE_CHECKING:
    from vmwright.tasks.task import Means
    from vmwright.views.graph import Graph as Drawn

_FORMATS = ("text", "dot", "mermaid", "svg", "json")


class Graph(Command):
    """Draw an operation as it stands, or a flow as it is written."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "subject", metavar="OPERATION|FLOW", help="id of an operation, or create or delete"
        )
        parser.add_argument("--format", choices=_FORMATS, default="text")
        parser.add_argument("--output", metavar="FILE", help="write there, not to the terminal")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        graph = _flow(parsed_args.subject) or self.session.controller.graph(parsed_args.subject)
        encoding = "utf-8" if parsed_args.output else self.session.stdout.encoding
        picture = _rendered(graph, parsed_args.format, encoding or "utf-8")
        if parsed_args.output is None:
            self.session.stdout.write(picture)
            return
        try:
            Path(parsed_args.output).write_text(picture, encoding="utf-8")
        except OSError as error:
            raise InvalidRequest(
                f"{parsed_args.output!r} cannot be written: {error.strerror}"
            ) from error


def _flow(subject: str) -> "Drawn | None":
    """The graph of the flow of this name or kind. It needs no store and no backend."""
    from vmwright.flows import NO_HOOKS, RECIPES
    from vmwright.views.graph import flow_graph

    known = [one for one in RECIPES if subject in (one.name, one.kind)]
    if not known:
        return None
    # Tasks only keep their means for when they are run.
    newest = max(known, key=lambda one: one.version)
    return flow_graph(newest.make(cast("Means", None), NO_HOOKS))


def _rendered(graph: "Drawn", output: str, encoding: str) -> str:
    from vmwright.terminal.words import Glyphs
    from vmwright.views import as_json, dot, mermaid, svg, text

    match output:
        case "dot":
            return dot.render(graph)
        case "mermaid":
            return mermaid.render(graph)
        case "svg":
            return svg.render(graph)
        case "json":
            return as_json.render(graph)
        case _:
            return text.render(graph, Glyphs.for_encoding(encoding))
