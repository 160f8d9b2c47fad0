"""Kinds of columns, and how tables, constraints and indexes are named."""

import threading
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Table, UniqueConstraint
from sqlalchemy.dialects import mysql

BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TEXT = sa.Text()
JSON = sa.JSON(none_as_null=True)
LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
"""For more than the 64 KB that TEXT holds on MariaDB."""


def uuid(name: str, *more: ForeignKey, nullable: bool = False) -> Column[str]:
    return Column(name, sa.String(36), *more, nullable=nullable)


def word(name: str, *, nullable: bool = False) -> Column[str]:
    """A short text that we make, or that has a grammar."""
    return Column(name, sa.String(64), nullable=nullable)


def name(name: str, *, nullable: bool = False) -> Column[str]:
    """A text that users make."""
    return Column(name, sa.String(255), nullable=nullable)


def time(name: str, *, nullable: bool = False) -> Column[float]:
    """Seconds since the epoch."""
    return Column(name, sa.Double(), nullable=nullable)


def number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, sa.BigInteger(), nullable=nullable)


def ratio(name: str) -> Column[float]:
    return Column(name, sa.Double(), nullable=False)


def truth(name: str) -> Column[bool]:
    return Column(name, sa.Boolean(), nullable=False)


class Tables:
    """A set of tables under one prefix. Thread-safe."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._metadata = sa.MetaData()
        self._logbook: Any = None
        self._turn = threading.Lock()

    @property
    def logbook(self) -> Any:
        """TaskFlow's three, under its own names: only what runs something loads TaskFlow."""
        with self._turn:
            if self._logbook is None:
                from taskflow.persistence.backends.sqlalchemy import tables

                self._logbook = tables.fetch(self._metadata)
            return self._logbook

    @property
    def metadata(self) -> sa.MetaData:
        """Of all tables, TaskFlow's too."""
        assert self.logbook
        return self._metadata

    def _table(self, name: str, *columns: Column[object] | sa.schema.SchemaItem) -> Table:
        return Table(
            f"{self.prefix}{name}",
            self._metadata,
            Column("seq", BIG, primary_key=True, autoincrement=True),
            *columns,
            sqlite_autoincrement=True,
        )

    def _unique(self, table: str, *columns: str) -> UniqueConstraint:
        """Named as oslo.db expects, so that a duplicate names its columns."""
        return UniqueConstraint(*columns, name=f"uniq_{self.prefix}{table}0{'0'.join(columns)}")

    def _index(self, table: str, *columns: str, only: str | None = None) -> Index:
        """`only` says which rows it holds, where the database has such indexes: the others cost
        it nothing. A query must say so literally, too."""
        where = None if only is None else sa.text(only)
        name = f"ix_{self.prefix}{table}_{'_'.join(columns)}"
        return Index(name, *columns, sqlite_where=where, postgresql_where=where)

    def _to(self, table: str) -> ForeignKey:
        return ForeignKey(f"{self.prefix}{table}.id")
