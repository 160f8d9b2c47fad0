"""Instances, with everything that belongs to them."""

from typing import Any

from vmwright.resources.operation import Held, Operation
from vmwright.resources.resource import Moment, Resource


class Address(Resource):
    """One of an instance on a network."""

    network: str
    ip: str
    mac: str


class AttachedVolume(Resource):
    """A volume of an instance; its size is in GiB."""

    id: str
    name: str
    size: int
    delete_on_termination: bool


class FlavorOfInstance(Resource):
    """The size that it was built with: memory in MiB, disk in GiB."""

    vcpus: int | None
    ram: int | None
    disk: int | None


class Instance(Resource):
    """A virtual machine as its user knows it."""

    id: str
    name: str
    vm_state: str
    task_state: str | None
    power_state: str | None
    host: str | None
    addresses: list[Address]
    volumes: list[AttachedVolume]
    fault: dict[str, Any] | None
    held: list[Held]
    operation_id: str | None
    image: str | None
    flavor: FlavorOfInstance
    hostname: str | None
    metadata: dict[str, str] | None
    tags: list[str]
    description: str | None
    access_ip_v4: str | None
    access_ip_v6: str | None
    key_name: str | None
    security_groups: list[str]
    config_drive: bool | None
    shutdown_terminate: bool
    availability_zone: str | None
    project_id: str
    user_id: str
    reservation_id: str
    created_at: Moment | None
    launched_at: Moment | None
    deleted_at: Moment | None


class Built(Resource):
    """One instance of a request that was accepted."""

    operation: Operation
    instance: Instance
    admin_password: str | None
    """Told now and never again."""


class Accepted(Resource):
    """The answer to a request: its instances share the reservation's id."""

    reservation_id: str
    instances: list[Built]
