"""The rows of a store as an outsider reads them: by SQL alone, never through the package."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

Row = dict[str, Any]


class Store:
    """One store by its SQLAlchemy URL: SQLite, PostgreSQL or MariaDB."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.kind = url.partition(":")[0].partition("+")[0]

    def rows(self, statement: str, *values: object) -> list[Row]:
        """What a question answers; its parameters are written ``?``."""
        with self._connected() as cursor:
            cursor.execute(self._worded(statement), values)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def tables(self) -> list[str]:
        """The name of every table."""
        asked = {
            "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
            "postgresql": "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
        }
        told = asked.get(
            self.kind,
            "SELECT table_name AS name FROM information_schema.tables"
            " WHERE table_schema = database()",
        )
        names = [str(row["name"]) for row in self.rows(told)]
        return [name for name in names if not name.startswith("sqlite_")]

    def everything(self) -> Iterator[tuple[str, Row]]:
        """Every row of every table."""
        for table in self.tables():
            for row in self.rows(f"SELECT * FROM {table}"):
                yield table, row

    @contextmanager
    def changing(self) -> Iterator[Any]:
        """A cursor in one transaction; of a server, for no constraint is looked at meanwhile."""
        with closing(self._connect()) as connection:
            cursor = connection.cursor()
            if self.kind == "postgresql":
                cursor.execute("SET session_replication_role = replica")
            else:
                cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
            yield cursor
            connection.commit()

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        with closing(self._connect()) as connection:
            yield connection.cursor()
            connection.rollback()

    def _connect(self) -> Any:
        if self.kind == "sqlite":
            path = self.url.partition("///")[2]
            return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
        parts = urlsplit(self.url)
        if self.kind == "postgresql":
            import psycopg

            connection = psycopg.connect(parts._replace(scheme="postgresql").geturl())
            # As it stands there, and as the other databases give it: a number is JSON as well.
            connection.adapters.register_loader("json", psycopg.types.string.TextLoader)
            return connection
        import pymysql

        return pymysql.connect(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 3306,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=parts.path.lstrip("/"),
            charset="utf8mb4",
        )

    def quoted(self, name: str) -> str:
        return f"`{name}`" if self.kind == "mysql" else f'"{name}"'

    def _worded(self, statement: str) -> str:
        return statement if self.kind == "sqlite" else statement.replace("?", "%s")


@dataclass(frozen=True)
class Snapshot:
    """Every row of a server's store."""

    rows: dict[str, list[Row]]

    @classmethod
    def of(cls, store: Store) -> "Snapshot":
        tables = [name for name in store.tables() if not name.endswith("alembic_version")]
        return cls({table: store.rows(f"SELECT * FROM {table}") for table in tables})

    def put_back(self, store: Store) -> None:
        """Have exactly these rows."""
        with store.changing() as cursor:
            for table, rows in self.rows.items():
                cursor.execute(f"DELETE FROM {table}")
                for row in rows:
                    # `key` is a word of MariaDB's.
                    names = ", ".join(store.quoted(name) for name in row)
                    marks = ", ".join(["%s"] * len(row))
                    values = list(row.values())
                    cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)
