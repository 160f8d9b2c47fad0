"""Named things that belong to a user or to a project: what all kinds of them share."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from vmwright.errors import Conflict, NotFound
from vmwright.persistence.database import now
from vmwright.persistence.failures import Dangling, Duplicate
from vmwright.persistence.reading import Reading, meant
from vmwright.persistence.records import Record

R = TypeVar("R", bound=Record)


class OwnedStore(Generic[R]):
    """One kind of thing; a name is unique with its owner, and nobody else's is ever found.

    `owner` is the column that says whose a thing is: ``user_id`` or ``project_id``.
    """

    def __init__(self, table: sa.Table, record: type[R], noun: str, owner: str) -> None:
        self._table = table
        self._record = record
        self._noun = noun
        self._owner = owner

    @cached_property
    def _finding(self) -> Reading[R]:
        key: sa.BindParameter[str] = sa.bindparam("key", type_=sa.String)
        column = self._table.c
        owned = column[self._owner] == sa.bindparam("owner", type_=sa.String)
        named = (column.id == key) | (column.name == key)
        return Reading(self._table, self._record, sa.select(self._table).where(owned, named))

    def find(self, connection: sa.Connection, owner: str, name_or_id: str) -> R:
        """The owner's one with this name or id, or `NotFound`."""
        found = self.known(connection, owner, name_or_id)
        if found is None:
            raise self.not_found(owner, name_or_id)
        return found

    def not_found(self, owner: str, name_or_id: str) -> NotFound:
        """That the owner has none with this name or id, to raise."""
        whose = self._owner.removesuffix("_id")
        return NotFound(
            f"no {self._noun} {name_or_id!r} in {whose} {owner!r}", hint=self._where_to_look()
        )

    def known(self, connection: sa.Connection, owner: str, name_or_id: str) -> R | None:
        """As `find`, or None. An id wins over a name that looks like one."""
        found = self._finding.all(connection, {"owner": owner, "key": name_or_id})
        return meant(found, name_or_id)

    def add(self, connection: sa.Connection, record: R) -> None:
        """Store a new one. `Conflict` if its owner has one of this name."""
        values = record.values() | {"created_at": now()}
        try:
            with connection.begin_nested():
                connection.execute(sa.insert(self._table).values(values))
        except Duplicate:
            raise Conflict(
                f"the name of {self._noun} {values['name']!r} is taken already",
                hint=self._where_to_look(),
            ) from None

    def count(self, connection: sa.Connection, owner: str) -> int:
        """How many the owner has."""
        return connection.execute(
            sa.select(sa.func.count()).where(self._table.c[self._owner] == owner)
        ).scalar_one()

    def remove(self, connection: sa.Connection, identifier: str) -> None:
        """Forget it. `Conflict` if something else refers to it."""
        try:
            connection.execute(sa.delete(self._table).where(self._table.c.id == identifier))
        except Dangling:
            raise Conflict(f"{self._noun} {identifier} is in use") from None

    def _all(self, connection: sa.Connection, owner: str) -> Sequence[R]:
        rows = connection.execute(self._of(owner).order_by(self._table.c.seq))
        return [self._record.of(row) for row in rows]

    def _of(self, owner: str) -> sa.Select[Any]:
        return sa.select(self._table).where(self._table.c[self._owner] == owner)

    def _where_to_look(self) -> str:
        return f"see: vmwright {self._noun} list"
