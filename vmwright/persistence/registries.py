"""Things that users register and name: flavors, images, networks, hosts."""

from collections.abc import Sequence
from typing import Generic, TypeVar

import sqlalchemy as sa

from vmwright.errors import Conflict, NotFound
from vmwright.persistence.database import now
from vmwright.persistence.failures import Dangling, Duplicate
from vmwright.persistence.records import Flavor, HostRecord, Image, NetworkRecord, Record
from vmwright.persistence.tables import Schema

R = TypeVar("R", bound=Record)


class Registry(Generic[R]):
    """One kind of named thing. Names and ids are unique; either finds a thing."""

    def __init__(self, table: sa.Table, record: type[R], noun: str) -> None:
        self._table = table
        self._record = record
        self._noun = noun

    def add(self, connection: sa.Connection, record: R) -> None:
        """Store a new one. `Conflict` if its name, or another unique property, is taken."""
        values = record.values() | {"created_at": now()}
        try:
            connection.execute(sa.insert(self._table).values(values))
        except Duplicate as error:
            taken = " and ".join(column for column in error.columns) or "name"
            raise Conflict(
                f"a {self._noun} with this {taken} exists already: {values.get('name')!r}",
                hint=f"see: vmwright {self._noun} list",
            ) from None

    def find(self, connection: sa.Connection, name_or_id: str) -> R:
        """The one with this name or id, or `NotFound`."""
        found = self.get(connection, name_or_id)
        if found is None:
            raise NotFound(
                f"no {self._noun} {name_or_id!r}", hint=f"see: vmwright {self._noun} list"
            )
        return found

    def get(self, connection: sa.Connection, name_or_id: str) -> R | None:
        """The one with this name or id, or None. An id wins over a name that looks like one."""
        for column in (self._table.c.id, self._table.c.name):
            row = connection.execute(
                sa.select(self._table).where(column == name_or_id)
            ).one_or_none()
            if row is not None:
                return self._record.of(row)
        return None

    def pin(self, connection: sa.Connection, name_or_id: str) -> R:
        """As `find`; it cannot be removed before the caller's transaction has ended."""
        found = self.find(connection, name_or_id)
        identifier = found.values()["id"]
        # Not in the search itself: that finds by name too, and MySQL would lock the gaps.
        pinned = connection.execute(
            sa.select(self._table.c.seq)
            .where(self._table.c.id == identifier)
            .with_for_update(read=True)
        ).first()
        return found if pinned is not None else self.find(connection, identifier)

    def where(self, connection: sa.Connection, **values: object) -> Sequence[R]:
        """Those with these values, oldest first."""
        rows = connection.execute(
            sa.select(self._table).filter_by(**values).order_by(self._table.c.seq)
        )
        return [self._record.of(row) for row in rows]

    def all(self, connection: sa.Connection) -> Sequence[R]:
        """Every one, oldest first."""
        return self.where(connection)

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


class Registries:
    """All kinds of named things of one store."""

    def __init__(self, schema: Schema) -> None:
        self._deployment = schema.deployment
        self.flavors = Registry(schema.flavors, Flavor, "flavor")
        self.images = Registry(schema.images, Image, "image")
        self.networks = Registry(schema.networks, NetworkRecord, "network")
        self.hosts = Registry(schema.hosts, HostRecord, "host")

    def take_turn(self, connection: sa.Connection) -> None:
        """Until this transaction ends, no other one that takes a turn goes on: for rules about
        several rows, which no constraint can hold."""
        connection.execute(sa.select(self._deployment.c.seq).with_for_update()).all()
