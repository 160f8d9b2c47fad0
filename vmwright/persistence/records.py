"""Rows as frozen values: what stores return and the rest of the program reads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import sqlalchemy as sa

from vmwright.ids import (
    DeploymentId,
    FlavorId,
    HostId,
    ImageId,
    InstanceId,
    KeyPairId,
    Mark,
    NetworkId,
    OperationId,
    OwnerId,
    PortId,
    SecurityGroupId,
    ServerGroupId,
    SnapshotId,
    VolumeId,
    Whose,
)
from vmwright.networks import Addresses, NetworkKind
from vmwright.states import AttemptOutcome, OperationState, PowerState, TaskState, VmState


@dataclass(frozen=True, kw_only=True)
class Record:
    """A row; fields have the names of their columns."""

    seq: int = 0

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Self:
        values, names = row._asdict(), cls.__dataclass_fields__
        if len(values) != len(names):
            values = {name: values[name] for name in names if name in values}
        return cls(**values)

    def values(self) -> dict[str, Any]:
        """The row to insert; the database numbers it."""
        values = vars(self).copy()
        del values["seq"]
        return values


@dataclass(frozen=True, kw_only=True)
class Flavor(Record):
    id: FlavorId
    name: str
    vcpus: int
    ram_mib: int
    disk_gib: int
    """Size of the root disk; 0 leaves it at the image's size."""
    extra_specs: dict[str, str] = field(default_factory=dict)
    ephemeral_gib: int = 0
    """What the blank disks of an instance may come to; made if the request names none."""
    swap_mib: int = 0
    enabled: bool = True
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
    kind: NetworkKind
    cidr: str
    gateway: str
    bridge: str | None = None
    libvirt_network: str | None = None
    pool_first: str | None = None
    pool_last: str | None = None
    """The addresses that may be chosen from; None: all of the subnet."""
    dns: list[str] = field(default_factory=list)
    created_at: float = 0.0

    @property
    def source(self) -> str | None:
        """What it is called on its hosts; None for our own networks."""
        return self.bridge or self.libvirt_network

    @property
    def pool(self) -> tuple[str, str] | None:
        return (self.pool_first, self.pool_last) if self.pool_first and self.pool_last else None

    @property
    def addresses(self) -> Addresses:
        return Addresses(cidr=self.cidr, gateway=self.gateway, pool=self.pool)


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
    draining: bool = False
    traits: list[str] = field(default_factory=list)
    hypervisor_type: str | None = None
    """``kvm``, ``qemu`` or ``simulated``, as it said when it was registered."""
    architecture: str | None = None
    address: str | None = None
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
    """Empty if it boots from a volume."""
    flavor_id: FlavorId
    request: dict[str, Any]
    request_version: int
    operation_id: OperationId | None
    fault: dict[str, Any] | None
    launched_on: str | None
    created_at: float
    launched_at: float | None
    deleted_at: float | None
    vcpus: int = 0
    memory_mib: int = 0
    new_volumes: int = 0
    new_gib: int = 0
    new_ips: int = 0
    """What the request asks for, counted against quotas while rows for it are not there yet."""


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
    request_digest: str | None = None
    """Of the body that came with the idempotency key: it must come again with it."""

    def mark(self, deployment: DeploymentId) -> Mark:
        """What it writes on what it makes in its latest attempt."""
        return Mark(
            deployment=deployment,
            instance=self.instance_id,
            operation=self.id,
            attempt=self.attempt,
        )

    def whose(self, deployment: DeploymentId) -> Whose:
        """What it may remove: a build what it made itself, a delete whatever the instance has."""
        return Whose(
            deployment=deployment,
            instance=self.instance_id,
            operation=self.id if self.kind == "create" else None,
        )


@dataclass(frozen=True, kw_only=True)
class Attempt(Record):
    """The try of an operation on one host. `number` counts from 1."""

    operation_id: OperationId
    number: int
    host_id: HostId | None = None
    """None as long as no host was claimed for it."""
    outcome: AttemptOutcome | None = None
    fault: dict[str, Any] | None = None
    """Why it came to nothing: as `VmwrightError.to_store` gives it, and the task that failed."""
    ended_at: float | None = None
    """When it was done, or its undo began."""


@dataclass(frozen=True, kw_only=True)
class Event(Record):
    """Something that happened to an operation. `seq` orders the events of one operation."""

    operation_id: OperationId
    instance_id: InstanceId
    kind: str
    """``operation``, ``attempt``, ``instance``, ``task``, ``progress`` or ``debt``."""
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
    instance_id: InstanceId | None
    operation_id: OperationId | None
    position: int
    mac: str
    ip: str
    ip_offset: int
    project_id: str
    name: str | None = None
    user_made: bool = False
    """It was there before its instance, and stays after it."""


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
    snapshot_id: SnapshotId | None = None
    made_for: InstanceId | None = None
    """The instance whose request asked for it."""
    bootable: bool = False
    uses: int = 0
    """How often it was attached so far."""
    created_at: float = 0.0
    deleted_at: float | None = None


@dataclass(frozen=True, kw_only=True)
class Snapshot(Record):
    """What a volume held at one moment; never written again."""

    id: SnapshotId
    project_id: str
    name: str
    volume_id: VolumeId
    size_gib: int
    host_id: HostId
    location: str
    """Its name in the host's pool."""
    bootable: bool
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
    flows: Sequence[Sequence[Any]] | None = None
    """Names and versions of the flows that it can run; None of one of an earlier release."""

    def knows(self, flow: str, version: int) -> bool:
        return [flow, version] in [list(known) for known in self.flows or ()]


@dataclass(frozen=True, kw_only=True)
class KeyPair(Record):
    """An ssh public key of a user; the private half was never here."""

    id: KeyPairId
    user_id: str
    name: str
    public_key: str
    fingerprint: str
    created_at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SecurityGroup(Record):
    id: SecurityGroupId
    project_id: str
    name: str
    description: str = ""
    created_at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SecurityGroupRule(Record):
    """What a group lets through; None stands for any."""

    id: str
    group_id: SecurityGroupId
    direction: str
    ethertype: str
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: SecurityGroupId | None = None
    created_at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ServerGroup(Record):
    """Instances that are to be together, or apart."""

    id: ServerGroupId
    project_id: str
    user_id: str
    name: str
    policy: str
    max_server_per_host: int | None = None
    serial: int = 0
    created_at: float = 0.0
