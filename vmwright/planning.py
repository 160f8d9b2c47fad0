"""What a build would do, shown without doing any of it: nothing is stored, no host is asked."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from vmwright.admission import Caller, Door
from vmwright.admission.images import image_spec
from vmwright.backends.volumes import Volume
from vmwright.flows import newest
from vmwright.ids import DeploymentId, InstanceId, Mark, NetworkId, OperationId, new_id
from vmwright.persistence.ports import mac_of
from vmwright.persistence.records import HostRecord, VolumeRecord
from vmwright.request import CreateRequest
from vmwright.scheduler.decision import Decision, why_no_host
from vmwright.spec import NicSpec, SnapshotSpec, Spec, VolumeSpec
from vmwright.tasks.guest_parts import (
    config_drive_name,
    data_volume,
    device_of,
    guest_of,
    local_volumes,
    location_of,
)
from vmwright.tasks.task import Means
from vmwright.views.graph import Graph, flow_graph

_MADE_UP = "ids, and names that follow from them, are made up here: a build has others"


@dataclass(frozen=True, kw_only=True)
class HostVerdict:
    """One host, and why the instance would go there or not."""

    host: str
    weight: float | None = None
    """The more, the better; None for a host that was refused."""
    weights: dict[str, float] = field(default_factory=dict)
    """What each weigher gave."""
    filter: str | None = None
    """Which filter refused it."""
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedAddress:
    """One interface. `origin` is ``port``, ``asked`` or ``next free``."""

    network: str
    ip: str | None
    """None if the network has no free address: the build would fail."""
    mac: str | None
    """None if it follows from an id that is not made yet."""
    origin: str


@dataclass(frozen=True, kw_only=True)
class PlannedDisk:
    """One disk, in the guest's order. `source` is what it begins as."""

    role: str
    """``root``, ``ephemeral0``, ``swap``, ``volume`` or ``config``."""
    name: str
    """Of a volume its own; of others the name in the host's pool."""
    size_bytes: int | None
    """None for a config drive: as large as what is written on it."""
    host: str | None
    source: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What would become of one instance."""

    name: str
    host: str | None
    """None if no host can take it."""
    hosts: tuple[HostVerdict, ...]
    """The best one first; then those that were refused."""
    addresses: tuple[PlannedAddress, ...]
    disks: tuple[PlannedDisk, ...]
    definition: str | None
    """The guest as its host would be told of it; None without a host."""
    graph: Graph = field(compare=False, repr=False)
    remarks: tuple[str, ...]


class Planner:
    """Plans what the door would accept."""

    def __init__(self, means: Means, deployment: DeploymentId, door: Door) -> None:
        self._means = means
        self._stores = means.stores
        self._deployment = deployment
        self._door = door

    def plans(self, requests: Iterable[CreateRequest], caller: Caller) -> list[Plan]:
        """A plan for each instance, as if those before it were being built.

        Raises what the door raises: it holds each request against the quota as it stands.
        """
        with self._stores.database.read() as connection:
            wishes = [
                wish
                for request in requests
                for wish in self._door.acceptable(connection, request, caller)
            ]
            return self._plans(connection, wishes)

    def _plans(
        self, connection: sa.Connection, wishes: Sequence[tuple[InstanceId, Spec]]
    ) -> list[Plan]:
        hosts = {host.id: host for host in self._stores.registries.hosts.all(connection)}
        decisions = self._means.placement.decide_all(connection, wishes)
        taken: dict[NetworkId, set[int]] = {}
        plans = []
        for (instance, spec), decision in zip(wishes, decisions, strict=True):
            addresses = [self._address(connection, nic, taken) for nic in spec.nics]
            chosen = hosts[decision.chosen.id] if decision.chosen else None
            plans.append(self._plan(connection, instance, spec, decision, chosen, addresses))
        return plans

    def _plan(
        self,
        connection: sa.Connection,
        instance: InstanceId,
        spec: Spec,
        decision: Decision,
        host: HostRecord | None,
        addresses: Sequence[PlannedAddress],
    ) -> Plan:
        mark = Mark(
            deployment=self._deployment,
            instance=instance,
            operation=OperationId(new_id()),
            attempt=1,
        )
        volumes = [self._volume(connection, mark, wish) for wish in spec.volumes]
        flow = newest("create").make(self._means, spec.hooks)
        return Plan(
            name=spec.name,
            host=host.name if host else None,
            hosts=tuple(_verdicts(decision)),
            addresses=tuple(addresses),
            disks=tuple(_disks(mark, spec, volumes, host)),
            definition=self._definition(mark, spec, volumes, host),
            graph=flow_graph(flow),
            remarks=tuple(self._remarks(decision, host, addresses)),
        )

    def _address(
        self, connection: sa.Connection, nic: NicSpec, taken: dict[NetworkId, set[int]]
    ) -> PlannedAddress:
        """`taken` are the addresses that are gone by now; this one is added."""
        if nic.network not in taken:
            taken[nic.network] = self._stores.ports.taken_offsets(connection, nic.network)
        gone = taken[nic.network]
        if nic.ip is not None:
            gone.add(nic.addresses.offset_of(nic.ip))
            origin = "port" if nic.given else "asked"
            return PlannedAddress(network=nic.network_name, ip=nic.ip, mac=nic.mac, origin=origin)
        offset = nic.addresses.next_free(gone)
        gone |= set() if offset is None else {offset}
        ip = None if offset is None else nic.addresses.at(offset)
        return PlannedAddress(network=nic.network_name, ip=ip, mac=nic.mac, origin="next free")

    def _volume(self, connection: sa.Connection, mark: Mark, wish: VolumeSpec) -> Volume:
        """A volume of the request as it lies on its host, or would."""
        record = self._stores.volumes.get(connection, wish.volume)
        if record is None or record.location is None:
            return data_volume(wish, location_of(mark, wish.volume))
        return data_volume(self._as_begun(connection, wish, record), record.location)

    def _as_begun(
        self, connection: sa.Connection, wish: VolumeSpec, record: VolumeRecord
    ) -> VolumeSpec:
        """A volume that is on a host, with what it began as: that is below it still."""
        image = record.image_id and self._stores.registries.images.get(connection, record.image_id)
        origin = record.snapshot_id and self._stores.snapshots.get(connection, record.snapshot_id)
        begun = {
            "image": image_spec(image) if image else None,
            "snapshot": SnapshotSpec(id=origin.id, host=origin.host_id, location=origin.location)
            if origin
            else None,
        }
        return wish.changed(**begun)

    def _definition(
        self, mark: Mark, spec: Spec, volumes: Sequence[Volume], host: HostRecord | None
    ) -> str | None:
        if host is None:
            return None
        devices = [
            device_of(wish, volume.name) for wish, volume in zip(spec.volumes, volumes, strict=True)
        ]
        guest = guest_of(mark, spec, [nic.mac or mac_of(nic.port, 0) for nic in spec.nics], devices)
        hypervisor = self._means.backend.host(host.connection_uri).hypervisor
        made = [*local_volumes(mark, spec), *volumes]
        return hypervisor.definition(guest, mark, made, host.hypervisor_type)

    def _remarks(
        self, decision: Decision, host: HostRecord | None, addresses: Sequence[PlannedAddress]
    ) -> Iterator[str]:
        yield _MADE_UP
        if not decision.candidates and not decision.refusals:
            uri = self._means.backend.default_uri
            yield f"no host is registered: create would first register the one at {uri}"
        elif host is None:
            yield why_no_host(decision.refusals)
        elif host.hypervisor_type is None:
            yield (
                f"host {host.name} has not said what it runs guests by: unless the configuration "
                "does, emulation is shown"
            )
        for address in addresses:
            if address.ip is None:
                yield f"network {address.network!r} has no free address: the build would fail"


def _verdicts(decision: Decision) -> Iterator[HostVerdict]:
    for candidate in decision.candidates:
        yield HostVerdict(
            host=candidate.host.name, weight=candidate.weight, weights=dict(candidate.weights)
        )
    for refusal in decision.refusals:
        yield HostVerdict(host=refusal.host, filter=refusal.filter, reason=refusal.reason)


def _disks(
    mark: Mark, spec: Spec, volumes: Sequence[Volume], host: HostRecord | None
) -> Iterator[PlannedDisk]:
    where = host.name if host else None
    for local in local_volumes(mark, spec):
        image = spec.image if local.base is not None else None
        yield PlannedDisk(
            role=local.name.split(".")[-2],
            name=local.name,
            size_bytes=local.size_bytes,
            host=where,
            source=f"image {image.name}" if image else "blank",
        )
    for wish, volume in zip(spec.volumes, volumes, strict=True):
        yield PlannedDisk(
            role="volume",
            name=wish.name,
            size_bytes=volume.size_bytes,
            host=where,
            source=_source(wish),
        )
    if spec.config_drive:
        yield PlannedDisk(
            role="config",
            name=config_drive_name(mark),
            size_bytes=None,
            host=where,
            source=spec.config_drive_format,
        )


def _source(wish: VolumeSpec) -> str:
    if wish.source == "existing":
        return "is there" if wish.image is None and wish.snapshot is None else "was registered"
    if wish.image is not None:
        return f"image {wish.image.name}"
    return "blank" if wish.snapshot is None else f"snapshot {wish.snapshot.id}"
