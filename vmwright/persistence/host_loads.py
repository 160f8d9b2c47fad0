"""What is on each host and how it fared of late: all hosts in a fixed number of queries."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any, NamedTuple, TypeVar, cast

import sqlalchemy as sa

from vmwright.ids import HostId, InstanceId, NetworkId, VolumeId
from vmwright.persistence.database import now
from vmwright.persistence.debts import HOST_AWAY
from vmwright.persistence.prepared import Prepared
from vmwright.persistence.tables import Schema
from vmwright.states import AttemptOutcome, VmState


class HostLoad(NamedTuple):
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
        loads: defaultdict[str, dict[str, int]] = defaultdict(dict)
        # Sums of big integers come as decimals.
        for what, host, number, *amounts in self._all.select(
            connection, {"window": failure_window}
        ):
            load = loads[host]
            load[what] = int(number)
            if what == "instances":
                load["vcpus"], load["memory_mib"], load["disk_gib"] = map(int, amounts)
        return {HostId(host): HostLoad(**load) for host, load in loads.items()}

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
        found = {}
        for network in networks:
            hosts = self._bound.select(connection, {"network": network})
            if hosts:
                found[network] = frozenset(HostId(host) for (host,) in hosts)
        return found

    @cached_property
    def _bound(self) -> Prepared:
        column = self._network_hosts.c
        bound = column.network_id == sa.bindparam("network")
        return Prepared(sa.select(column.host_id).where(bound))

    @cached_property
    def _all(self) -> Prepared:
        """One statement. What chooses rows stands in it literally, as their indexes say it."""
        return Prepared(sa.union_all(self._claimed, self._building, self._failed, self._uncleaned))

    @property
    def _claimed(self) -> sa.Select[Any]:
        claim = self._claims.c
        amounts = (
            sa.func.sum(amount) for amount in (claim.vcpus, claim.memory_mib, claim.disk_gib)
        )
        # An instance has one claim on a host at most: none is tried twice.
        counted = (_literally("instances"), claim.host_id, sa.func.count())
        return sa.select(*counted, *amounts).group_by(claim.host_id)

    @property
    def _building(self) -> sa.Select[Any]:
        column = self._instances.c
        being_built = column.vm_state == _literally(VmState.BUILDING)
        return self._counted("builds", column.host_id, being_built, column.host_id.is_not(None))

    @property
    def _failed(self) -> sa.Select[Any]:
        column = self._attempts.c
        failed = column.outcome == _literally(AttemptOutcome.FAILED)
        recent = column.ended_at >= now() - sa.bindparam("window", type_=sa.Double())
        return self._counted(
            "failures", column.host_id, failed, recent, column.host_id.is_not(None)
        )

    @property
    def _uncleaned(self) -> sa.Select[Any]:
        column = self._debts.c
        return self._counted("uncleaned", column.host_id, column.reason == _literally(HOST_AWAY))

    def _counted(
        self, what: str, host: sa.ColumnElement[Any], *conditions: sa.ColumnElement[bool]
    ) -> sa.Select[Any]:
        nothing: list[sa.ColumnElement[Any]] = [sa.literal_column("0")] * 3
        counted = sa.select(_literally(what), host, sa.func.count(), *nothing)
        return counted.where(*conditions).group_by(host)

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


def _literally(word: str) -> sa.ColumnClause[str]:
    return sa.literal_column(f"'{word}'")
