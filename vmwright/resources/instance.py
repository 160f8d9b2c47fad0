"""Instances, with everything that belongs to them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from vmwright.resources.operation import Held, Operation


class Address(BaseModel):
    """One of an instance on a network."""

    network: str
    ip: str
    mac: str


class AttachedVolume(BaseModel):
    """A volume of an instance; its size is in GiB."""

    id: str
    name: str
    size: int
    delete_on_termination: bool


class FlavorOfInstance(BaseModel):
    """The size that it was built with: memory in MiB, disk in GiB."""

    vcpus: int | None
    ram: int | None
    disk: int | None


class Instance(BaseModel):
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
    created_at: datetime | None
    launched_at: datetime | None
    deleted_at: datetime | None


class Built(BaseModel):
    """One instance of a request that was accepted."""

    operation: Operation
    instance: Instance
    admin_password: str | None
    """Told now and never again."""


class Accepted(BaseModel):
    """The answer to a request: its instances share the reservation's id."""

    reservation_id: str
    instances: list[Built]
