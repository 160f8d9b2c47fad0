"""Everything that has happened in a store, in the order of its numbers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from vmwright.ids import OperationId
from vmwright.persistence.records import Event
from vmwright.persistence.tables import Schema


@dataclass(frozen=True, kw_only=True, eq=False)
class Told:
    """An event, and what operation it is of. Each one read is only equal to itself."""

    event: Event
    project: str
    kind: str
    """Of the operation."""
    flow: str
    submitted_at: float


class EventLog:
    """Reads what runs have appended. Numbers grow; on a server with several writers a lower one may
    be committed after a higher one, and one whose transaction was rolled back never is."""

    def __init__(self, schema: Schema) -> None:
        self._events = schema.events
        self._operations = schema.operations

    def newest(self, connection: sa.Connection) -> int:
        """The highest number; 0 where nothing has happened."""
        column = self._events.c.seq
        return connection.execute(sa.select(sa.func.max(column))).scalar_one() or 0

    def after(self, connection: sa.Connection, number: int, limit: int) -> Sequence[Told]:
        """Those with higher numbers, the lowest of them."""
        return self._where(connection, self._events.c.seq > number, limit)

    def of_operation(
        self, connection: sa.Connection, operation: OperationId, number: int, limit: int
    ) -> Sequence[Told]:
        """As `after`, of one operation only: their numbers are committed in order."""
        column = self._events.c
        which = sa.and_(column.operation_id == operation, column.seq > number)
        return self._where(connection, which, limit)

    def gaps(self, connection: sa.Connection, newest: int, size: int) -> Sequence[int]:
        """Which of the last `size` numbers up to this one are not there."""
        first = max(1, newest - size + 1)
        column = self._events.c.seq
        there = set(
            connection.execute(sa.select(column).where(column.between(first, newest))).scalars()
        )
        return [number for number in range(first, newest + 1) if number not in there]

    def numbered(self, connection: sa.Connection, numbers: Collection[int]) -> Sequence[Told]:
        """Those of these that are there."""
        return self._where(connection, self._events.c.seq.in_(numbers), len(numbers))

    def _where(
        self, connection: sa.Connection, which: sa.ColumnElement[bool], limit: int
    ) -> Sequence[Told]:
        events, operations = self._events, self._operations
        rows = connection.execute(
            sa.select(
                events,
                operations.c.project_id,
                operations.c.kind,
                operations.c.flow_name,
                operations.c.created_at,
            )
            .join_from(events, operations, events.c.operation_id == operations.c.id)
            .where(which)
            .order_by(events.c.seq)
            .limit(limit)
        )
        names = events.c.keys()
        return [_told(names, row) for row in rows]


def _told(names: Sequence[str], row: sa.Row[Any]) -> Told:
    """Those are read by the thousand: names of columns are looked up once, not in each row."""
    values, (project, kind, flow, submitted_at) = row[: len(names)], row[len(names) :]
    event = Event(**dict(zip(names, values, strict=True)))
    return Told(event=event, project=project, kind=kind, flow=flow, submitted_at=submitted_at)
