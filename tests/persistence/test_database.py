"""The store under load, away, and used wrongly."""

import socket
import stat
import time

import pytest
import sqlalchemy as sa

from tests.support import foreign_sql
from tests.support.crowds import all_at_once
from tests.support.dialects import SERVERS
from tests.support.rows import a_host, a_network, an_image, stored_instance
from vmwright.errors import Conflict, InvalidRequest, NotFound, SchemaMismatch, StoreUnavailable
from vmwright.ids import HostId, ImageId, new_id
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database, now
from vmwright.persistence.deployment import deployment_of
from vmwright.persistence.registries import Registries
from vmwright.settings import DatabaseSettings
from vmwright.states import PowerState, TaskState, VmState

SESSION = {"postgresql": "SELECT pg_backend_pid()", "mysql": "SELECT connection_id()"}
# Returns once it has ended, within so many milliseconds.
END_SESSION = {"postgresql": "SELECT pg_terminate_backend({}, 10000)", "mysql": "KILL {}"}

READ_ONLY = {
    "postgresql": "SET TRANSACTION READ ONLY",
    "mysql": "START TRANSACTION READ ONLY",
    "sqlite": "PRAGMA query_only = ON",
}


def test_threads_that_read_and_then_write_lose_nothing(stores):
    """With a transaction that only becomes a writer half-way, most of these would fail."""
    host = a_host(claim_serial=0)
    with stores.database.write() as connection:
        stores.registries.hosts.add(connection, host)
    table = stores.database.schema.hosts

    def count() -> None:
        for _ in range(50):
            with stores.database.write() as connection:
                serial = connection.execute(
                    sa.select(table.c.claim_serial).where(table.c.id == host.id).with_for_update()
                ).scalar_one()
                stores.registries.hosts.change(connection, host.id, claim_serial=serial + 1)

    assert all_at_once([count] * 4) == [None] * 4
    with stores.database.read() as connection:
        assert stores.registries.hosts.find(connection, host.id).claim_serial == 200


def test_readers_go_on_while_somebody_writes(stores):
    host = a_host()
    with stores.database.write() as writing:
        stores.registries.hosts.add(writing, host)
        with stores.database.read() as reading:
            assert stores.registries.hosts.get(reading, host.id) is None


def test_exception_rolls_everything_back(stores):
    def half() -> None:
        with stores.database.write() as connection:
            stores.registries.hosts.add(connection, a_host())
            raise KeyError

    with pytest.raises(KeyError):
        half()
    with stores.database.read() as connection:
        assert list(stores.registries.hosts.all(connection)) == []


def test_clock_of_the_database_is_a_clock(database):
    before = time.time()
    with database.read() as connection:
        told = connection.execute(sa.select(now())).scalar_one()
    assert before - 1 < told < time.time() + 1


def test_server_that_is_not_there_is_unavailable_soon():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        database = Database.open(
            DatabaseSettings(connection=f"postgresql+psycopg://word:secret@127.0.0.1:{port}/d")
        )
        began = time.monotonic()
        with pytest.raises(StoreUnavailable) as away:
            schema_version.make_ready(database)
        assert time.monotonic() - began < 5
    database.close()
    assert away.value.hint
    assert "secret" not in str(away.value)


@pytest.mark.parametrize("dialect", SERVERS, indirect=True)
def test_connections_that_the_server_ended_are_made_anew(stores, ready):
    hosts = stores.registries.hosts
    with stores.database.read() as connection:
        hosts.all(connection)
        session = connection.execute(sa.text(SESSION[connection.dialect.name])).scalar_one()
    foreign_sql.execute(ready.connection, END_SESSION[stores.database.reader.name].format(session))
    with stores.database.read() as connection:
        assert list(hosts.all(connection)) == []


@pytest.mark.parametrize("dialect", SERVERS, indirect=True)
def test_connection_that_is_lost_in_a_transaction_is_unavailable(stores, ready):
    def lose() -> None:
        with stores.database.write() as connection:
            name = connection.dialect.name
            session = connection.execute(sa.text(SESSION[name])).scalar_one()
            foreign_sql.execute(ready.connection, END_SESSION[name].format(session))
            stores.registries.hosts.all(connection)

    with pytest.raises(StoreUnavailable):
        lose()


def test_database_that_only_reads_is_unavailable_to_who_writes(stores):
    """As a server is that has become a standby, or a file system that was mounted anew."""

    def write() -> None:
        with stores.database.write() as connection:
            connection.exec_driver_sql(READ_ONLY[connection.dialect.name])
            stores.registries.hosts.add(connection, a_host())

    with pytest.raises(StoreUnavailable, match=r"read.?only|READ ONLY"):
        write()


@pytest.mark.parametrize("dialect", SERVERS, indirect=True)
def test_engine_of_an_embedder_is_used_and_not_closed(ready):
    engine = sa.create_engine(ready.connection, isolation_level="SERIALIZABLE")
    database = Database.around(engine, ready)
    with database.read() as connection:
        assert connection.get_isolation_level() == "READ COMMITTED"
    with engine.begin() as connection:
        assert connection.get_isolation_level() == "SERIALIZABLE"
    deployment = deployment_of(database)
    with pytest.raises(Conflict), database.write() as connection:
        _same_host_twice(database, connection)
    database.close()
    assert deployment_of(database) == deployment
    engine.dispose()


def _same_host_twice(database, connection) -> None:
    hosts = Registries(database.schema).hosts
    hosts.add(connection, a_host())
    hosts.add(connection, a_host())


def test_sqlite_engine_of_an_embedder_is_refused(tmp_path):
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'theirs.db'}")
    with pytest.raises(InvalidRequest) as refused:
        Database.around(engine, DatabaseSettings(connection="unused"))
    assert refused.value.hint


def test_sqlite_file_and_its_directory_are_for_their_owner(tmp_path):
    path = tmp_path / "state" / "store.db"
    database = Database.open(DatabaseSettings(connection=f"sqlite:///{path}"))
    schema_version.make_ready(database)
    database.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content", [b"this is not a database" * 100, b"SQLite format 3\0junk" * 50]
)
def test_file_that_is_no_database_is_unavailable(tmp_path, content):
    path = tmp_path / "store.db"
    path.write_bytes(content)
    database = Database.open(DatabaseSettings(connection=f"sqlite:///{path}"))
    with pytest.raises((StoreUnavailable, SchemaMismatch)):
        schema_version.make_ready(database)
    database.close()
    assert path.read_bytes() == content


@pytest.mark.parametrize("is_listened_to", [False, True])
def test_file_that_is_damaged_under_its_users_is_unavailable(tmp_path, is_listened_to):
    """Transactions that somebody listens to begin and end in another way."""
    path = tmp_path / "store.db"
    database = Database.open(DatabaseSettings(connection=f"sqlite:///{path}"))
    if is_listened_to:
        sa.event.listen(database.writer, "commit", lambda _: None)
    schema_version.make_ready(database)
    foreign_sql.execute(f"sqlite:///{path}", "CREATE TABLE theirs (a INTEGER)")
    foreign_sql.execute(f"sqlite:///{path}", "PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.write(b"this is not a database")
    with pytest.raises(StoreUnavailable, match="cannot be read") as damaged, database.write():
        pass
    assert damaged.value.hint
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        deployment_of(database)
    database.close()


def test_sqlite_file_in_a_place_that_cannot_be_is_unavailable(tmp_path):
    (tmp_path / "in the way").touch()
    with pytest.raises(StoreUnavailable) as refused:
        Database.open(DatabaseSettings(connection=f"sqlite:///{tmp_path / 'in the way' / 'x.db'}"))
    assert refused.value.hint


# Things that are registered


def test_registered_things_are_found_by_name_and_by_id(stores):
    network = a_network()
    with stores.database.write() as connection:
        stores.registries.networks.add(connection, network)
    with stores.database.read() as connection:
        for known_as in (network.id, network.name):
            assert stores.registries.networks.find(connection, known_as).id == network.id
        with pytest.raises(NotFound) as missing:
            stores.registries.networks.find(connection, "other")
    assert "network list" in missing.value.hint


def test_id_wins_over_a_name_that_looks_like_one(stores):
    first = a_network()
    second = a_network(name=first.id, cidr="10.2.0.0/24")
    with stores.database.write() as connection:
        stores.registries.networks.add(connection, first)
        stores.registries.networks.add(connection, second)
        assert stores.registries.networks.find(connection, first.id).id == first.id


def test_taken_name_is_a_conflict_that_names_it(stores):
    with stores.database.write() as connection:
        stores.registries.images.add(connection, an_image())
    with pytest.raises(Conflict) as refused, stores.database.write() as connection:
        stores.registries.images.add(connection, an_image())
    assert "'image'" in refused.value.message
    assert "name" in refused.value.message


DIFFERENT = [
    "web",
    "Web",
    "web ",
    " web",
    "w\u00ebb",
    "we\u0308b",
    "\U0001f31b" * 255,
    "\U0001f31c" * 255,
]
"""Names that some databases take for the same one, cut off, or cannot hold."""


def test_names_are_the_same_to_the_last_byte_or_different(stores):
    with stores.database.write() as connection:
        for name in DIFFERENT:
            stores.registries.images.add(connection, an_image(name=name))
    with stores.database.read() as connection:
        for name in DIFFERENT:
            assert stores.registries.images.find(connection, name).name == name
        for unknown in ("WEB", "web  ", "we"):
            with pytest.raises(NotFound):
                stores.registries.images.find(connection, unknown)


def test_pinned_things_are_not_removed_meanwhile(stores):
    image = an_image()
    with stores.database.write() as connection:
        stores.registries.images.add(connection, image)
        assert stores.registries.images.pin(connection, "image").id == image.id
        with pytest.raises(NotFound):
            stores.registries.images.pin(connection, "other")


def test_turns_are_taken_one_after_the_other(stores):
    deployment_of(stores.database)

    def add_if_none() -> bool:
        with stores.database.write() as connection:
            stores.registries.take_turn(connection)
            if stores.registries.hosts.all(connection):
                return False
            name = new_id()
            stores.registries.hosts.add(connection, a_host(name=name, connection_uri=name))
            return True

    assert sorted(all_at_once([add_if_none] * 6)) == [False] * 5 + [True]


# Instances


@pytest.fixture
def instance(stores):
    with stores.database.write() as connection:
        return stored_instance(stores, connection)


def activate(stores, instance) -> bool:
    with stores.database.write() as connection:
        return stores.instances.activate(
            connection, instance, power_state=PowerState.RUNNING, launched_on="host"
        )


def known(stores, instance):
    with stores.database.read() as connection:
        return stores.instances.get(connection, instance)


def test_build_becomes_active(stores, instance):
    assert activate(stores, instance)
    active = known(stores, instance)
    assert (active.vm_state, active.task_state) == (VmState.ACTIVE, None)
    assert (active.power_state, active.launched_on) == (PowerState.RUNNING, "host")
    assert active.launched_at is not None


def test_delete_that_came_first_keeps_a_build_from_becoming_active(stores, instance):
    with stores.database.write() as connection:
        stores.instances.mark_deleting(connection, instance)
    assert not activate(stores, instance)
    with stores.database.write() as connection:
        assert not stores.instances.enter(connection, instance, TaskState.SPAWNING)
        stores.instances.fail(connection, instance, {"code": "Cancelled"})
    failed = known(stores, instance)
    assert (failed.vm_state, failed.task_state) == (VmState.ERROR, TaskState.DELETING)


def test_task_state_moves_once_for_each_state(stores, instance):
    with stores.database.write() as connection:
        assert stores.instances.enter(connection, instance, TaskState.NETWORKING)
        assert not stores.instances.enter(connection, instance, TaskState.NETWORKING)
        assert stores.instances.enter(connection, instance, None)


def test_one_operation_at_a_time_has_an_instance(stores, instance):
    first, second = new_id(), new_id()
    with stores.database.write() as connection:
        assert stores.instances.take(connection, instance, first, instead_of=None)
        assert stores.instances.take(connection, instance, first, instead_of=None)
        assert not stores.instances.take(connection, instance, second, instead_of=None)
        assert stores.instances.take(connection, instance, second, instead_of=first)
        stores.instances.let_go(connection, instance, first)
        assert stores.instances.get(connection, instance).operation_id == second


def test_deleted_instances_are_known_and_not_found(stores, instance):
    with stores.database.write() as connection:
        stores.instances.bury(connection, instance)
        assert stores.instances.known(connection, instance).vm_state is VmState.DELETED
        assert stores.instances.known(connection, new_id()) is None
        assert list(stores.instances.page(connection)) == []
        with pytest.raises(NotFound):
            stores.instances.find(connection, "vm")


def test_instances_with_one_name_are_told_apart_by_id(stores, instance):
    with stores.database.write() as connection:
        twin = stored_instance(stores, connection)
        with pytest.raises(Conflict) as refused:
            stores.instances.find(connection, "vm")
        assert stores.instances.find(connection, twin).id == twin
    assert instance in refused.value.hint
    assert twin in refused.value.hint


def test_uses_are_those_of_living_instances(stores):
    image, host = ImageId(new_id()), HostId(new_id())
    with stores.database.write() as connection:
        living = stored_instance(
            stores, connection, image_id=image, host_id=host, request={"kernel": {"id": image}}
        )
        dead = stored_instance(stores, connection, image_id=image, request={"id": image})
        stores.instances.bury(connection, dead)
        assert stores.instances.uses_of_image(connection, image) == 1
        assert stores.instances.on_host(connection, host) == 1
        assert [i.id for i in stores.instances.mentioning(connection, image)] == [living]
        assert list(stores.instances.mentioning(connection, "%")) == []
