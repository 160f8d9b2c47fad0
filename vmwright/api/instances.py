"""Instances: built, looked at and deleted."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import Field

from vmwright.api.identity import Speaking
from vmwright.api.names import NameOrId
from vmwright.api.pages import DEFAULT, Limit, Text, tell_next
from vmwright.api.wire import Wish, keyed
from vmwright.controller import Controller
from vmwright.request import CreateRequest
from vmwright.request.create import MOST_INSTANCES
from vmwright.request.model import Model
from vmwright.resources.instance import Accepted, Instance
from vmwright.resources.operation import Operation
from vmwright.resources.plan import Plan
from vmwright.states import VmState

router = APIRouter(tags=["instances"])

IdempotencyKey = Annotated[
    str | None,
    Header(description="Asked again with the same key and body, the answer is the same."),
]
Begin = Annotated[
    bool, Query(description="Whether this service runs it; else whoever else serves the store.")
]


class Several(Model):
    """Requests that are accepted together, or not at all."""

    requests: Annotated[tuple[Wish, ...], Field(min_length=1, max_length=MOST_INSTANCES)]


@router.post("/instances", status_code=202, response_model=Accepted)
def create_instances(
    controller: Speaking,
    body: Wish,
    response: Response,
    idempotency_key: IdempotencyKey = None,
    begin: Begin = True,
) -> dict[str, Any]:
    """Accept a build, and begin it. `Location` is the operation of its first instance."""
    wish = body if idempotency_key is None else keyed(body, idempotency_key)
    (accepted,) = _accepted(controller, [wish], response, begin=begin)
    return accepted


@router.post("/reservations", status_code=202, response_model=list[Accepted])
def create_reservations(
    controller: Speaking,
    body: Several,
    response: Response,
    idempotency_key: IdempotencyKey = None,
    begin: Begin = True,
) -> list[dict[str, Any]]:
    """Accept several requests, all of them or none, and begin them side by side. With an
    idempotency key KEY they have the keys ``KEY#1``, ``KEY#2``, ... of their own."""
    wishes = list(body.requests)
    if idempotency_key is not None:
        wishes = [keyed(one, f"{idempotency_key}#{n}") for n, one in enumerate(wishes, 1)]
    return _accepted(controller, wishes, response, begin=begin)


@router.post("/plan", response_model=list[Plan])
def plan(controller: Speaking, body: Several) -> list[dict[str, Any]]:
    """What these requests would do, a plan for each instance; nothing of it is done."""
    from vmwright.views.as_json import document

    plans = controller.plan(*body.requests)
    return [{**vars(one), "graph": document(one.graph)} for one in plans]


@router.get("/instances", response_model=list[Instance])
def list_instances(
    controller: Speaking,
    request: Request,
    response: Response,
    text: Text = None,
    vm_state: VmState | None = None,
    host: Annotated[str | None, Query(description="Name or id.")] = None,
    reservation: str | None = None,
    after: str | None = None,
    limit: Limit = DEFAULT,
) -> list[dict[str, Any]]:
    """Living instances, oldest first, after the one with the id `after`."""
    found = controller.find_instances(
        text=text,
        vm_state=vm_state,
        host=host,
        reservation=reservation,
        after=after,
        limit=limit + 1,
    )
    if len(found) > limit:
        found = found[:limit]
        tell_next(request, response, after=found[-1].id)
    return controller.describe_instances(found)


@router.get("/instances/{instance}", response_model=Instance)
def show_instance(controller: Speaking, instance: NameOrId) -> dict[str, Any]:
    """One that lives."""
    return controller.describe_instance(controller.instance(instance))


@router.delete("/instances/{instance}", status_code=202, response_model=Operation)
def delete_instance(controller: Speaking, instance: NameOrId, response: Response) -> dict[str, Any]:
    """Accept the end of an instance, and begin it."""
    operation = controller.delete(instance)
    response.headers["Location"] = f"/v1/operations/{operation.id}"
    return controller.describe_operation(operation)


def _accepted(
    controller: Controller, wishes: Sequence[CreateRequest], response: Response, *, begin: bool
) -> list[dict[str, Any]]:
    accept = controller.create_all if begin else controller.submit_all
    reservations = accept(*wishes)
    operations = controller.as_they_stand(
        one for reservation in reservations for one in reservation.operations
    )
    response.headers["Location"] = f"/v1/operations/{operations[0].id}"
    passwords = {key: word for one in reservations for key, word in one.passwords.items()}
    built = [
        {
            "operation": operation,
            "instance": instance,
            "admin_password": passwords.get(known.instance_id),
        }
        for known, operation, instance in zip(
            operations,
            controller.describe_operations(operations),
            controller.describe_instances(controller.instances_of(operations)),
            strict=True,
        )
    ]
    rest = iter(built)
    return [
        {"reservation_id": one.id, "instances": [next(rest) for _ in one.operations]}
        for one in reservations
    ]
