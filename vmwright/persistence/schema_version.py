"""Bringing a database to the schema that this version writes, and saying where it stands."""

import functools
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from vmwright.errors import SchemaMismatch, StoreUnavailable
from vmwright.persistence.database import Database

_ADVISORY_LOCK = 0x766D7772
"""Any number, the same in every process: 'vmwr'."""

_LOCK_SECONDS = 60

_MIGRATIONS = Path(__file__).parent / "migrations"


def current_version(database: Database) -> str | None:
    """The version that the database is at, or None if it has none of our tables."""
    with database.read() as connection:
        return _version_of(connection, database)


def newest_version() -> str:
    """The version that this code writes."""
    newest, _ = _versions_in(_MIGRATIONS)
    return newest


def check(database: Database) -> None:
    """Return if the schema is ours, else raise `SchemaMismatch` that says what to do."""
    version = current_version(database)
    if version is None:
        raise SchemaMismatch("the database has no vmwright tables", hint="run: vmwright db upgrade")
    if version not in _known_versions():
        raise _unknown(version)
    if version != newest_version():
        raise SchemaMismatch(
            f"the database is at version {version}, this vmwright writes {newest_version()}",
            hint="stop older processes, then run: vmwright db upgrade",
        )


def make_ready(database: Database) -> None:
    """Check the schema; an SQLite file is made or upgraded on the way, a server never is."""
    if database.writer.dialect.name == "sqlite":
        version = current_version(database)
        if version is None or (version in _known_versions() and version != newest_version()):
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
        if version is not None and version not in _known_versions():
            raise _unknown(version)
        copy = None
        if version not in (None, newest_version()) and connection.dialect.name == "sqlite":
            copy = _copy_of(Path(str(database.writer.url.database)), str(version))
        config = Config()
        config.attributes["connection"] = connection
        config.attributes["version_table"] = _version_table(database)
        config.attributes["prefix"] = database.schema.prefix
        _script(config, _MIGRATIONS)
        command.upgrade(config, "head")
    return copy


def _unknown(version: str) -> SchemaMismatch:
    return SchemaMismatch(
        f"the database is at version {version!r}, which this vmwright does not know",
        hint="a newer vmwright has upgraded it: install that version",
    )


def _script(config: Config, location: Path) -> ScriptDirectory:
    config.set_main_option("script_location", str(location))
    return ScriptDirectory.from_config(config)


def _known_versions() -> frozenset[str]:
    _, known = _versions_in(_MIGRATIONS)
    return known


@functools.cache
def _versions_in(location: Path) -> tuple[str, frozenset[str]]:
    """The newest version, and all. They are modules, which take a while to find and to read."""
    script = _script(Config(), location)
    head = script.get_current_head()
    assert head is not None
    return head, frozenset(found.revision for found in script.walk_revisions())


def _version_table(database: Database) -> str:
    """Never alembic's default name: an embedder's own alembic may use that."""
    return f"{database.schema.prefix or 'vmwright_'}alembic_version"


def _version_of(connection: sa.Connection, database: Database) -> str | None:
    context = MigrationContext.configure(
        connection, opts={"version_table": _version_table(database)}
    )
    return context.get_current_revision()


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
    shutil.copy2(path, target)
    for suffix in ("-wal",):
        log = path.with_name(path.name + suffix)
        if log.exists():
            shutil.copy2(log, target.with_name(target.name + suffix))
    return str(target)
