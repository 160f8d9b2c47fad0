"""What things are called, for whoever completes a command as it is typed: it must take no time.

So this reads without the schema and oslo.db, and SQLite without SQLAlchemy. It writes nothing,
waits for nobody, and makes no store that is not there.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from vmwright.errors import StoreUnavailable
from vmwright.settings import DatabaseSettings
from vmwright.states import CLAIMABLE, STANDING_STILL, OperationState

_MOST = 500
"""The newest of them: nobody reads more."""
_PATIENCE = 1
"""Seconds."""


@dataclass(frozen=True, kw_only=True)
class Named:
    """A thing by its name and id, and in a few words what it is. Some have no name."""

    name: str | None
    id: str
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """Where things of a kind are found. `whose` is the column with the project they belong to."""

    table: str
    name: str | None = "name"
    about: Sequence[str] = ()
    whose: str | None = None
    where: str = ""


_INSTANCE = "(SELECT name FROM {prefix}instances WHERE {prefix}instances.id = instance_id)"


def _operations(states: Sequence[OperationState]) -> _Kind:
    known = ", ".join(f"'{state}'" for state in sorted(states))
    return _Kind(
        table="operations",
        name=None,
        about=("kind", "state", _INSTANCE),
        whose="project_id",
        where=f"state IN ({known})",
    )


_KINDS: Mapping[str, _Kind] = {
    "flavor": _Kind(table="flavors"),
    "host": _Kind(table="hosts", about=("zone",)),
    "image": _Kind(table="images", about=("disk_format",)),
    "instance": _Kind(
        table="instances", about=("vm_state",), whose="project_id", where="deleted_at IS NULL"
    ),
    "keypair": _Kind(table="key_pairs", about=("fingerprint",)),
    "network": _Kind(table="networks", about=("cidr",)),
    "operation": _operations(tuple(OperationState)),
    "unfinished operation": _operations(tuple(CLAIMABLE | STANDING_STILL)),
    "halted operation": _operations(tuple(STANDING_STILL)),
    "port": _Kind(table="ports", about=("ip",), whose="project_id"),
    "debt": _Kind(table="debts", name=None, about=("kind", "reason")),
    "security group": _Kind(table="security_groups", whose="project_id"),
    "security group rule": _Kind(
        table="security_group_rules", name=None, about=("direction", "protocol")
    ),
    "server group": _Kind(table="server_groups", whose="project_id"),
    "snapshot": _Kind(table="snapshots", whose="project_id"),
    "token": _Kind(table="tokens", about=("project_id", "user_id")),
    "volume": _Kind(table="volumes", whose="project_id"),
    "zone": _Kind(table="hosts", name="zone"),
}

KINDS = frozenset(_KINDS)
"""Of what there are names."""


def names_of(settings: DatabaseSettings, kind: str, project: str | None) -> Sequence[Named]:
    """The newest things of a kind first; of one project only, if it is named and things of this
    kind belong to one. `StoreUnavailable` if the store cannot be read at once."""
    known = _KINDS[kind]
    about = [one.format(prefix=settings.table_prefix) for one in known.about]
    columns = ["id", known.name or "NULL", *about]
    conditions = [known.where, f"{known.whose} = :project" if known.whose and project else ""]
    where = " AND ".join(one for one in conditions if one)
    query = (
        f"SELECT {', '.join(columns)} "  # noqa: S608 - no part of it comes from outside
        f"FROM {settings.table_prefix}{known.table} "
        f"{f'WHERE {where} ' if where else ''}ORDER BY seq DESC LIMIT {_MOST}"
    )
    values = {"project": project} if ":project" in where else {}
    return [
        Named(id=id, name=name, about=" ".join(str(one) for one in about if one))
        for id, name, *about in _rows(settings, query, values)
    ]


def _rows(settings: DatabaseSettings, query: str, values: Mapping[str, Any]) -> Iterator[Any]:
    scheme, _, rest = settings.connection.partition("://")
    if scheme.partition("+")[0] == "sqlite":
        yield from _rows_of_file(rest.partition("?")[0].removeprefix("/"), query, values)
    else:
        yield from _rows_of_server(settings.connection, query, values)


def _rows_of_file(path: str, query: str, values: Mapping[str, Any]) -> Sequence[Any]:
    from urllib.parse import quote

    try:
        where = f"file:{quote(path)}?mode=ro"
        with closing(sqlite3.connect(where, uri=True, timeout=_PATIENCE)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the store {path} cannot be read: {error}") from error


def _rows_of_server(url: str, query: str, values: Mapping[str, Any]) -> Sequence[Any]:
    import sqlalchemy as sa

    engine = sa.create_engine(url, connect_args={"connect_timeout": _PATIENCE})
    try:
        with engine.connect() as connection:
            return connection.execute(sa.text(query), values).fetchall()
    except sa.exc.SQLAlchemyError as error:
        raise StoreUnavailable("the store cannot be read") from error
    finally:
        engine.dispose()
