"""What the store says of things that an audit has found, or should find. Bounded by what lives
and by what was asked for, never by history."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from vmwright.ids import HostId, InstanceId, OperationId, OwnerId, SnapshotId, VolumeId
from vmwright.persistence.database import now
from vmwright.persistence.history import may_have_gone_well
from vmwright.persistence.tables import Schema
from vmwright.states import ENDED, OperationState, VmState

_AT_ONCE = 500
"""Ids in one statement: every database takes so many."""


class Held(StrEnum):
    """Rows that an instance has while it lives, and for nobody after that."""

    CLAIM = "claim"
    ATTACHMENT = "attachment"
    PORT = "port"
    SECRET = "secret"  # noqa: S105 - a word, not one


@dataclass(frozen=True, kw_only=True)
class KnownInstance:
    id: InstanceId
    name: str
    host_id: HostId | None
    image_id: str
    launched_at: float | None
    deleted_at: float | None


@dataclass(frozen=True, kw_only=True)
class KnownOperation:
    id: OperationId
    instance_id: InstanceId
    kind: str
    state: OperationState
    attempt: int
    owner_id: OwnerId | None
    not_before: float
    created_at: float
    started_at: float | None
    finished_at: float | None
    may_have_gone_well: bool = False
    """Whether the store came from a backup since: see `history`."""


@dataclass(frozen=True, kw_only=True)
class KnownVolume:
    """A volume or a snapshot."""

    id: str
    host_id: HostId | None
    location: str | None
    deleted_at: float | None


@dataclass(frozen=True, kw_only=True)
class Holding:
    """A row that an instance has. `seq` is its number in its table."""

    kind: Held
    seq: int
    key: str
    instance_id: InstanceId | None
    operation_id: OperationId | None
    attempt: int | None = None
    host_id: HostId | None = None


@dataclass(frozen=True, kw_only=True)
class Address:
    """What a port of a built instance has on one of our own networks."""

    instance_id: InstanceId
    host_id: HostId
    network_id: str
    mac: str
    ip: str


class Census:
    """Questions about many rows at once."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._held = {
            Held.CLAIM: schema.claims,
            Held.ATTACHMENT: schema.attachments,
            Held.PORT: schema.ports,
            Held.SECRET: schema.secrets,
        }

    def clock(self, connection: sa.Connection) -> float:
        """The database's own time: seconds since the epoch."""
        return float(connection.execute(now().select()).scalar_one())

    def instances(
        self, connection: sa.Connection, ids: Iterable[InstanceId]
    ) -> Mapping[InstanceId, KnownInstance]:
        """Those of these that the store ever had, tombstones included."""
        wanted = set(ids)
        rows = self._by(connection, self._schema.instances, "id", wanted)
        found = {row.id: _instance(row) for row in rows}
        return found | {
            InstanceId(row.id): _pruned_instance(row)
            for row in self._tombstones(connection, wanted - found.keys())
        }

    def operations(
        self, connection: sa.Connection, instances: Iterable[InstanceId]
    ) -> Mapping[InstanceId, Sequence[KnownOperation]]:
        """Every operation on these instances, oldest first."""
        found: dict[InstanceId, list[KnownOperation]] = {}
        for row in self._by(connection, self._schema.operations, "instance_id", instances):
            found.setdefault(row.instance_id, []).append(_operation(row))
        return found

    def unfinished(self, connection: sa.Connection) -> Sequence[KnownOperation]:
        """Every operation that has not ended, oldest first."""
        table = self._schema.operations
        states = [state for state in OperationState if state not in ENDED]
        rows = connection.execute(
            sa.select(table).where(table.c.state.in_(states)).order_by(table.c.seq)
        )
        return [_operation(row) for row in rows]

    def owners(self, connection: sa.Connection) -> Mapping[OwnerId, float]:
        """Until when each owner's word is good, on the database's clock."""
        table = self._schema.owners
        rows = connection.execute(sa.select(table.c.id, table.c.expires_at))
        return {row.id: row.expires_at for row in rows}

    def volumes(
        self, connection: sa.Connection, ids: Iterable[VolumeId]
    ) -> Mapping[str, KnownVolume]:
        """Those of these that the store ever had, deleted ones included."""
        return self._volumes_by_id(connection, self._schema.volumes, ids)

    def snapshots(
        self, connection: sa.Connection, ids: Iterable[SnapshotId]
    ) -> Mapping[str, KnownVolume]:
        """As `volumes`."""
        return self._volumes_by_id(connection, self._schema.snapshots, ids)

    def volumes_on(self, connection: sa.Connection, host: HostId) -> Mapping[str, KnownVolume]:
        """The living volumes that lie on this host, without those that are just being made."""
        operations = self._schema.operations
        under_way = sa.exists().where(
            operations.c.id == self._schema.volumes.c.made_by, operations.c.state.not_in(ENDED)
        )
        return self._lying(connection, self._schema.volumes, host, ~under_way)

    def snapshots_on(self, connection: sa.Connection, host: HostId) -> Mapping[str, KnownVolume]:
        """The living snapshots that lie on this host."""
        return self._lying(connection, self._schema.snapshots, host)

    def settled_on(self, connection: sa.Connection, host: HostId) -> Sequence[KnownInstance]:
        """Instances there that were built and that nothing is being done to."""
        table = self._schema.instances
        rows = connection.execute(
            sa.select(table).where(
                table.c.host_id == host,
                table.c.deleted_at.is_(None),
                table.c.operation_id.is_(None),
                table.c.task_state.is_(None),
                table.c.vm_state.in_((VmState.ACTIVE, VmState.STOPPED)),
            )
        )
        return [_instance(row) for row in rows]

    def addresses_on(self, connection: sa.Connection, host: HostId) -> Sequence[Address]:
        """What the ports of instances on this host have on networks of our own."""
        ports, networks, instances = (
            self._schema.ports,
            self._schema.networks,
            self._schema.instances,
        )
        rows = connection.execute(
            sa.select(ports.c.instance_id, ports.c.network_id, ports.c.mac, ports.c.ip)
            .join(networks, networks.c.id == ports.c.network_id)
            .join(instances, instances.c.id == ports.c.instance_id)
            .where(networks.c.kind == "nat", instances.c.host_id == host)
        )
        return [Address(host_id=host, **row._mapping) for row in rows]

    def holdings(self, connection: sa.Connection) -> Sequence[Holding]:
        """All that instances hold, and what should belong to one and does not."""
        found: list[Holding] = []
        for kind, table in self._held.items():
            query = sa.select(table).order_by(table.c.seq)
            if kind is Held.PORT:
                query = query.where(table.c.instance_id.is_not(None) | ~table.c.user_made)
            if kind is Held.SECRET:
                query = query.where(table.c.erased_at.is_(None))
            found += [_holding(kind, row) for row in connection.execute(query)]
        return found

    def holding(self, connection: sa.Connection, holding: Holding) -> Holding | None:
        """The same row as it is now, if it is there."""
        table = self._held[holding.kind]
        row = connection.execute(sa.select(table).where(table.c.seq == holding.seq)).one_or_none()
        return None if row is None else _holding(holding.kind, row)

    def let_go(self, connection: sa.Connection, holding: Holding) -> None:
        """Take the row from its instance. What users made stays theirs."""
        table = self._held[holding.kind]
        this = table.c.seq == holding.seq
        if holding.kind is Held.SECRET:
            erased = sa.update(table).where(this).values(ciphertext=None, erased_at=now())
            connection.execute(erased)
            return
        if holding.kind is Held.PORT:
            freed = {"instance_id": None, "operation_id": None, "position": 0}
            connection.execute(sa.update(table).where(this, table.c.user_made).values(freed))
            this &= ~table.c.user_made
        connection.execute(sa.delete(table).where(this))

    def _volumes_by_id(
        self, connection: sa.Connection, table: sa.Table, ids: Iterable[str]
    ) -> Mapping[str, KnownVolume]:
        wanted = set(ids)
        found = _volumes(self._by(connection, table, "id", wanted))
        return found | {
            row.id: KnownVolume(id=row.id, host_id=None, location=None, deleted_at=row.deleted_at)
            for row in self._tombstones(connection, wanted - found.keys())
        }

    def _tombstones(self, connection: sa.Connection, ids: Iterable[str]) -> Iterator[sa.Row[Any]]:
        """What is left of things whose history was removed."""
        return self._by(connection, self._schema.tombstones, "id", ids)

    def _lying(
        self,
        connection: sa.Connection,
        table: sa.Table,
        host: HostId,
        *conditions: sa.ColumnElement[bool],
    ) -> Mapping[str, KnownVolume]:
        return _volumes(
            connection.execute(
                sa.select(table).where(
                    table.c.host_id == host,
                    table.c.location.is_not(None),
                    table.c.deleted_at.is_(None),
                    *conditions,
                )
            )
        )

    def _by(
        self, connection: sa.Connection, table: sa.Table, column: str, ids: Iterable[str]
    ) -> Iterator[sa.Row[Any]]:
        wanted = sorted(set(ids))
        for first in range(0, len(wanted), _AT_ONCE):
            some = wanted[first : first + _AT_ONCE]
            query = sa.select(table).where(table.c[column].in_(some)).order_by(table.c.seq)
            yield from connection.execute(query)


def _instance(row: sa.Row[Any]) -> KnownInstance:
    return KnownInstance(
        id=row.id,
        name=row.name,
        host_id=row.host_id,
        image_id=row.image_id,
        launched_at=row.launched_at,
        deleted_at=row.deleted_at,
    )


def _pruned_instance(row: sa.Row[Any]) -> KnownInstance:
    return KnownInstance(
        id=row.id,
        name="",
        host_id=None,
        image_id="",
        launched_at=None,
        deleted_at=row.deleted_at,
    )


def _operation(row: sa.Row[Any]) -> KnownOperation:
    return KnownOperation(
        id=row.id,
        instance_id=row.instance_id,
        kind=row.kind,
        state=_state(row.state),
        attempt=row.attempt,
        owner_id=row.owner_id,
        not_before=row.not_before,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        may_have_gone_well=may_have_gone_well(row.error),
    )


def _state(text: str) -> OperationState:
    """One that only a newer version knows has surely not ended for us."""
    known = {state.value: state for state in OperationState}
    return known.get(text, OperationState.PARKED)


def _volumes(rows: Iterable[sa.Row[Any]]) -> dict[str, KnownVolume]:
    return {
        row.id: KnownVolume(
            id=row.id, host_id=row.host_id, location=row.location, deleted_at=row.deleted_at
        )
        for row in rows
    }


def _holding(kind: Held, row: sa.Row[Any]) -> Holding:
    columns = row._mapping
    keys = {
        Held.CLAIM: f"{columns.get('operation_id')}/{columns.get('attempt')}",
        Held.PORT: f"{columns.get('mac')}/{columns.get('ip')}",
        Held.ATTACHMENT: columns.get("volume_id"),
        Held.SECRET: columns.get("id"),
    }
    return Holding(
        kind=kind,
        seq=row.seq,
        key=str(keys[kind]),
        instance_id=row.instance_id,
        operation_id=columns.get("operation_id"),
        attempt=columns.get("attempt"),
        host_id=columns.get("host_id"),
    )
