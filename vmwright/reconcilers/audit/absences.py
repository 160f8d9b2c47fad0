"""What the store says is on a host, and is not.

Something is missing only if the store expected it before the host was looked at and still does
afterwards: what comes or goes meanwhile is not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vmwright.ids import DeploymentId, HostId, InstanceId, Mark, volume_name
from vmwright.persistence.census import Address, KnownInstance, KnownOperation, KnownVolume
from vmwright.persistence.stores import Stores
from vmwright.reconcilers.audit.sightings import Sighting
from vmwright.reconcilers.audit.verdicts import Finding, missing
from vmwright.states import OperationState

_FORMAT = "qcow2"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What should be on a host, as the store had it at one moment."""

    instances: Sequence[KnownInstance]
    roots: Mapping[InstanceId, str]
    """The root disks of those that have one."""
    volumes: Sequence[KnownVolume]
    snapshots: Sequence[KnownVolume]
    addresses: Sequence[Address]


def expected_on(stores: Stores, deployment: DeploymentId, host: HostId) -> Expected:
    """Only of instances that nothing is done to: others are just coming or going."""
    census = stores.census
    with stores.database.read() as connection:
        instances = census.settled_on(connection, host)
        settled = {instance.id for instance in instances}
        operations = census.operations(connection, settled)
        addresses = census.addresses_on(connection, host)
        return Expected(
            instances=instances,
            roots={i.id: root for i in instances if (root := _root(i, operations, deployment))},
            volumes=[*census.volumes_on(connection, host).values()],
            snapshots=[*census.snapshots_on(connection, host).values()],
            addresses=[a for a in addresses if a.instance_id in settled],
        )


def absent(expected: Expected, seen: Sighting, deployment: DeploymentId) -> Iterator[Finding]:
    """Everything expected that was not seen. Pure."""
    host = seen.host.id
    guests = {d.uuid for d in seen.domains if d.mark and d.mark.deployment == deployment}
    stored = {volume.name for volume in seen.volumes}
    reserved = {(network, known.mac, known.ip) for network, known in seen.reservations}
    for instance in expected.instances:
        what = f"of instance {instance.name!r}"
        if instance.id not in guests:
            why = f"the guest {what} is not there"
            yield missing("domain", instance.id, why, host=host, instance=instance.id)
        root = expected.roots.get(instance.id)
        if root is not None and root not in stored:
            why = f"the root disk {what} is not there"
            yield missing("volume", root, why, host=host, instance=instance.id)
    for kind, rows in (("volume", expected.volumes), ("snapshot", expected.snapshots)):
        for row in rows:
            if row.location is not None and row.location not in stored:
                yield missing(kind, row.location, f"{kind} {row.id} is not there", host=host)
    for address in expected.addresses:
        triple = (address.network_id, address.mac, address.ip)
        if triple not in reserved:
            why = "nothing reserves that address for its instance"
            yield missing(
                "reservation", "/".join(triple), why, host=host, instance=address.instance_id
            )


def _root(
    instance: KnownInstance,
    operations: Mapping[InstanceId, Sequence[KnownOperation]],
    deployment: DeploymentId,
) -> str | None:
    """The name of its root disk; None if it boots from a volume."""
    builds = [
        known
        for known in operations.get(instance.id, ())
        if known.kind == "create" and known.state is OperationState.DONE
    ]
    if not instance.image_id or not builds:
        return None
    mark = Mark(
        deployment=deployment,
        instance=instance.id,
        operation=builds[-1].id,
        attempt=builds[-1].attempt,
    )
    return volume_name(mark, "root", _FORMAT)
