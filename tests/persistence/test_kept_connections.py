"""Connections stay open between transactions, and nothing of one is seen by the next."""

import os
import sqlite3
import threading
from contextlib import ExitStack

import pytest
import sqlalchemy as sa

from tests.support import foreign_sql
from tests.support.attempts import until
from tests.support.crowds import all_at_once
from tests.support.dialects import DIALECTS, SERVERS
from tests.support.rows import a_host
from vmwright.errors import Conflict, StoreUnavailable
from vmwright.persistence.kept_connections import KeptConnections
from vmwright.persistence.pinging import is_sound
from vmwright.persistence.prepared import Prepared

KEPT = [DIALECTS[0], SERVERS[0]]


@pytest.fixture
def renamed(stores):
    """A statement that goes to the driver at once."""
    table = stores.database.schema.hosts
    return Prepared(
        sa.update(table).where(table.c.id == sa.bindparam("key")).values(name=sa.bindparam("name"))
    )


@pytest.fixture
def host(stores):
    host = a_host()
    with stores.database.write() as connection:
        stores.registries.hosts.add(connection, host)
    return host


def checkouts(database):
    """How often a connection was taken out of its pool from now on."""
    told = []
    for engine in {database.writer, database.reader}:
        sa.event.listen(engine, "checkout", lambda *_: told.append(1))
    return told


def name_of(stores, host):
    with stores.database.read() as connection:
        return stores.registries.hosts.find(connection, host.id).name


@pytest.mark.parametrize("dialect", KEPT, indirect=True)
def test_transactions_one_after_the_other_take_no_connection_from_the_pool(stores, host, renamed):
    name_of(stores, host)
    told = checkouts(stores.database)
    for number in range(3):
        with stores.database.write() as connection:
            assert renamed.one(connection, {"key": host.id, "name": f"h{number}"}) == 1
        assert name_of(stores, host) == f"h{number}"
    assert told == []


@pytest.mark.parametrize("dialect", KEPT, indirect=True)
def test_what_a_prepared_statement_did_is_rolled_back_with_the_rest(stores, host, renamed):
    def half():
        with stores.database.write() as connection:
            renamed.one(connection, {"key": host.id, "name": "half"})
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert name_of(stores, host) == host.name


@pytest.mark.parametrize("dialect", KEPT, indirect=True)
def test_statements_of_both_kinds_are_of_one_transaction(stores, host, renamed):
    hosts = stores.registries.hosts
    with stores.database.write() as connection:
        renamed.one(connection, {"key": host.id, "name": "first"})
        hosts.change(connection, host.id, vcpus=77)
        renamed.one(connection, {"key": host.id, "name": "second"})

    def refused():
        with stores.database.write() as connection:
            renamed.one(connection, {"key": host.id, "name": "third"})
            hosts.add(connection, host)

    with pytest.raises(Conflict):
        refused()
    with stores.database.read() as connection:
        known = hosts.find(connection, host.id)
    assert (known.name, known.vcpus) == ("second", 77)


@pytest.mark.parametrize("dialect", KEPT, indirect=True)
def test_who_listens_to_commits_hears_of_each(stores, host, renamed):
    heard = []

    def hear(connection):
        heard.append(connection)

    def rename(name):
        with stores.database.write() as connection:
            renamed.one(connection, {"key": host.id, "name": name})

    rename("before")
    sa.event.listen(stores.database.writer, "commit", hear)
    rename("heard")
    sa.event.remove(stores.database.writer, "commit", hear)
    rename("after")
    assert (len(heard), name_of(stores, host)) == (1, "after")


@pytest.mark.parametrize("dialect", KEPT, indirect=True)
def test_few_connections_are_kept_of_many(stores, host):
    stores.database.close()

    def read():
        for _ in range(5):
            name_of(stores, host)

    assert all_at_once([read] * 8) == [None] * 8
    assert stores.database.reader.pool.checkedout() <= 4
    stores.database.close()
    assert stores.database.reader.pool.checkedout() == 0
    assert name_of(stores, host) == host.name


@pytest.mark.parametrize("dialect", KEPT, indirect=True)
def test_who_waits_for_a_connection_gets_the_next_one(stores, host):
    """Though others who come, and need not wait, would like to keep it."""
    kept = stores.database._kept[stores.database.reader]
    pool = stores.database.reader.pool
    heard = []
    thread = threading.Thread(target=lambda: heard.append(name_of(stores, host)))
    with ExitStack() as all_others:
        first = ExitStack()
        first.enter_context(stores.database.read())
        while pool.checkedout() < pool.size() + pool._max_overflow:
            all_others.enter_context(stores.database.read())
        thread.start()
        until(lambda: bool(kept._asking))
        first.close()
        thread.join()
    assert heard == [host.name]


@pytest.mark.parametrize("dialect", KEPT, indirect=True)
def test_connection_of_a_transaction_that_outlives_its_database_is_closed(stores, host):
    name_of(stores, host)
    with stores.database.read() as connection:
        raw = connection.connection.dbapi_connection
        stores.database.close()
        assert stores.registries.hosts.find(connection, host.id).name == host.name
    with pytest.raises(stores.database.reader.dialect.loaded_dbapi.Error, match="closed"):
        raw.cursor()


@pytest.mark.parametrize("dialect", SERVERS, indirect=True)
def test_commit_that_fails_is_a_store_that_does_not_answer(stores, host, renamed, dialect):
    def commit_nothing():
        with stores.database.write() as connection:
            renamed.one(connection, {"key": host.id, "name": "lost"})
            raw = connection.connection.driver_connection
            (raw.close if dialect == "postgresql" else raw._force_close)()

    with pytest.raises(StoreUnavailable):
        commit_nothing()
    assert name_of(stores, host) == host.name


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_child_that_was_forked_has_connections_of_its_own(stores, host):
    kept = stores.database._kept[stores.database.reader]
    name_of(stores, host)
    ours = {id(connection) for connection, _ in kept._idle}
    child = os.fork()
    if not child:
        name_of(stores, host)
        theirs = {id(connection) for connection, _ in kept._idle}
        os._exit(1 if ours & theirs or not theirs else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert name_of(stores, host) == host.name


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_connection_that_is_not_sound_is_closed(database):
    asked = []
    kept = KeptConnections(database.reader, is_sound=lambda *idle: bool(asked.append(idle)))

    def raw():
        connection, home = kept.begun()
        raw = connection.connection.dbapi_connection
        kept.end(connection)
        kept.keep(connection, home)
        return raw

    first = raw()
    assert raw() is not first
    assert len(asked) == 1
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        first.execute("SELECT 1")
    kept.close()


@pytest.mark.parametrize("dialect", [SERVERS[0]], indirect=True)
def test_session_that_lay_idle_is_asked(database, ready):
    with database.reader.connect() as connection:
        session = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
        connection.rollback()
        assert is_sound(connection, idle=3600.0)
        assert not connection.in_transaction()
        foreign_sql.execute(ready.connection, f"SELECT pg_terminate_backend({session}, 10000)")
        assert not is_sound(connection, idle=0.0)
        connection.invalidate()
