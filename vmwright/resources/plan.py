"""What a build would do."""

from typing import Any

from vmwright.resources.resource import Resource


class HostVerdict(Resource):
    """One host, and why the instance would go there or not: the more `weight`, the better."""

    host: str
    weight: float | None
    weights: dict[str, float]
    filter: str | None
    reason: str | None


class PlannedAddress(Resource):
    """One interface. `origin` is ``port``, ``asked`` or ``next free``."""

    network: str
    ip: str | None
    mac: str | None
    origin: str


class PlannedDisk(Resource):
    """One disk, in the guest's order. `source` is what it begins as."""

    role: str
    name: str
    size_bytes: int | None
    host: str | None
    source: str


class Plan(Resource):
    """What would become of one instance. `graph` is as `/v1/operations/{id}/graph` has it."""

    name: str
    host: str | None
    hosts: list[HostVerdict]
    addresses: list[PlannedAddress]
    disks: list[PlannedDisk]
    definition: str | None
    graph: dict[str, Any]
    remarks: list[str]
