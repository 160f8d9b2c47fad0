"""A prepared statement does what SQLAlchemy does with it, and fails as it does."""

import time
from dataclasses import fields

import pytest
import sqlalchemy as sa

from tests.support.dialects import SERVERS_IN_TURN
from tests.support.rows import stored_operation
from vmwright.errors import StoreUnavailable
from vmwright.ids import new_id
from vmwright.persistence.failures import Dangling
from vmwright.persistence.prepared import Prepared
from vmwright.persistence.records import Event
from vmwright.states import OperationState

COLUMNS = [field.name for field in fields(Event) if field.name != "seq"]


@pytest.fixture
def operation(stores):
    with stores.database.write() as connection:
        return stored_operation(stores, connection)


@pytest.fixture
def insertion(stores):
    return Prepared(sa.insert(stores.database.schema.events), *COLUMNS)


def an_event(operation, **changes):
    known = {"operation_id": operation.id, "instance_id": operation.instance_id}
    return Event(**(known | {"kind": "task", "state": "RUNNING", "at": time.time()} | changes))


def stored(stores, operation):
    with stores.database.read() as connection:
        return stores.operations.events(connection, operation.id)


@pytest.mark.parametrize("count", [1, 3])
def test_rows_are_those_that_sqlalchemy_would_store(stores, operation, insertion, count):
    events = [
        an_event(operation, task=f"task{number}", error={"code": "Réfusé"}, detail={"n": number})
        for number in range(count)
    ]
    rows = [event.values() for event in events]
    with stores.database.write() as connection:
        insertion.many(connection, rows)
        connection.execute(sa.insert(stores.database.schema.events), rows)
    known = [event.values() for event in stored(stores, operation)]
    assert known == rows + rows


def test_values_that_the_statement_has_itself_are_kept(stores, operation):
    column = stores.database.schema.operations.c
    statement = (
        sa.update(stores.database.schema.operations)
        .where(column.id == sa.bindparam("key"), column.state == OperationState.QUEUED)
        .values(cancel_reason=sa.null(), attempt=7, error=sa.bindparam("why"))
    )
    prepared = Prepared(statement)
    with stores.database.write() as connection:
        assert prepared.one(connection, {"key": operation.id, "why": {"code": "Refused"}}) == 1
        assert prepared.one(connection, {"key": new_id(), "why": None}) == 0
        known = stores.operations.get(connection, operation.id)
    assert (known.attempt, known.error) == (7, {"code": "Refused"})


def test_found_rows_are_handed_on(stores, operation):
    column = stores.database.schema.operations.c
    prepared = Prepared(sa.select(column.id, column.epoch).where(column.id == sa.bindparam("key")))
    with stores.database.read() as connection:
        assert list(prepared.select(connection, {"key": operation.id})) == [(operation.id, 0)]
        assert list(prepared.select(connection, {"key": new_id()})) == []


def test_refused_row_is_the_error_that_it_is_elsewhere(stores, operation, insertion):
    orphan = an_event(operation, operation_id=new_id())
    with pytest.raises(Dangling), stores.database.write() as connection:
        insertion.many(connection, [orphan.values()])
    assert stored(stores, operation) == []


@pytest.mark.parametrize("dialect", SERVERS_IN_TURN)
def test_lost_connection_is_a_store_that_does_not_answer(stores, operation, insertion, dialect):
    def lose(connection):
        raw = connection.connection.driver_connection
        (raw.close if dialect == "postgresql" else raw._force_close)()
        insertion.many(connection, [an_event(operation).values()])

    with pytest.raises(StoreUnavailable), stores.database.write() as connection:
        lose(connection)
    with stores.database.write() as connection:
        insertion.many(connection, [an_event(operation).values()])
    assert len(stored(stores, operation)) == 1


def test_who_listens_to_executions_hears_of_it(stores, operation, insertion):
    heard = []

    def hear(_connection, statement, *_):
        heard.append(statement)

    sa.event.listen(stores.database.writer, "before_execute", hear)
    with stores.database.write() as connection:
        insertion.many(connection, [an_event(operation).values()])
    sa.event.remove(stores.database.writer, "before_execute", hear)
    with stores.database.write() as connection:
        insertion.many(connection, [an_event(operation).values()])
    assert [isinstance(statement, sa.Insert) for statement in heard] == [True]
    assert len(stored(stores, operation)) == 2


def test_statement_whose_values_sqlalchemy_makes_is_not_prepared(stores):
    prepared = Prepared(sa.insert(stores.database.schema.logbook.logbooks), "name")
    with (
        pytest.raises(ValueError, match="not to be prepared"),
        stores.database.write() as connection,
    ):
        prepared.one(connection, {"name": "book"})
