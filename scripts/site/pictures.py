"""The pictures of the flows, drawn from the code at each build."""

from collections.abc import Iterator
from io import StringIO

from vmwright.cli.main import run
from vmwright.flows import RECIPES, newest


def pictures() -> Iterator[tuple[str, str]]:
    """Place in the site and content of each, as `vmwright graph` draws it."""
    for kind in sorted({recipe.kind for recipe in RECIPES}):
        name, drawn, said = newest(kind).name, StringIO(), StringIO()
        if run(["graph", kind, "--format", "svg"], drawn, said) != 0:
            raise RuntimeError(said.getvalue())
        yield f"images/{name}.svg", drawn.getvalue()
