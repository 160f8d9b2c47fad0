"""Requests as they are sent, and what is said of them once they are accepted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from vmwright.errors import InvalidRequest
from vmwright.resources.instance import Accepted
from vmwright.resources.operation import Operation

if TYPE_CHECKING:
    from vmwright.request import CreateRequest


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """The answer to a request: its instances share the id, and are built side by side."""

    id: str
    operations: Sequence[Operation]
    """One for each instance, in the order of their names."""
    passwords: dict[str, str] = field(default_factory=dict, repr=False)
    """By instance. Told now and never again."""


def written(request: "CreateRequest") -> dict[str, Any]:
    """A request as JSON: only what is not the default, as a later service may have others."""
    return request.model_dump(mode="json", exclude_defaults=True)


def known_again(request: "CreateRequest") -> dict[str, Any]:
    """The same with an idempotency key: where the answer is lost, it may be asked for once more,
    and is not built twice."""
    return {"idempotency_key": f"client-{uuid4()}"} | written(request)


def single(request: "CreateRequest") -> "CreateRequest":
    """The request, if it is for one instance: one operation builds one."""
    if request.count > 1:
        raise InvalidRequest(
            f"{request.count} instances are asked for, and one operation builds one",
            hint="use create_all or submit_all",
        )
    return request


def reservation_of(accepted: Accepted) -> Reservation:
    return Reservation(
        id=accepted.reservation_id,
        operations=[built.operation for built in accepted.instances],
        passwords={
            built.instance.id: built.admin_password
            for built in accepted.instances
            if built.admin_password is not None
        },
    )
