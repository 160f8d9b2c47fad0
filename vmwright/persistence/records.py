"""Rows as frozen values: what stores return and the rest of the program reads."""

from dataclasses import dataclass, field, fields
from typing import Any, Self

import sqlalchemy as sa

from vmwright.ids import (
    FlavorId,
    HostId,
    ImageId,
    InstanceId,
    NetworkId,
    OperationId,
    OwnerId,
    PortId,
    VolumeId,
)
from vmwright.states import OperationState, PowerState, TaskState, VmState


@dataclass(frozen=True, kw_only=True)
class Record:
    """A row; fields have the names of their columns."""

    seq: int = 0

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Self:
        mapping = row._mapping
        return cls(**{f.name: mapping[f.name] for f in fields(cls) if f.name in mapping})

    def values(self) -> dict[str, Any]:
        """The row to insert; the database numbers it."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "seq"}


@dataclass(frozen=True, kw_only=True)
class Flavor(Record):
    id: FlavorId
    name: str
    vcpus: int
    ram_mib: int
    disk_gib: int
    """Size of the root disk; 0 leaves it at the image's size."""
    extra_specs: dict[str, str] = field(default_factory=dict)
    created_at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Image(Record):
    id: ImageId
    project_id: str
    name: str
    disk_format: str
    size_bytes: int
    virtual_size_bytes: int
    sha256: str
    min_disk_gib: int = 0
    min_ram_mib: int = 0
    location: str
    """Where the image store keeps it, relative to its root."""
    properties: dict[str, str] = field(default_factory=dict)
    created_at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class NetworkRecord(Record):
    id: NetworkId
    name: str
    kind: str
    cidr: str
    gateway: str
    host_id: HostId | None = None
    bridge: str | None = None
    created_at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class HostRecord(Record):
    id: HostId
    hypervisor_uuid: str
    name: str
    connection_uri: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    vcpu_ratio: float
    memory_ratio: float
    disk_ratio: float
    zone: str
    enabled: bool
    disabled_reason: str | None = None
    claim_serial: int = 0
    created_at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Instance(Record):
    id: InstanceId
    project_id: str
    user_id: str
    reservation_id: str
    name: str
    hostname: str
    vm_state: VmState
    task_state: TaskState | None
    power_state: PowerState
    host_id: HostId | None
    image_id: ImageId
    flavor_id: FlavorId
    request: dict[str, Any]
    request_version: int
    operation_id: OperationId | None
    fault: dict[str, Any] | None
    launched_on: str | None
    created_at: float
    launched_at: float | None
    deleted_at: float | None


@dataclass(frozen=True, kw_only=True)
class Operation(Record):
    """One run of a flow, as stored. `owes` is filled where debts were looked up too."""

    id: OperationId
    kind: str
    flow_name: str
    flow_version: int
    instance_id: InstanceId
    project_id: str
    user_id: str
    reservation_id: str
    idempotency_key: str | None = None
    state: OperationState
    owner_id: OwnerId | None = None
    epoch: int = 0
    attempt: int = 1
    flow_detail_id: str
    after_id: OperationId | None = None
    cancel_reason: str | None = None
    undo_tries: int = 0
    not_before: float = 0.0
    error: dict[str, Any] | None = None
    created_at: float = 0.0
    started_at: float | None = None
    finished_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Event(Record):
    """Something that happened to an operation. `seq` orders the events of one operation."""

    operation_id: OperationId
    instance_id: InstanceId
    kind: str
    """``operation``, ``instance``, ``task`` or ``progress``."""
    task: str | None = None
    attempt: int = 1
    direction: str | None = None
    state: str = ""
    at: float = 0.0
    error: dict[str, Any] | None = None
    detail: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Port(Record):
    id: PortId
    network_id: NetworkId
    instance_id: InstanceId
    operation_id: OperationId
    position: int
    mac: str
    ip: str
    ip_offset: int


@dataclass(frozen=True, kw_only=True)
class VolumeRecord(Record):
    id: VolumeId
    project_id: str
    name: str
    size_gib: int
    disk_format: str
    image_id: ImageId | None = None
    host_id: HostId | None = None
    location: str | None = None
    """Its name in the host's pool, once it was put on one."""
    made_by: OperationId | None = None
    """The operation whose undo removes it."""
    created_at: float = 0.0
    deleted_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Attachment(Record):
    id: str
    volume_id: VolumeId
    instance_id: InstanceId
    operation_id: OperationId
    position: int
    delete_on_termination: bool


@dataclass(frozen=True, kw_only=True)
class Debt(Record):
    """What must become absent on a host later."""

    id: str
    host_id: HostId
    kind: str
    key: str
    whose: dict[str, Any]
    reason: str
    operation_id: OperationId | None
    instance_id: InstanceId | None
    not_before: float
    tries: int = 0
    last_error: dict[str, Any] | None = None
    created_at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Owner(Record):
    """A process that runs operations."""

    id: OwnerId
    machine: str
    lock_path: str
    started_at: float
    expires_at: float
