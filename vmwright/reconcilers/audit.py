"""Compares hosts and store: what carries our mark, but should not be there any more."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from vmwright.backends.host import Host
from vmwright.backends.removal import Kind
from vmwright.backends.volumes import Stored
from vmwright.errors import Unavailable
from vmwright.ids import DeploymentId, Mark, NetworkId, base_name, is_snapshot
from vmwright.persistence.records import HostRecord
from vmwright.states import ENDED
from vmwright.tasks.task import Means
from vmwright.waiting import Wait


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something of ours that nothing needs."""

    host: str
    kind: str
    key: str
    instance_id: str | None
    why: str

    def to_store(self) -> dict[str, Any]:
        return asdict(self)


class Audit:
    """Looks, and changes nothing. Things that are not marked as this deployment's are not seen."""

    def __init__(self, means: Means, deployment: DeploymentId, patience: float) -> None:
        self._means = means
        self._stores = means.stores
        self._deployment = deployment
        self._patience = patience

    def leftovers(self) -> list[Leftover]:
        """Everything that is left over, host by host. A silent host is one, by itself."""
        with self._stores.database.read() as connection:
            hosts = self._stores.registries.hosts.all(connection)
        found: list[Leftover] = []
        for host in hosts:
            place, wait = self._means.backend.host(host.connection_uri), Wait(self._patience)
            try:
                found += self._on_host(host, place, wait)
            except Unavailable as error:
                found += self._unseen(host, error)
        return found

    def _on_host(self, host: HostRecord, place: Host, wait: Wait) -> list[Leftover]:
        domains = place.hypervisor.domains(wait)
        volumes = place.volumes.volumes(wait)
        with self._stores.database.read() as connection:
            networks = self._stores.registries.networks.all(connection)
            images = self._stores.registries.images.all(connection)
            bases = {base_name(self._deployment, i.sha256, i.disk_format) for i in images}
            found = [
                self._judged(connection, host, "domain", domain.uuid, domain.mark)
                for domain in domains
            ]
            for volume in volumes:
                if volume.mark is None:
                    found.append(_stray_base(host, volume.name, bases))
                elif is_snapshot(volume.name):
                    found.append(self._stray_snapshot(connection, host, volume))
                elif not self._kept(connection, volume.name):
                    found.append(self._judged(connection, host, "volume", volume.name, volume.mark))
            for network in networks:
                found += self._reservations(connection, host, place, NetworkId(network.id), wait)
        return [leftover for leftover in found if leftover is not None]

    def _reservations(
        self,
        connection: sa.Connection,
        host: HostRecord,
        place: Host,
        network: NetworkId,
        wait: Wait,
    ) -> Iterator[Leftover | None]:
        for reserved in place.network.reservations(network, wait):
            key = f"{network}/{reserved.mac}/{reserved.ip}"
            yield self._judged(connection, host, "reservation", key, reserved.mark)

    def _kept(self, connection: sa.Connection, location: str) -> bool:
        """Whether a living volume of the store lies there, whoever made it."""
        return self._stores.volumes.at(connection, location)

    def _stray_snapshot(
        self, connection: sa.Connection, host: HostRecord, volume: Stored
    ) -> Leftover | None:
        """None if a living snapshot lies there, or one that is being made."""
        if volume.mark is None or volume.mark.deployment != self._deployment:
            return None
        kept = self._stores.snapshots.at(connection, volume.name)
        if kept or self._stores.debts.is_put_off(
            connection, host.id, kind=Kind.VOLUME, key=volume.name
        ):
            return None
        return Leftover(
            host=host.name,
            kind="volume",
            key=volume.name,
            instance_id=None,
            why="no snapshot of the store lies there",
        )

    def _judged(
        self, connection: sa.Connection, host: HostRecord, kind: str, key: str, mark: Mark | None
    ) -> Leftover | None:
        """None if it is foreign, or belongs to an instance that lives or is being worked on."""
        if mark is None or mark.deployment != self._deployment:
            return None
        why = self._why_left(connection, mark)
        if why is None:
            return None
        return Leftover(host=host.name, kind=kind, key=key, instance_id=mark.instance, why=why)

    def _why_left(self, connection: sa.Connection, mark: Mark) -> str | None:
        instance = self._stores.instances.known(connection, mark.instance)
        if instance is None:
            return "the store does not know its instance"
        operations = self._stores.operations.of_instance(connection, mark.instance)
        if any(operation.state not in ENDED for operation in operations):
            return None
        if instance.deleted_at is not None:
            return "its instance was deleted"
        maker = next((o for o in operations if o.id == mark.operation), None)
        if maker is not None and maker.state != "done":
            return f"the operation that made it is {maker.state}"
        if maker is not None and mark.attempt < maker.attempt:
            return f"attempt {mark.attempt} of its build made it, and was given up"
        return None

    def _unseen(self, host: HostRecord, error: Unavailable) -> list[Leftover]:
        """A host that cannot be looked at may hold what is owed there."""
        with self._stores.database.read() as connection:
            owed = [d for d in self._stores.debts.all(connection) if d.host_id == host.id]
        return [
            Leftover(
                host=host.name,
                kind=debt.kind,
                key=debt.key,
                instance_id=debt.instance_id,
                why=f"owed; the host does not answer ({error.message})",
            )
            for debt in owed
        ]


def _stray_base(host: HostRecord, name: str, bases: set[str]) -> Leftover | None:
    """A cached image that no registered one needs. Others' volumes have no base's name."""
    if not name.startswith("vmw-base.") or any(name.startswith(base) for base in bases):
        return None
    return Leftover(
        host=host.name, kind="base", key=name, instance_id=None, why="no image needs it"
    )
