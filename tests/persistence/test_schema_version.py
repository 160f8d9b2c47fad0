"""A database is made and upgraded by one process at a time, and never behind anybody's back."""

import json
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from tests.support.dialects import SERVERS
from vmwright.errors import InvalidRequest, SchemaMismatch
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.persistence.deployment import deployment_of
from vmwright.settings import DatabaseSettings


@pytest.fixture
def blank(empty):
    database = Database.open(empty)
    yield database
    database.close()


STAMPS = {"vmwright_alembic_version", "vmwright_schema_revision"}


def stamp(database: Database, version: str, table: str = "alembic_version") -> None:
    with database.write() as connection:
        connection.execute(sa.text(f"UPDATE vmwright_{table} SET version_num = :v"), {"v": version})


def tables(database: Database) -> set[str]:
    return set(sa.inspect(database.reader).get_table_names())


def child(settings: DatabaseSettings, body: str) -> subprocess.Popen[str]:
    """Another process on the same database."""
    program = f"""
import json, os, signal, sys
import sqlalchemy as sa
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.persistence.deployment import deployment_of
from vmwright.settings import DatabaseSettings
database = Database.open(DatabaseSettings(**json.loads({json.dumps(asdict(settings))!r})))
{body}
"""
    return subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def outputs(children: Sequence[subprocess.Popen[str]]) -> list[str]:
    found = []
    for process in children:
        out, err = process.communicate()
        assert process.returncode == 0, err
        found.append(out.strip())
    return found


def test_database_without_tables_has_no_version_and_fails_the_check(blank):
    assert schema_version.current_version(blank) is None
    with pytest.raises(SchemaMismatch) as refused:
        schema_version.check(blank)
    assert "db upgrade" in refused.value.hint


def test_reading_a_database_without_tables_says_what_is_missing(blank):
    with pytest.raises(SchemaMismatch), blank.read() as connection:
        connection.execute(sa.select(blank.schema.hosts))


def test_upgrade_makes_every_table_from_nothing(blank):
    assert schema_version.upgrade(blank) is None
    schema_version.check(blank)
    assert schema_version.current_version(blank) == schema_version.newest_version()
    assert tables(blank) == set(blank.schema.metadata.tables) | STAMPS


def test_upgrade_again_changes_nothing(blank):
    schema_version.upgrade(blank)
    deployment = deployment_of(blank)
    assert schema_version.upgrade(blank) is None
    assert deployment_of(blank) == deployment


def test_newer_schema_is_refused_and_left_alone(blank):
    schema_version.upgrade(blank)
    stamp(blank, "9999")
    for verb in (schema_version.check, schema_version.make_ready, schema_version.upgrade):
        with pytest.raises(SchemaMismatch) as refused:
            verb(blank)
        assert "9999" in refused.value.message
        assert refused.value.hint
    assert schema_version.oldest_version(blank) == "9999"


def test_newer_schema_that_only_adds_is_worked_on_and_left_alone(blank):
    """As the release before sees what a newer one beside it has made of the database."""
    schema_version.upgrade(blank)
    stamp(blank, "9999", "schema_revision")
    for verb in (schema_version.check, schema_version.make_ready):
        verb(blank)
    with pytest.raises(SchemaMismatch, match="9999"):
        schema_version.upgrade(blank)
    assert schema_version.current_version(blank) == "9999"


def test_release_before_0003_finds_the_version_that_it_writes(blank):
    """It reads one table, and takes no other version than its own."""
    schema_version.upgrade(blank)
    with blank.read() as connection:
        (seen,) = connection.execute(sa.text("SELECT version_num FROM vmwright_alembic_version"))
    assert seen.version_num == "0002"
    assert schema_version.current_version(blank) == schema_version.newest_version()


@pytest.mark.parametrize("dialect", SERVERS, indirect=True)
def test_database_of_a_server_is_never_made_without_being_asked(blank):
    with pytest.raises(SchemaMismatch):
        schema_version.make_ready(blank)
    assert tables(blank) == set()


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_sqlite_file_is_made_on_first_use_for_its_owner_alone(blank, tmp_path):
    schema_version.make_ready(blank)
    schema_version.check(blank)
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_tables_carry_the_prefix_of_the_settings(empty):
    settings = DatabaseSettings(connection=empty.connection, table_prefix="other_")
    database = Database.open(settings)
    schema_version.upgrade(database)
    deployment_of(database)
    assert {"other_instances", "other_alembic_version", "other_schema_revision"} <= tables(database)
    database.close()


def test_two_deployments_share_a_database_under_two_prefixes(blank, empty):
    settings = DatabaseSettings(connection=empty.connection, table_prefix="other_")
    other = Database.open(settings)
    schema_version.upgrade(blank)
    schema_version.upgrade(other)
    assert deployment_of(blank) != deployment_of(other)
    other.close()


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_sqlite_file_is_copied_before_an_older_schema_is_upgraded(blank, older_version):
    deployment = deployment_of(blank)
    with pytest.raises(SchemaMismatch) as refused:
        schema_version.check(blank)
    assert "db upgrade" in refused.value.hint
    copy = schema_version.upgrade(blank)
    assert copy is not None
    assert schema_version.current_version(blank) == "9999"
    assert stat.S_IMODE(Path(copy).stat().st_mode) == 0o600
    kept = Database.open(DatabaseSettings(connection=f"sqlite:///{copy}"))
    assert schema_version.current_version(kept) == older_version
    assert deployment_of(kept) == deployment
    kept.close()


@pytest.fixture
def older_version(blank, monkeypatch, tmp_path_factory):
    """The database as today's vmwright leaves it, seen by one that knows one more migration."""
    schema_version.upgrade(blank)
    deployment_of(blank)
    newest = schema_version.newest_version()
    migrations = tmp_path_factory.mktemp("newer") / "migrations"
    shutil.copytree(schema_version._MIGRATIONS, migrations)
    (migrations / "versions" / "v9999_more.py").write_text(
        f'revision = "9999"\ndown_revision = "{newest}"\n\n\ndef upgrade(prefix):\n    pass\n'
    )
    monkeypatch.setattr(schema_version, "_MIGRATIONS", migrations)
    return newest


@pytest.mark.parametrize("dialect", SERVERS, indirect=True)
def test_database_of_a_server_is_upgraded_only_when_asked(blank, older_version):
    with pytest.raises(SchemaMismatch, match="writes 9999"):
        schema_version.make_ready(blank)
    assert schema_version.current_version(blank) == older_version
    assert schema_version.upgrade(blank) is None
    assert schema_version.current_version(blank) == "9999"


def test_what_is_read_of_migrations_is_what_alembic_finds():
    """They are read without it, so that only who changes a schema loads it."""
    script = ScriptDirectory(str(schema_version._MIGRATIONS))
    found = list(script.walk_revisions())
    read = schema_version._versions_in(schema_version._MIGRATIONS)
    assert read.newest == script.get_current_head()
    assert read.known == {one.revision for one in found}
    assert read.oldest == max(getattr(one.module, "compatible_from", one.revision) for one in found)


def test_several_processes_make_one_database_at_once(empty, dialect):
    verb = "make_ready" if dialect == "sqlite" else "upgrade"
    body = f"schema_version.{verb}(database); print(deployment_of(database))"
    deployments = outputs([child(empty, body) for _ in range(4)])
    assert len(set(deployments)) == 1
    database = Database.open(empty)
    schema_version.check(database)
    assert deployment_of(database) == deployments[0]
    with database.read() as connection:
        rows = connection.execute(
            sa.select(sa.func.count()).select_from(database.schema.deployment)
        )
        assert rows.scalar_one() == 1
    database.close()


KILLED_HALF_WAY = """
seen = []
@sa.event.listens_for(database.writer, "before_cursor_execute")
def _kill(connection, cursor, statement, parameters, context, executemany):
    seen.append(statement)
    if len([made for made in seen if "CREATE TABLE" in made]) == 8:
        os.kill(os.getpid(), signal.SIGKILL)
schema_version.upgrade(database)
"""


def test_upgrade_goes_on_after_a_process_was_killed_in_it(empty):
    killed = child(empty, KILLED_HALF_WAY)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    database = Database.open(empty)
    schema_version.upgrade(database)
    schema_version.check(database)
    assert tables(database) == set(database.schema.metadata.tables) | STAMPS
    database.close()


@pytest.mark.parametrize(
    ("connection", "reason"),
    [
        ("not a url", "not a database URL"),
        ("oracle://host/name", "not supported"),
        ("sqlite://", "lost with the process"),
        ("sqlite:///", "lost with the process"),
        ("sqlite:///:memory:", "lost with the process"),
        ("sqlite:///file:x?mode=memory&uri=true", "lost with the process"),
    ],
)
def test_unusable_urls_are_refused(connection, reason):
    with pytest.raises(InvalidRequest, match=reason):
        Database.open(DatabaseSettings(connection=connection))
