"""Rows that are inserted unless another one has what must be unique."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from vmwright.persistence.failures import Duplicate


class NewRow:
    """Inserts one row of a table, or says that a unique constraint bars it.

    The transaction goes on either way. What the databases have for it, they do in one statement;
    MariaDB's ``INSERT IGNORE`` would also let pass what does not fit its column.
    """

    def __init__(self, table: sa.Table) -> None:
        self._plain = sa.insert(table)
        # Else SQLAlchemy forgets how many rows an INSERT made, except on SQLite.
        counted = {"preserve_rowcount": True}
        self._at_once = {
            "sqlite": sqlite.insert(table).on_conflict_do_nothing().execution_options(**counted),
            "postgresql": postgresql.insert(table)
            .on_conflict_do_nothing()
            .inline()
            .execution_options(**counted),
        }

    def insert(self, connection: sa.Connection, values: dict[str, object]) -> bool:
        """False if it is barred. `Dangling` if it refers to what is not there."""
        at_once = self._at_once.get(connection.dialect.name)
        if at_once is not None:
            return connection.execute(at_once, values).rowcount == 1
        try:
            with connection.begin_nested():
                connection.execute(self._plain, values)
        except Duplicate:
            return False
        return True
