"""Hosts, what is claimed of them, and the zones that they are in."""

from vmwright.resources.resource import Moment, Resource


class Host(Resource):
    """A machine that runs instances, what is claimed of it, and whether it answers.

    Of vcpus, memory and disk so much is given out as there is times the ratio. `circuit` is
    ``closed`` as long as it answers the controllers of the service's machine.
    """

    id: str
    name: str
    connection_uri: str
    hypervisor_uuid: str
    hypervisor_type: str | None
    architecture: str | None
    address: str | None
    zone: str
    traits: list[str]
    enabled: bool
    disabled_reason: str | None
    draining: bool
    vcpus: int
    memory_mib: int
    disk_gib: int
    vcpu_ratio: float
    memory_ratio: float
    disk_ratio: float
    created_at: Moment
    claimed_vcpus: int
    claimed_memory_mib: int
    claimed_disk_gib: int
    instances: int
    circuit: str
    silent_since: Moment | None
    silent_reason: str | None
    unanswered_calls: int


class Zone(Resource):
    """The hosts that say that they are in one place; it is available if one takes instances."""

    name: str
    available: bool
    hosts: list[str]
