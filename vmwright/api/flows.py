"""Flows, and the verb that goes on with all of them."""

from typing import Any

from fastapi import APIRouter, Response

from vmwright.api.identity import Speaking
from vmwright.api.names import Id
from vmwright.api.pictures import Format, picture
from vmwright.resources.operation import Operation

router = APIRouter(tags=["operations"])


@router.get("/flows/{flow}/graph", response_model=None)
def show_flow(controller: Speaking, flow: Id, format: Format = "json") -> Response:
    """The tasks of a flow, by its kind: ``create`` or ``delete``."""
    return picture(controller.graph(flow), format)


@router.post("/resume", status_code=202, response_model=list[Operation])
def resume(controller: Speaking) -> list[dict[str, Any]]:
    """Take up everything that nobody runs. Says what is unfinished, of which living processes
    go on with what they run."""
    return controller.describe_operations(controller.resume())
