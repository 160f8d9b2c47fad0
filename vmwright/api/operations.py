"""Operations: how they stand, what happens to them, and the verbs to go on."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from vmwright.api.identity import Speaking
from vmwright.api.names import Id
from vmwright.api.pages import DEFAULT, Limit, tell_next
from vmwright.api.pictures import Format, picture
from vmwright.request.model import Model
from vmwright.resources.operation import Operation
from vmwright.states import OperationState

router = APIRouter(prefix="/operations", tags=["operations"])

Why = Annotated[str, Field(min_length=1, max_length=255)]


class Cancellation(Model):
    """Why a build is taken back."""

    reason: Why = "asked by the user"


class GivingUp(Model):
    """Why what it leaves is owed."""

    why: Why


class Skipping(GivingUp):
    """The task that the operation is stuck in."""

    task: str


@router.get("", response_model=list[Operation])
def list_operations(
    controller: Speaking,
    request: Request,
    response: Response,
    state: Annotated[Sequence[OperationState], Query()] = tuple(OperationState),
    before: str | None = None,
    limit: Limit = DEFAULT,
) -> list[dict[str, Any]]:
    """The newest ones in these states, or of those that came before one; oldest of them first."""
    found = controller.operations(state, before=before, limit=limit + 1)
    if len(found) > limit:
        found = found[-limit:]
        tell_next(request, response, before=found[0].id)
    return controller.describe_operations(found)


@router.get("/{operation}", response_model=Operation)
def show_operation(controller: Speaking, operation: Id) -> dict[str, Any]:
    """One operation."""
    return controller.describe_operation(controller.operation(operation))


@router.get("/{operation}/graph", response_model=None)
def show_graph(
    controller: Speaking,
    operation: Id,
    format: Format = "json",
) -> Response:
    """Its tasks with their states, as data or as a picture."""
    return picture(controller.graph(operation), format)


@router.post("/{operation}/cancel", status_code=202, response_model=Operation)
def cancel_operation(
    controller: Speaking, operation: Id, body: Cancellation | None = None
) -> dict[str, Any]:
    """Have a build taken back, wherever it runs."""
    reason = (body or Cancellation()).reason
    return controller.describe_operation(controller.cancel(operation, reason))


@router.post("/{operation}/resume", status_code=202, response_model=Operation)
def resume_operation(controller: Speaking, operation: Id) -> dict[str, Any]:
    """Take up what nobody runs, or what was parked."""
    (known,) = controller.resume(operation)
    return controller.describe_operation(known)


@router.post("/{operation}/retry", status_code=202, response_model=Operation)
def retry_operation(controller: Speaking, operation: Id) -> dict[str, Any]:
    """Try a stuck operation again from where it is stuck."""
    return controller.describe_operation(controller.retry(operation))


@router.post("/{operation}/skip", status_code=202, response_model=Operation)
def skip_operation(controller: Speaking, operation: Id, body: Skipping) -> dict[str, Any]:
    """Give up the undo of the task that it is stuck in: what that should remove is owed."""
    return controller.describe_operation(controller.skip(operation, body.task, body.why))


@router.post("/{operation}/abandon", status_code=200, response_model=Operation)
def abandon_operation(controller: Speaking, operation: Id, body: GivingUp) -> dict[str, Any]:
    """End an operation that is stuck or parked: whatever it leaves is owed."""
    return controller.describe_operation(controller.abandon(operation, body.why))
