"""Things that users register and name: flavors, images, networks, hosts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from vmwright.errors import Conflict, NotFound
from vmwright.ids import HostId, NetworkId
from vmwright.persistence.database import now
from vmwright.persistence.failures import Dangling, Duplicate
from vmwright.persistence.prepared import Prepared
from vmwright.persistence.reading import Reading, meant
from vmwright.persistence.records import (
    Flavor,
    HostRecord,
    Image,
    NetworkRecord,
    Record,
)
from vmwright.persistence.tables import Schema

R = TypeVar("R", bound=Record)


_KEY: sa.BindParameter[str] = sa.bindparam("key", type_=sa.String)


class Registry(Generic[R]):
    """One kind of named thing. Names and ids are unique; either finds a thing."""

    def __init__(self, table: sa.Table, record: type[R], noun: str) -> None:
        self._table = table
        self._record = record
        self._noun = noun
        self._having: dict[str, Prepared] = {}

    @cached_property
    def _finding(self) -> Reading[R]:
        return Reading(self._table, self._record, self._named())

    @cached_property
    def _pinning(self) -> Reading[R]:
        return Reading(self._table, self._record, self._named().with_for_update(read=True))

    def _named(self) -> sa.Select[Any]:
        column = self._table.c
        return sa.select(self._table).where((column.id == _KEY) | (column.name == _KEY))

    def add(self, connection: sa.Connection, record: R) -> None:
        """Store a new one. `Conflict` if its name, or another unique property, is taken."""
        values = record.values() | {"created_at": now()}
        try:
            connection.execute(sa.insert(self._table).values(values))
        except Duplicate as error:
            raise self._taken(" and ".join(error.columns) or "name", record) from None

    def refuse_taken(self, connection: sa.Connection, **values: object) -> None:
        """`Conflict` if one with these values exists: before something slow is begun for it."""
        for known in self.where(connection, **values):
            raise self._taken(" and ".join(values), known)

    def _taken(self, what: str, record: R) -> Conflict:
        return Conflict(
            f"the {what} of {self._noun} {record.values()['name']!r} is taken already",
            hint=f"see: vmwright {self._noun} list",
        )

    def find(self, connection: sa.Connection, name_or_id: str) -> R:
        """The one with this name or id, or `NotFound`."""
        return self._found(self.get(connection, name_or_id), name_or_id)

    def pin(self, connection: sa.Connection, name_or_id: str) -> R:
        """As `find`; it cannot be removed before the caller's transaction has ended."""
        return self._found(self._one(connection, self._pinning, name_or_id), name_or_id)

    def get(self, connection: sa.Connection, name_or_id: str) -> R | None:
        """The one with this name or id, or None. An id wins over a name that looks like one."""
        return self._one(connection, self._finding, name_or_id)

    def _one(self, connection: sa.Connection, reading: Reading[R], name_or_id: str) -> R | None:
        return meant(reading.all(connection, {"key": name_or_id}), name_or_id)

    def _found(self, found: R | None, name_or_id: str) -> R:
        if found is None:
            raise NotFound(
                f"no {self._noun} {name_or_id!r}", hint=f"see: vmwright {self._noun} list"
            )
        return found

    def has(self, connection: sa.Connection, column: str, value: str) -> bool:
        """Whether there is one with this value in this column."""
        if column not in self._having:
            asked = self._table.c[column] == sa.bindparam("value", type_=sa.String)
            self._having[column] = Prepared(sa.select(self._table.c.seq).where(asked).limit(1))
        return bool(self._having[column].select(connection, {"value": value}))

    def where(self, connection: sa.Connection, **values: object) -> Sequence[R]:
        """Those with these values, oldest first."""
        rows = connection.execute(
            sa.select(self._table).filter_by(**values).order_by(self._table.c.seq)
        )
        return [self._record.of(row) for row in rows]

    def all(self, connection: sa.Connection) -> Sequence[R]:
        """Every one, oldest first."""
        return [self._record.of(row) for row in connection.execute(self._all)]

    @cached_property
    def _all(self) -> sa.Select[Any]:
        return sa.select(self._table).order_by(self._table.c.seq)

    def change(self, connection: sa.Connection, identifier: str, **values: object) -> None:
        connection.execute(
            sa.update(self._table).where(self._table.c.id == identifier).values(values)
        )

    def remove(self, connection: sa.Connection, identifier: str) -> None:
        """Forget it. `Conflict` if another row refers to it."""
        try:
            connection.execute(sa.delete(self._table).where(self._table.c.id == identifier))
        except Dangling:
            raise Conflict(f"{self._noun} {identifier} is in use") from None


class NetworkRegistry(Registry[NetworkRecord]):
    """Networks, and the hosts that each is bound to. One that is bound to none is everywhere."""

    def __init__(self, schema: Schema) -> None:
        super().__init__(schema.networks, NetworkRecord, "network")
        self._hosts = schema.network_hosts

    def hosts_of(self, connection: sa.Connection, network: NetworkId) -> frozenset[HostId]:
        """The hosts that have it; empty: every host."""
        rows = connection.execute(
            sa.select(self._hosts.c.host_id).where(self._hosts.c.network_id == network)
        )
        return frozenset(rows.scalars())

    def bound_to(self, connection: sa.Connection, host: HostId) -> Sequence[NetworkRecord]:
        """The networks that are bound to this host, oldest first."""
        rows = connection.execute(
            sa.select(self._table)
            .join(self._hosts, self._hosts.c.network_id == self._table.c.id)
            .where(self._hosts.c.host_id == host)
            .order_by(self._table.c.seq)
        )
        return [NetworkRecord.of(row) for row in rows]

    def bind(self, connection: sa.Connection, network: NetworkId, hosts: Iterable[HostId]) -> None:
        """Bind it to these hosts and no others. Only in a turn: then none of them is deleted."""
        connection.execute(sa.delete(self._hosts).where(self._hosts.c.network_id == network))
        rows = [{"network_id": network, "host_id": host} for host in sorted(hosts)]
        if rows:
            connection.execute(sa.insert(self._hosts), rows)

    def remove(self, connection: sa.Connection, identifier: str) -> None:
        connection.execute(sa.delete(self._hosts).where(self._hosts.c.network_id == identifier))
        super().remove(connection, identifier)


@dataclass(frozen=True)
class Address:
    """Where a host is reached."""

    name: str
    uri: str


class HostRegistry(Registry[HostRecord]):
    """Hosts, of which there may be a thousand: what every build reads of them is read as it is."""

    def __init__(self, schema: Schema) -> None:
        super().__init__(schema.hosts, HostRecord, "host")
        self._known: tuple[Sequence[Any], Sequence[HostRecord]] = ([], [])

    def current(self, connection: sa.Connection) -> Sequence[HostRecord]:
        """As `all`, but for their `claim_serial`: the same records as long as nothing else of any
        of them changes."""
        said = self._said.select(connection, {})
        if said != self._known[0]:
            self._known = said, self.all(connection)
        return self._known[1]

    def enabled(self, connection: sa.Connection) -> Sequence[Address]:
        """Where those are that instances may be on."""
        return [Address(*row) for row in self._enabled.select(connection, {})]

    @cached_property
    def _said(self) -> Prepared:
        told = [column for column in self._table.c if column.name != "claim_serial"]
        return Prepared(sa.select(*told).order_by(self._table.c.seq))

    @cached_property
    def _enabled(self) -> Prepared:
        column = self._table.c
        query = sa.select(column.name, column.connection_uri)
        return Prepared(query.where(column.enabled).order_by(column.seq))


class Registries:
    """All kinds of named things of one store."""

    def __init__(self, schema: Schema) -> None:
        self._deployment = schema.deployment
        self.flavors = Registry(schema.flavors, Flavor, "flavor")
        self.images = Registry(schema.images, Image, "image")
        self.networks = NetworkRegistry(schema)
        self.hosts = HostRegistry(schema)

    def take_turn(self, connection: sa.Connection) -> None:
        """Until this transaction ends, no other one that takes a turn goes on: for rules about
        several rows, which no constraint can hold."""
        connection.execute(sa.select(self._deployment.c.seq).with_for_update()).all()
