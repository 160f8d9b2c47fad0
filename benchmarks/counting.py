"""Runs another module and counts the statements that it sends to databases.

    python -m benchmarks.counting MODULE [ARGUMENT...]

Prints one more JSON line at the end. They are counted at the driver's cursors, through SQLAlchemy
or beside it: a statement for many rows is one; beginnings and ends of transactions are none, as
some drivers send them by themselves.
"""

import json
import runpy
import sqlite3
import sys
from itertools import count
from typing import Any

import sqlalchemy as sa

_BOUNDS = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


class Statements:
    """How many there were."""

    def __init__(self) -> None:
        self._numbers = count()

    def add(self, statement: object) -> None:
        if not str(statement).lstrip().upper().startswith(_BOUNDS):
            next(self._numbers)

    def take(self) -> int:
        """The count, at the end."""
        return next(self._numbers)


def listen(statements: Statements) -> None:
    """Count on every connection that is made from now on."""

    @sa.event.listens_for(sa.Engine, "do_connect")
    def _connecting(dialect: Any, _record: object, _words: object, options: Any) -> None:
        if dialect.name == "sqlite":
            options["factory"] = _connection(statements)
        else:
            options["cursor_factory"] = _counting(dialect.dbapi.Cursor, statements)


def _connection(statements: Statements) -> type[sqlite3.Connection]:
    cursors = _counting(sqlite3.Cursor, statements)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = cursors) -> Any:
            return super().cursor(factory)

    return Connection


def _counting(factory: Any, statements: Statements) -> Any:
    """The same cursor, which counts."""

    class Cursor(factory):  # type: ignore[misc]  # a class that is known only now
        def execute(self, statement: Any, *arguments: Any, **named: Any) -> Any:
            statements.add(statement)
            return super().execute(statement, *arguments, **named)

        def executemany(self, statement: Any, *arguments: Any, **named: Any) -> Any:
            statements.add(statement)
            return super().executemany(statement, *arguments, **named)

    return Cursor


if __name__ == "__main__":
    counted = Statements()
    listen(counted)
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    print(json.dumps({"statements": counted.take()}))
