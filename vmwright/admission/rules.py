"""The names of the policies, and which of them a request needs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmwright.request import CreateRequest
    from vmwright.spec import Spec

CREATE = "vmwright:create"
ATTACH_NETWORK = "vmwright:create:attach_network"
ATTACH_VOLUME = "vmwright:create:attach_volume"
FORCED_HOST = "vmwright:create:forced_host"
ZERO_DISK_FLAVOR = "vmwright:create:zero_disk_flavor"
DELETE = "vmwright:delete"
RUN = "vmwright:run"
RESOURCES = "vmwright:resources"
OPERATE = "vmwright:operate"
GIVE_UP = "vmwright:operation:give_up"
DEBTS = "vmwright:debts"
METRICS = "vmwright:metrics"


def rules_of(request: "CreateRequest") -> Iterator[str]:
    """The policies that must allow it, in the order in which they are asked."""
    yield CREATE
    if request.networks not in ((), "none"):
        yield ATTACH_NETWORK
    if request.devices():
        yield ATTACH_VOLUME
    if forces_host(request):
        yield FORCED_HOST


def rules_of_spec(spec: "Spec") -> Iterator[str]:
    """Further policies, which only show once the names of a request are known."""
    if spec.image is not None and spec.root_gib == 0:
        yield ZERO_DISK_FLAVOR


def forces_host(request: "CreateRequest") -> bool:
    """Whether the request names a host, and not only a zone."""
    return request.availability_zone is not None and ":" in request.availability_zone
