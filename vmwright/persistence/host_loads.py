"""What is on each host and how it fared of late: all hosts in a fixed number of queries."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import sqlalchemy as sa

from vmwright.ids import HostId, InstanceId, NetworkId, VolumeId
from vmwright.persistence.database import now
from vmwright.persistence.debts import HOST_AWAY
from vmwright.persistence.tables import Schema
from vmwright.states import AttemptOutcome, VmState


@dataclass(frozen=True, kw_only=True)
class HostLoad:
    """Claims, and what speaks against another one."""

    vcpus: int = 0
    memory_mib: int = 0
    disk_gib: int = 0
    instances: int = 0
    """Those with a claim: they live there or are being built there."""
    builds: int = 0
    """Of them, those that are being built."""
    failures: int = 0
    """Attempts that ended by the host's fault, or without its answer."""
    uncleaned: int = 0
    """Things that were to go while the host was away."""


UNUSED = HostLoad()

K = TypeVar("K", bound=str)


class HostLoadStore:
    """Reads claims, attempts and debts by host. What it reads grows with what lives, and with
    what failed within the window, never with history."""

    def __init__(self, schema: Schema) -> None:
        self._claims = schema.claims
        self._instances = schema.instances
        self._attempts = schema.attempts
        self._debts = schema.debts
        self._network_hosts = schema.network_hosts
        self._volumes = schema.volumes

    def all(self, connection: sa.Connection, *, failure_window: float) -> Mapping[HostId, HostLoad]:
        """The load of every host that has one; failures of the last so many seconds."""
        loads = self._claimed(connection)
        failures = self._failures(connection, failure_window)
        uncleaned = self._uncleaned(connection)
        return {
            host: replace(
                loads.get(host, UNUSED),
                failures=failures.get(host, 0),
                uncleaned=uncleaned.get(host, 0),
            )
            for host in loads.keys() | failures.keys() | uncleaned.keys()
        }

    def hosts_of_instances(
        self, connection: sa.Connection, instances: Collection[InstanceId]
    ) -> Mapping[InstanceId, HostId]:
        """Where these are, as far as they are anywhere."""
        column = self._instances.c
        return self._pairs(connection, column.id, column.host_id, instances)

    def hosts_of_volumes(
        self, connection: sa.Connection, volumes: Collection[VolumeId]
    ) -> Mapping[VolumeId, HostId]:
        """Where these lie, as far as they were put on a host."""
        column = self._volumes.c
        return self._pairs(connection, column.id, column.host_id, volumes)

    def hosts_of_networks(
        self, connection: sa.Connection, networks: Collection[NetworkId]
    ) -> Mapping[NetworkId, frozenset[HostId]]:
        """The hosts of those that are bound to some; the others are everywhere."""
        column = self._network_hosts.c
        rows = connection.execute(
            sa.select(column.network_id, column.host_id).where(column.network_id.in_(networks))
        ).all()
        return {
            NetworkId(network): frozenset(HostId(host) for bound, host in rows if bound == network)
            for network, _ in rows
        }

    def _claimed(self, connection: sa.Connection) -> dict[HostId, HostLoad]:
        claim, instance = self._claims.c, self._instances.c
        being_built = sa.case((instance.vm_state == VmState.BUILDING.value, claim.instance_id))
        rows = connection.execute(
            sa.select(
                claim.host_id,
                *(
                    sa.func.sum(claim[amount]).label(amount)
                    for amount in ("vcpus", "memory_mib", "disk_gib")
                ),
                sa.func.count(claim.instance_id.distinct()).label("instances"),
                sa.func.count(being_built.distinct()).label("builds"),
            )
            .join_from(self._claims, self._instances, instance.id == claim.instance_id)
            .group_by(claim.host_id)
        )
        # Sums of big integers come as decimals.
        return {
            HostId(row.host_id): HostLoad(
                **{key: int(value) for key, value in row._mapping.items() if key != "host_id"}
            )
            for row in rows
        }

    def _failures(self, connection: sa.Connection, window: float) -> dict[HostId, int]:
        column = self._attempts.c
        # Literally, as the index of those says it.
        failed = column.outcome == sa.literal_column(f"'{AttemptOutcome.FAILED.value}'")
        recent = (failed, column.ended_at >= now() - window)
        return self._counted(connection, column.host_id, column.host_id.is_not(None), *recent)

    def _uncleaned(self, connection: sa.Connection) -> dict[HostId, int]:
        column = self._debts.c
        return self._counted(connection, column.host_id, column.reason == HOST_AWAY)

    def _counted(
        self,
        connection: sa.Connection,
        host: sa.ColumnElement[str],
        *conditions: sa.ColumnElement[bool],
    ) -> dict[HostId, int]:
        rows = connection.execute(
            sa.select(host, sa.func.count()).where(*conditions).group_by(host)
        )
        return {HostId(found): count for found, count in rows}

    def _pairs(
        self,
        connection: sa.Connection,
        key: sa.ColumnElement[str],
        host: sa.ColumnElement[str],
        keys: Collection[K],
    ) -> dict[K, HostId]:
        if not keys:
            return {}
        rows = connection.execute(sa.select(key, host).where(key.in_(keys), host.is_not(None)))
        return {cast("K", found): HostId(place) for found, place in rows}
