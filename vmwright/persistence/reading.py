"""Records that every build reads, by statements that are compiled once."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from vmwright.persistence.database import json_or_text
from vmwright.persistence.prepared import Prepared, Row
from vmwright.persistence.records import Record

R = TypeVar("R", bound=Record)


class Reading(Generic[R]):
    """A query for whole rows of one table, with `bindparam`s by name. Thread-safe."""

    def __init__(self, table: sa.Table, record: type[R], query: sa.Select[Any]) -> None:
        self._names = [column.name for column in table.c]
        self._kinds = [
            (place, kind)
            for place, column in enumerate(table.c)
            if (kind := _kind_of(column)) is not None
        ]
        self._record = record
        self._query = Prepared(query)

    def all(self, connection: sa.Connection, values: Row) -> Sequence[R]:
        """The records of the rows that it finds with these values."""
        return [self._made(row) for row in self._query.select(connection, values)]

    def _made(self, row: tuple[Any, ...]) -> R:
        found = list(row)
        for place, kind in self._kinds:
            found[place] = kind(found[place])
        return self._record(**dict(zip(self._names, found, strict=True)))


def meant(found: Sequence[R], name_or_id: str) -> R | None:
    """The one that is meant of those with this name or id: an id wins over a name that looks like
    one."""
    by_id: Sequence[Any] = [record for record in found if record.id == name_or_id]  # type: ignore[attr-defined]
    return next(iter([*by_id, *found]), None)


def _kind_of(column: sa.Column[Any]) -> Callable[[Any], object] | None:
    """How to make of what a driver gives what it stands for; None: it is that."""
    if isinstance(column.type, sa.JSON):
        return _document
    return _truth if isinstance(column.type, sa.Boolean) else None


def _document(value: object) -> object:
    """Some drivers have read it already."""
    return json_or_text(value) if isinstance(value, str) else value


def _truth(value: Any) -> bool | None:
    return None if value is None else bool(value)
