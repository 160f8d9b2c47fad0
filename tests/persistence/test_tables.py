"""What the migrations make is what the code declares, and what TaskFlow declares."""

from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from taskflow.persistence import models
from taskflow.persistence.backends import impl_sqlalchemy
from taskflow.persistence.backends.sqlalchemy import tables as taskflow_tables

from tests.support.rows import new_flow_rows, tasks_named
from vmwright.ids import new_id
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.persistence.logbook import load_flow
from vmwright.persistence.stores import Stores
from vmwright.settings import DatabaseSettings

LOGBOOK = ("logbooks", "flowdetails", "atomdetails")


def differences(database: Database, metadata: sa.MetaData) -> list[Any]:
    """What alembic would change of the database to make it what `metadata` says."""
    with database.read() as connection:
        options = {"compare_type": True, "include_object": _compared}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)


def _compared(thing, name, kind, _reflected, _other) -> bool:
    if kind == "unique_constraint":
        # TaskFlow asks for one on each primary key; PostgreSQL does not make it twice.
        return {column.name for column in thing.columns} != {"uuid"}
    return kind != "table" or not name.endswith(("alembic_version", "schema_revision"))


def stock_backend(database: Database) -> impl_sqlalchemy.SQLAlchemyBackend:
    url = database.writer.url.render_as_string(hide_password=False)
    return impl_sqlalchemy.SQLAlchemyBackend({"connection": url}, engine=database.writer)


def stock_books(database: Database) -> dict[str, list[str]]:
    """The names of each flow's tasks, as TaskFlow itself reads them."""
    connection = stock_backend(database).get_connection()
    return {
        flow.name: sorted(atom.name for atom in flow)
        for book in connection.get_logbooks()
        for flow in book
    }


def test_migrated_database_is_what_the_code_declares(database):
    found = differences(database, database.schema.metadata)
    ours = {index.name for table in LOGBOOK for index in _indexes(database, table)}
    extra = [change for change in found if not _removes_one_of(change, ours)]
    assert extra == []


def _indexes(database: Database, table: str) -> list[sa.Index]:
    metadata = sa.MetaData()
    metadata.reflect(database.reader, only=[table])
    prefix = f"ix_{database.schema.prefix}"
    return [i for i in metadata.tables[table].indexes if str(i.name).startswith(prefix)]


def _removes_one_of(change: object, names: set[str]) -> bool:
    return isinstance(change, tuple) and change[0] == "remove_index" and change[1].name in names


def test_logbook_tables_are_those_of_taskflow_plus_indexes(database):
    metadata = sa.MetaData()
    taskflow_tables.fetch(metadata)
    changes = [c for c in differences(database, metadata) if not _is_about_our_tables(c)]
    assert {change[0] for change in changes} == {"remove_index"}


def _is_about_our_tables(change: tuple[str, sa.Table | sa.Index]) -> bool:
    table = change[1] if isinstance(change[1], sa.Table) else change[1].table
    return table is None or table.name.startswith("vmwright_")


def test_logbook_has_the_indexes_that_taskflow_lacks(database):
    indexed = {
        (table, column.name)
        for table in LOGBOOK
        for index in _indexes(database, table)
        for column in index.columns
    }
    assert {("flowdetails", "parent_uuid"), ("atomdetails", "parent_uuid")} <= indexed


def test_stock_taskflow_reads_what_we_wrote(database, stores):
    detail = new_id()
    with database.write() as connection:
        new_flow_rows(
            connection,
            stores,
            flow_name="create",
            detail_id=detail,
            atoms=tasks_named("first", "second"),
        )
    assert stock_books(database) == {"create": ["first", "second"]}


def test_we_read_what_we_wrote(database, stores):
    detail = new_id()
    with database.write() as connection:
        new_flow_rows(
            connection, stores, flow_name="create", detail_id=detail, atoms=tasks_named("first")
        )
    with database.read() as connection:
        flow = load_flow(connection, stores, detail)
    assert [(atom.name, atom.state, atom.intention) for atom in flow] == [
        ("first", "PENDING", "EXECUTE")
    ]
    assert flow.state is None


# In one database with an embedder's own TaskFlow


@pytest.fixture
def shared(empty: DatabaseSettings):
    database = Database.open(empty)
    yield database
    database.close()


def test_ours_installs_beside_stock_taskflow_and_both_go_on(shared, tmp_path):
    stock_backend(shared).get_connection().upgrade()
    stores = Stores.of(shared, tmp_path / "key")
    schema_version.upgrade(shared)
    schema_version.check(shared)
    with shared.write() as connection:
        new_flow_rows(
            connection, stores, flow_name="ours", detail_id=new_id(), atoms=tasks_named("a")
        )
    stock_backend(shared).get_connection().upgrade()
    save_stock_book(shared, "theirs")
    assert stock_books(shared) == {"ours": ["a"], "theirs": ["b"]}


def test_stock_taskflow_after_ours_is_refused_by_servers_and_harms_nothing(
    shared, dialect, tmp_path
):
    """TaskFlow's own migrations do not expect their tables. SQLite has none: it makes what is
    not there. On a server, an embedder's TaskFlow is upgraded first, or not at all: it works on
    the tables that we made."""
    schema_version.upgrade(shared)
    upgrade = stock_backend(shared).get_connection().upgrade
    if dialect == "sqlite":
        upgrade()
    else:
        with pytest.raises(Exception, match="already exists"):
            upgrade()
    schema_version.check(shared)
    stores = Stores.of(shared, tmp_path / "key")
    with shared.write() as connection:
        new_flow_rows(
            connection, stores, flow_name="ours", detail_id=new_id(), atoms=tasks_named("a")
        )
    save_stock_book(shared, "theirs")
    assert stock_books(shared) == {"ours": ["a"], "theirs": ["b"]}


def save_stock_book(database: Database, name: str) -> None:
    book = models.LogBook("book")
    flow = models.FlowDetail(name, new_id())
    flow.add(models.TaskDetail("b", new_id()))
    book.add(flow)
    stock_backend(database).get_connection().save_logbook(book)


def test_alembic_of_an_embedder_is_left_alone(shared):
    with shared.write() as connection:
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES ('theirs')"))
    schema_version.upgrade(shared)
    schema_version.check(shared)
    with shared.read() as connection:
        kept = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars()
        assert list(kept) == ["theirs"]
