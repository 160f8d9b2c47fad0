"""What a build would do, with its graph as renderers take it."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from vmwright.resources import plan
from vmwright.views.from_json import graph_of


class Plan(plan.Plan):
    """As `Controller.plan` returns them."""

    graph: Annotated[Any, BeforeValidator(graph_of), Field(repr=False)]
    """A networkx graph: see `vmwright.views.graph`."""
