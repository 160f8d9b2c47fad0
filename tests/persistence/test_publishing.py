"""What happens in runs is told before their next commits: of all of them at once, if of any."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from taskflow import states as taskflow_states

from tests.support.dialects import SERVERS
from tests.support.rows import new_flow_rows, stored_operation, tasks_named
from vmwright.ids import OwnerId, new_id
from vmwright.persistence.database import Database
from vmwright.persistence.logbook import load_flow
from vmwright.persistence.publishing import publish
from vmwright.persistence.records import Event
from vmwright.persistence.stores import Stores
from vmwright.persistence.unit_of_work import UnitOfWork


@pytest.fixture
def units(stores: Stores) -> list[UnitOfWork]:
    """Three runs of this process, in each of which a task has just ended."""
    return [_run(stores) for _ in range(3)]


def _run(stores: Stores) -> UnitOfWork:
    with stores.database.write() as connection:
        operation = stored_operation(stores, connection)
        new_flow_rows(
            connection,
            stores,
            flow_name="create",
            detail_id=operation.flow_detail_id,
            atoms=tasks_named("task"),
        )
        stores.operations.claim(connection, operation, OwnerId(new_id()))
        operation = stores.operations.get(connection, operation.id)
        detail = load_flow(connection, stores, operation.flow_detail_id)
    unit = UnitOfWork(stores, operation, detail, trusted=lambda: True)
    (task,) = detail
    task.state = taskflow_states.SUCCESS
    unit.update_atom_details(task)
    return unit


def told(stores: Stores, unit: UnitOfWork) -> list[tuple[str, str]]:
    with stores.database.read() as connection:
        events = stores.operations.events(connection, unit.operation.id, after=0, limit=100)
    return [(event.kind, event.state) for event in events]


def half_way(unit: UnitOfWork) -> Callable[[], list[Event]]:
    return lambda: [unit.event("progress", "progress", task="task", detail={"fraction": 0.5})]


@contextmanager
def transactions(database: Database) -> Iterator[list[object]]:
    begun: list[object] = []

    def note(connection: sa.Connection) -> None:
        begun.append(connection)

    sa.event.listen(database.writer, "commit", note)
    try:
        yield begun
    finally:
        sa.event.remove(database.writer, "commit", note)


def test_all_runs_share_one_transaction_and_have_none_without_news(
    stores: Stores, database: Database, units: list[UnitOfWork]
) -> None:
    with transactions(database) as begun:
        publish(stores, [(unit, half_way(unit)) for unit in units])
        assert len(begun) == 1
        publish(stores, [(unit, list) for unit in units])
        assert len(begun) == 1
    for unit in units:
        assert told(stores, unit) == [("task", "SUCCESS"), ("progress", "progress")]


def test_run_that_was_taken_over_loses_its_own_alone(
    stores: Stores, units: list[UnitOfWork]
) -> None:
    stale, *others = units
    with stores.database.write() as connection:
        operation = stores.operations.get(connection, stale.operation.id)
        stores.operations.claim(connection, operation, OwnerId(new_id()))
    publish(stores, [(unit, list) for unit in units])
    assert told(stores, stale) == []
    assert [told(stores, unit) for unit in others] == [[("task", "SUCCESS")]] * 2


def test_run_that_commits_tells_by_itself(stores: Stores, units: list[UnitOfWork]) -> None:
    committing, *others = units

    def tell(_fenced: object) -> None:
        with transactions(stores.database) as begun:
            publish(stores, [(committing, half_way(committing))])
            assert not begun

    committing.commit(tell)
    assert told(stores, committing) == [("task", "SUCCESS")]
    publish(stores, [(unit, list) for unit in others])
    assert [told(stores, unit) for unit in others] == [[("task", "SUCCESS")]] * 2


@pytest.mark.parametrize("dialect", SERVERS, indirect=True)
def test_nobody_is_waited_for(stores: Stores, units: list[UnitOfWork]) -> None:
    """What somebody holds is told later."""
    held = units[0]
    table = stores.database.schema.operations
    with stores.database.write() as connection:
        query = sa.select(table.c.id).where(table.c.id == held.operation.id)
        connection.execute(query.with_for_update()).all()
        publish(stores, [(unit, list) for unit in units])
        assert [told(stores, unit) for unit in units] == [[], *[[("task", "SUCCESS")]] * 2]
    publish(stores, [(unit, list) for unit in units])
    assert [told(stores, unit) for unit in units] == [[("task", "SUCCESS")]] * 3
