"""Instances: built, looked at and deleted."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from vmwright.api.identity import Speaking
from vmwright.request import CreateRequest
from vmwright.resources.instance import Accepted, Instance
from vmwright.resources.operation import Operation

router = APIRouter(prefix="/instances", tags=["instances"])

_PAGE = 100
_MOST = 1000


@router.post("", status_code=202, response_model=Accepted)
def create(
    controller: Speaking,
    request: CreateRequest,
    response: Response,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> dict[str, Any]:
    """Accept a build, and begin it. `Location` is the operation of its first instance."""
    if idempotency_key is not None:
        request = CreateRequest.parse(**{**dict(request), "idempotency_key": idempotency_key})
    (reservation,) = controller.create_all(request)
    built = []
    for begun in reservation.operations:
        operation = controller.operation(begun.id)
        built.append(
            {
                "operation": controller.describe_operation(operation),
                "instance": controller.describe_instance(controller.instance_of(operation)),
                "admin_password": reservation.passwords.get(operation.instance_id),
            }
        )
    response.headers["Location"] = f"/v1/operations/{reservation.operations[0].id}"
    return {"reservation_id": reservation.id, "instances": built}


@router.get("", response_model=list[Instance])
def instances(
    controller: Speaking,
    reservation: str | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = _PAGE,
) -> list[dict[str, Any]]:
    """Living instances, oldest first, after the one with the id `after`."""
    return controller.describe_instances(
        controller.instances(reservation, after=after, limit=limit)
    )


@router.get("/{instance}", response_model=Instance)
def show(controller: Speaking, instance: str) -> dict[str, Any]:
    """One by its name or id."""
    return controller.describe_instance(controller.instance(instance))


@router.delete("/{instance}", status_code=202, response_model=Operation)
def delete(controller: Speaking, instance: str, response: Response) -> dict[str, Any]:
    """Accept the end of an instance, and begin it."""
    operation = controller.delete(instance)
    response.headers["Location"] = f"/v1/operations/{operation.id}"
    return controller.describe_operation(operation)
