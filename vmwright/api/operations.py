"""Operations: how they stand, what happens to them, and the verbs to go on."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel, Field

from vmwright.api.identity import Speaking
from vmwright.resources.operation import Operation
from vmwright.states import OperationState

router = APIRouter(prefix="/operations", tags=["operations"])

_PAGE = 100
_MOST = 1000

Why = Annotated[str, Field(min_length=1, max_length=255)]


class Cancellation(BaseModel):
    """Why a build is taken back."""

    reason: Why = "asked by the user"


class GivingUp(BaseModel):
    """Why what it leaves is owed."""

    why: Why


class Skipping(GivingUp):
    """The task that the operation is stuck in."""

    task: str


@router.get("", response_model=list[Operation])
def operations(
    controller: Speaking,
    state: Annotated[Sequence[OperationState], Query()] = tuple(OperationState),
    before: str | None = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = _PAGE,
) -> list[dict[str, Any]]:
    """The newest ones in these states, or of those that came before one; oldest of them first."""
    found = controller.operations(state, before=before, limit=limit)
    return controller.describe_operations(found)


@router.get("/{operation}", response_model=Operation)
def show(controller: Speaking, operation: str) -> dict[str, Any]:
    return controller.describe_operation(controller.operation(operation))


@router.get("/{operation}/graph", response_model=None)
def graph(
    controller: Speaking,
    operation: str,
    format: Literal["json", "dot", "mermaid", "svg", "text"] = "json",
) -> Response:
    """Its tasks with their states, as data or as a picture."""
    from vmwright.api.pictures import picture

    return picture(controller.graph(operation), format)


@router.post("/{operation}/cancel", status_code=202, response_model=Operation)
def cancel(
    controller: Speaking, operation: str, body: Annotated[Cancellation | None, Body()] = None
) -> dict[str, Any]:
    """Have a build taken back, wherever it runs."""
    reason = (body or Cancellation()).reason
    return controller.describe_operation(controller.cancel(operation, reason))


@router.post("/{operation}/resume", status_code=202, response_model=Operation)
def resume(controller: Speaking, operation: str) -> dict[str, Any]:
    """Take up what nobody runs, or what was parked."""
    (known,) = controller.resume(operation)
    return controller.describe_operation(known)


@router.post("/{operation}/retry", status_code=202, response_model=Operation)
def retry(controller: Speaking, operation: str) -> dict[str, Any]:
    """Try a stuck operation again from where it is stuck."""
    return controller.describe_operation(controller.retry(operation))


@router.post("/{operation}/skip", status_code=202, response_model=Operation)
def skip(controller: Speaking, operation: str, body: Skipping) -> dict[str, Any]:
    """Give up the undo of the task that it is stuck in: what that should remove is owed."""
    return controller.describe_operation(controller.skip(operation, body.task, body.why))


@router.post("/{operation}/abandon", status_code=200, response_model=Operation)
def abandon(controller: Speaking, operation: str, body: GivingUp) -> dict[str, Any]:
    """End an operation that is stuck or parked: whatever it leaves is owed."""
    return controller.describe_operation(controller.abandon(operation, body.why))
