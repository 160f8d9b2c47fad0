"""Operations: how they stand, what happens to them, and the verbs to go on."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from vmwright.api.events import feed_of
from vmwright.api.identity import Speaking, refuse_forgotten
from vmwright.api.names import Id
from vmwright.api.pages import DEFAULT, Limit, Text, tell_next
from vmwright.api.pictures import Format, picture
from vmwright.api.waiting import settled
from vmwright.controller import Controller
from vmwright.persistence.searching import WINDOW
from vmwright.request.model import Model
from vmwright.resources.instance import Instance
from vmwright.resources.operation import Operation, OperationCounts
from vmwright.states import OperationState

router = APIRouter(prefix="/operations", tags=["operations"])

Patience = Annotated[
    float, Query(ge=0, le=60, allow_inf_nan=False, description="Seconds; 60 at most.")
]
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
    kind: str | None = None,
    instance: Annotated[str | None, Query(description="Its name, or its id.")] = None,
    text: Text = None,
    host: Annotated[str | None, Query(description="Of the latest attempt.")] = None,
    before: str | None = None,
    limit: Limit = DEFAULT,
) -> list[dict[str, Any]]:
    """The newest ones that fit, or of those that came before one; oldest of them first. A page
    may be short, or empty, and a next one follow: `Link` says so."""
    found = controller.find_operations(
        state, kind=kind, instance=instance, text=text, host=host, before=before, limit=limit
    )
    if found.before is not None:
        tell_next(request, response, before=found.before)
    return controller.describe_operations(found.operations)


@router.get("/counts")
def count_operations(controller: Speaking) -> OperationCounts:
    """How many there are in each state."""
    return OperationCounts(states=dict(controller.operation_counts()), newest=WINDOW)


@router.get("/{operation}", response_model=Operation)
async def show_operation(
    controller: Speaking, request: Request, operation: Id, wait: Patience = 0
) -> dict[str, Any]:
    """One operation; at once, or as soon as nothing more happens to it by itself: with `wait` so
    many seconds later at the latest."""
    known = await asyncio.to_thread(controller.operation, operation)
    if wait:
        await settled(feed_of(request), controller, known.id, wait)
        await refuse_forgotten(request)
    return await asyncio.to_thread(_described, controller, operation)


@router.get("/{operation}/graph", response_model=None)
def show_graph(
    controller: Speaking,
    operation: Id,
    format: Format = "json",
) -> Response:
    """Its tasks with their states, as data or as a picture."""
    return picture(controller.graph(operation), format)


@router.get("/{operation}/instance", response_model=Instance)
def show_instance_of(controller: Speaking, operation: Id) -> dict[str, Any]:
    """The instance that it is for, also after that was deleted."""
    return controller.describe_instance(controller.instance_of(controller.operation(operation)))


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


def _described(controller: Controller, operation: str) -> dict[str, Any]:
    return controller.describe_operation(controller.operation(operation))
