"""How much there is of what is not over: read anew each time, and no more with a long history."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from vmwright.ids import HostId
from vmwright.persistence.database import now
from vmwright.persistence.tables import Schema
from vmwright.states import ENDED, OperationState

UNFINISHED = tuple(state for state in OperationState if state not in ENDED)
"""In the order in which an operation passes through them."""


class Unfinished(NamedTuple):
    """Operations in one state."""

    number: int = 0
    oldest: float = 0.0
    """Seconds since the first of them was submitted."""


class Owed(NamedTuple):
    """Debts of one kind on one host."""

    host: HostId
    kind: str
    number: int
    oldest: float
    """Seconds since the first of them was made."""


class TallyStore:
    """Counts along indexes, and what is owed as a whole."""

    def __init__(self, schema: Schema) -> None:
        self._operations = schema.operations
        self._debts = schema.debts
        self._owners = schema.owners

    def operations(self, connection: sa.Connection) -> Mapping[OperationState, Unfinished]:
        """Of every state in which operations are that have not ended."""
        column = self._operations.c
        rows = connection.execute(sa.union_all(*map(self._in_state, UNFINISHED))).all()
        firsts = sa.select(column.seq, (now() - column.created_at).label("age")).where(
            column.seq.in_([row.first for row in rows if row.first is not None])
        )
        ages = {row.seq: row.age for row in connection.execute(firsts)}
        return {
            OperationState(row.state): Unfinished(row.number, max(0.0, ages.get(row.first, 0.0)))
            for row in rows
        }

    def _in_state(self, state: OperationState) -> sa.Select[Any]:
        column = self._operations.c
        counted: tuple[sa.ColumnElement[Any], ...] = (
            sa.literal(state.value).label("state"),
            sa.func.count().label("number"),
            sa.func.min(column.seq).label("first"),
        )
        return sa.select(*counted).where(column.state == state)

    def debts(self, connection: sa.Connection) -> Sequence[Owed]:
        """Whatever is owed, by host and kind."""
        column = self._debts.c
        rows = connection.execute(
            sa.select(
                column.host_id, column.kind, sa.func.count(), now() - sa.func.min(column.created_at)
            ).group_by(column.host_id, column.kind)
        )
        return [Owed(host, kind, number, max(0.0, age)) for host, kind, number, age in rows]

    def living_owners(self, connection: sa.Connection) -> int:
        """Processes whose word has not expired."""
        column = self._owners.c
        return connection.execute(
            sa.select(sa.func.count()).where(column.expires_at >= now())
        ).scalar_one()
