"""The store as somebody else's program sees it: by the database's own driver, past the package."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pymysql
import sqlalchemy as sa
from psycopg.rows import dict_row


def rows(url: str, statement: str, *values: object) -> list[dict[str, Any]]:
    """What a statement with ``?`` for each value finds."""
    with _cursor(sa.make_url(url)) as (cursor, mark):
        cursor.execute(statement.replace("?", mark), *([values] if values else []))
        return [dict(row) for row in cursor.fetchall()]


def execute(url: str, statement: str) -> None:
    """Change the store behind everybody's back."""
    with _cursor(sa.make_url(url)) as (cursor, _):
        cursor.execute(statement)


def tables(url: str) -> list[str]:
    """The names of all tables, in order."""
    return sorted(row["name"] for row in rows(url, _CATALOGUES[_kind(url)]))


def is_writable(url: str) -> bool:
    """Whether no process is in the middle of a transaction that keeps others from writing."""
    if _kind(url) != "sqlite":
        return rows(url, _OPEN_TRANSACTIONS[_kind(url)]) == []
    with closing(sqlite3.connect(str(sa.make_url(url).database), timeout=0)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        return True


def clock(url: str) -> str:
    """What the database says that the time is, as an expression."""
    return _CLOCKS[_kind(url)]


_CLOCKS = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "extract(epoch from clock_timestamp())",
    "mysql": "unix_timestamp(sysdate(6))",
}

_CATALOGUES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    "postgresql": "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
    "mysql": "SELECT table_name AS name FROM information_schema.tables"
    " WHERE table_schema = database()",
}

_OPEN_TRANSACTIONS = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND starts_with(state, 'idle in transaction')",
    "mysql": "SELECT trx_id FROM information_schema.innodb_trx"
    " WHERE trx_mysql_thread_id <> connection_id()",
}


def _kind(url: str) -> str:
    name = sa.make_url(url).get_backend_name()
    return "mysql" if name == "mariadb" else name


@contextmanager
def _cursor(url: sa.URL) -> Iterator[tuple[Any, str]]:
    """A cursor of the database's own driver, and what stands for a value there."""
    name = url.get_backend_name()
    if name == "sqlite":
        with closing(sqlite3.connect(str(url.database))) as file:
            file.row_factory = sqlite3.Row
            yield file.cursor(), "?"
            file.commit()
    elif name == "postgresql":
        address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address) as server, server.cursor(row_factory=dict_row) as cursor:
            yield cursor, "%s"
    else:
        with _mariadb(url) as connection, connection.cursor() as cursor:
            # As the others do: the standard's quotes, and nothing cut off.
            cursor.execute("SET sql_mode = 'ANSI_QUOTES,TRADITIONAL'")
            yield cursor, "%s"


def _mariadb(url: sa.URL) -> "pymysql.Connection[pymysql.cursors.DictCursor]":
    return pymysql.connect(
        host=url.host or "",
        port=url.port or 0,
        user=url.username,
        password=url.password or "",
        database=url.database,
        charset="utf8mb4",
        autocommit=True,
        cursorclass=pymysql.cursors.DictCursor,
    )
