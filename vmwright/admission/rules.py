"""The names of the policies, and which of them a request needs."""

from collections.abc import Iterator

from vmwright.request import CreateRequest

CREATE = "vmwright:create"
ATTACH_NETWORK = "vmwright:create:attach_network"
ATTACH_VOLUME = "vmwright:create:attach_volume"
FORCED_HOST = "vmwright:create:forced_host"
DELETE = "vmwright:delete"


def rules_of(request: CreateRequest) -> Iterator[str]:
    """The policies that must allow it, in the order in which they are asked."""
    yield CREATE
    if request.networks not in ((), "none"):
        yield ATTACH_NETWORK
    if request.devices():
        yield ATTACH_VOLUME
    if forces_host(request):
        yield FORCED_HOST


def forces_host(request: CreateRequest) -> bool:
    """Whether the request names a host, and not only a zone."""
    return request.availability_zone is not None and ":" in request.availability_zone
