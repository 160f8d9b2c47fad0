"""Statements that add rows, made once: building one anew takes longer than running it."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from vmwright.persistence.failures import Duplicate
from vmwright.persistence.prepared import Prepared


class NewRow:
    """Inserts one row of a table, or says that a unique constraint bars it.

    The transaction goes on either way. What the databases have for it, they do in one statement;
    MariaDB's ``INSERT IGNORE`` would also let pass what does not fit its column.
    """

    def __init__(self, table: sa.Table) -> None:
        self._plain = sa.insert(table)
        there = [column.name for column in table.c if column.name != "seq"]
        self._at_once = {
            name: Prepared(inserting.execution_options(preserve_rowcount=True), *there)
            for name, inserting in {
                "sqlite": sqlite.insert(table).on_conflict_do_nothing().inline(),
                "postgresql": postgresql.insert(table).on_conflict_do_nothing().inline(),
            }.items()
        }

    def insert(self, connection: sa.Connection, values: dict[str, object]) -> bool:
        """False if it is barred. `Dangling` if it refers to what is not there."""
        at_once = self._at_once.get(connection.dialect.name)
        if at_once is not None:
            return at_once.one(connection, values) == 1
        try:
            with connection.begin_nested():
                connection.execute(self._plain, values)
        except Duplicate:
            return False
        return True


def insertion(
    table: sa.Table,
    *columns: str,
    **expressions: sa.ColumnElement[Any] | sa.TextClause,
) -> Prepared:
    """Adds rows that give these columns, by default all that there are. What is in `expressions`
    the database makes itself, and a number of each row, which does not come back."""
    given = columns or (column.name for column in table.c if column.name != "seq")
    return Prepared(
        sa.insert(table).inline().values(expressions),
        *(name for name in given if name not in expressions),
    )
