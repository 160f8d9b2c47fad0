"""Bringing a database to the schema that this version writes, and saying where it stands.

Two small tables say so. One holds the revision of the schema. The other one, which the first
releases took for the revision, holds the oldest revision whose code may still work on it: a
migration that only adds leaves it alone, and a release that does not know it goes on beside one
that does.
"""

import functools
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from vmwright.errors import SchemaMismatch, StoreUnavailable
from vmwright.persistence.database import Database
from vmwright.private_files import new_file

if TYPE_CHECKING:
    from alembic.config import Config

_ADVISORY_LOCK = 0x766D7772
"""Any number, the same in every process: 'vmwr'."""

_LOCK_SECONDS = 60

_MIGRATIONS = Path(__file__).parent / "migrations"

_STATED = re.compile(
    r"""^(revision|down_revision|compatible_from) = (?:"(\w+)"|None)$""", re.MULTILINE
)


def current_version(database: Database) -> str | None:
    """The version that the database is at, or None if it has none of our tables."""
    with database.read() as connection:
        return _version_of(connection, database)


def newest_version() -> str:
    """The version that this code writes."""
    return _versions_in(_MIGRATIONS).newest


def oldest_version(database: Database) -> str | None:
    """The oldest version whose code may work on the database as it is; None without tables."""
    with database.read() as connection:
        return _stamp_of(connection, _floor_table(database))


def check(database: Database) -> None:
    """Return if this code may work on the schema, else raise `SchemaMismatch` that says what to
    do. It may on a newer one whose migrations only added to what it knows."""
    with database.read() as connection:
        version = _version_of(connection, database)
        oldest = _stamp_of(connection, _floor_table(database))
    if version is None:
        raise SchemaMismatch("the database has no vmwright tables", hint="run: vmwright db upgrade")
    if oldest not in _known_versions():
        raise _unknown(str(oldest))
    if _is_behind(version):
        raise SchemaMismatch(
            f"the database is at version {version}, this vmwright writes {newest_version()}",
            hint="stop older processes, then run: vmwright db upgrade",
        )


def make_ready(database: Database) -> None:
    """Check the schema; an SQLite file is made or upgraded on the way, a server never is."""
    if database.writer.dialect.name == "sqlite":
        version = current_version(database)
        if version is None or _is_behind(version):
            upgrade(database)
    check(database)


def upgrade(database: Database) -> str | None:
    """Bring the schema to the newest version, one process at a time.

    TaskFlow's own `upgrade()` may have run in the same database before, and run again later. On
    a server it may not run after ours for the first time: its migrations fail on tables that
    are there already, and change nothing. It works on ours without.

    Returns where an SQLite file was copied to before it was changed, or None if there was
    nothing to lose.
    """
    with database.write() as connection, _locked(connection):
        version = _version_of(connection, database)
        for stamp in (version, _stamp_of(connection, _floor_table(database))):
            if stamp is not None and stamp not in _known_versions():
                raise _unknown(stamp)
        copy = None
        if version not in (None, newest_version()) and connection.dialect.name == "sqlite":
            copy = _copy_of(Path(str(database.writer.url.database)), str(version))
        _migrate(connection, database, version)
    return copy


def _migrate(connection: sa.Connection, database: Database, version: str | None) -> None:
    """Where DDL is not transactional, whoever is killed in it is gone on for: so older code is
    shut out before what it cannot bear, and let in only once all is there."""
    from alembic import command

    oldest = _versions_in(_MIGRATIONS).oldest
    if version is not None:
        _stamp(connection, _version_table(database), version)
        _stamp(connection, _floor_table(database), oldest)
    command.upgrade(_config(connection, database), "head")
    _stamp(connection, _floor_table(database), oldest)


def _config(connection: sa.Connection, database: Database) -> "Config":
    """What alembic and our `env.py` are told. It takes longer to load than a look at a database
    that is as it should be: only who changes one does."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    config.attributes["version_table"] = _version_table(database)
    config.attributes["prefix"] = database.schema.prefix
    return config


def _unknown(version: str) -> SchemaMismatch:
    return SchemaMismatch(
        f"the database is at version {version!r}, which this vmwright does not know",
        hint="a newer vmwright has upgraded it: install that version",
    )


@dataclass(frozen=True)
class _Versions:
    """The migrations of a directory."""

    newest: str
    oldest: str
    """Of those whose code may work on the newest."""
    known: frozenset[str]


def _known_versions() -> frozenset[str]:
    return _versions_in(_MIGRATIONS).known


def _is_behind(version: str) -> bool:
    return version in _known_versions() and version != newest_version()


@functools.cache
def _versions_in(location: Path) -> _Versions:
    """What the migrations say of themselves: read, and not run, for that needs alembic."""
    texts = (path.read_text() for path in sorted((location / "versions").glob("v*.py")))
    stated: list[dict[str, str]] = [dict(_STATED.findall(text)) for text in texts]
    known = frozenset(one["revision"] for one in stated)
    (newest,) = known - {one["down_revision"] for one in stated}
    # A migration that does not say which code it suits suits only its own.
    bearable = (one.get("compatible_from", one["revision"]) for one in stated)
    return _Versions(newest, max(bearable), known)


def _version_table(database: Database) -> str:
    return f"{database.schema.prefix or 'vmwright_'}schema_revision"


def _floor_table(database: Database) -> str:
    """Never alembic's default name: an embedder's own alembic may use that."""
    return f"{database.schema.prefix or 'vmwright_'}alembic_version"


def _version_of(connection: sa.Connection, database: Database) -> str | None:
    """Before there were two tables, the floor was the version."""
    version = _stamp_of(connection, _version_table(database))
    return _stamp_of(connection, _floor_table(database)) if version is None else version


def _stamp_of(connection: sa.Connection, name: str) -> str | None:
    if not sa.inspect(connection).has_table(name):
        return None
    table = sa.table(name, sa.column("version_num", sa.String))
    return connection.execute(sa.select(table.c.version_num)).scalar_one_or_none()


def _stamp(connection: sa.Connection, name: str, version: str) -> None:
    """Have exactly this in the table, which is made as alembic makes it."""
    number = sa.Column("version_num", sa.String(32), nullable=False)
    table = sa.Table(
        name, sa.MetaData(), number, sa.PrimaryKeyConstraint(number, name=f"{name}_pkc")
    )
    table.create(connection, checkfirst=True)
    if not connection.execute(sa.update(table).values(version_num=version)).rowcount:
        connection.execute(sa.insert(table).values(version_num=version))


@contextmanager
def _locked(connection: sa.Connection) -> Iterator[None]:
    """Keep other processes out. SQLite needs nothing more: its writer begins immediate."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        yield
    elif connection.dialect.name in ("mysql", "mariadb"):
        # Of the session, not of the transaction: each statement that changes a table commits.
        name = f"vmwright-{connection.engine.url.database}"[:64]
        if connection.execute(sa.select(sa.func.get_lock(name, _LOCK_SECONDS))).scalar() != 1:
            raise StoreUnavailable(
                "another process has been upgrading this database for a long time",
                hint="see: SHOW PROCESSLIST; then try again",
            )
        try:
            yield
        finally:
            connection.execute(sa.select(sa.func.release_lock(name)))
    else:
        yield


def _copy_of(path: Path, version: str) -> str:
    """A copy beside the file, made while nobody else can write."""
    target = path.with_name(f"{path.name}.{version}.{int(time.time())}.bak")
    _copy(path, target)
    for suffix in ("-wal",):
        log = path.with_name(path.name + suffix)
        if log.exists():
            _copy(log, target.with_name(target.name + suffix))
    return str(target)


def _copy(source: Path, target: Path) -> None:
    """Nobody else may read it, and what is there already is never written to."""
    with source.open("rb") as file, os.fdopen(new_file(target), "wb") as copy:
        shutil.copyfileobj(file, copy)
