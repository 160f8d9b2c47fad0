"""What TaskFlow would write is committed with what we write, by the rightful owner only."""

import pytest
import sqlalchemy as sa
from taskflow import states as taskflow_states
from taskflow.persistence import models
from taskflow.persistence.backends import impl_sqlalchemy
from taskflow.types.failure import Failure

from tests.support.rows import stored_operation
from vmwright.errors import ClaimLost, Refused
from vmwright.ids import OwnerId, new_id
from vmwright.persistence.logbook import UnitOfWork, load_flow, new_flow_rows
from vmwright.states import OperationState


def failed(error: Exception) -> Failure:
    try:
        raise error
    except type(error):
        return Failure()


@pytest.fixture
def unit(stores):
    """A claimed operation whose flow has one task."""
    with stores.database.write() as connection:
        operation = stored_operation(stores, connection)
        new_flow_rows(
            connection,
            stores,
            flow_name="create",
            detail_id=operation.flow_detail_id,
            atoms=["task"],
        )
        stores.operations.claim(connection, operation, OwnerId(new_id()))
        operation = stores.operations.get(connection, operation.id)
    return UnitOfWork(stores, operation, trusted=lambda: True)


def stored(stores, unit):
    with stores.database.read() as connection:
        return load_flow(connection, stores, unit.operation.flow_detail_id)


def events(stores, unit):
    with stores.database.read() as connection:
        found = stores.operations.events(connection, unit.operation.id)
    return [(event.kind, event.task, event.state) for event in found]


def task_ends(stores, unit, state, result):
    """What TaskFlow does when a task has ended."""
    flow = stored(stores, unit)
    unit.adopt(flow)
    (task,) = flow
    task.put(state, result)
    flow.state = taskflow_states.RUNNING
    unit.update_flow_details(flow)
    unit.update_atom_details(task)


def nothing(_fenced) -> None:
    """No more to write."""


def test_end_of_a_task_its_result_and_its_event_are_committed_together(stores, unit):
    task_ends(stores, unit, taskflow_states.SUCCESS, {"address": "10.1.0.2"})
    (before,) = stored(stores, unit)
    assert before.state == taskflow_states.PENDING
    unit.commit(nothing)
    flow = stored(stores, unit)
    (after,) = flow
    assert (after.state, after.results) == (taskflow_states.SUCCESS, {"address": "10.1.0.2"})
    assert flow.state == taskflow_states.RUNNING
    assert events(stores, unit) == [("task", "task", "SUCCESS")]


def test_failure_is_read_back_as_it_was(stores, unit):
    task_ends(stores, unit, taskflow_states.FAILURE, failed(Refused("no", hint="ask otherwise")))
    unit.commit(nothing)
    (task,) = stored(stores, unit)
    assert task.failure.check(Refused) is Refused
    assert "no" in task.failure.exception_str


def test_first_failure_turns_the_operation_to_undoing_with_its_reason(stores, unit):
    task_ends(stores, unit, taskflow_states.FAILURE, failed(Refused("no", hint="ask otherwise")))
    unit.commit(nothing)
    with stores.database.read() as connection:
        operation = stores.operations.get(connection, unit.operation.id)
    assert operation.state is OperationState.UNDOING
    assert operation.error["code"] == "Refused"
    assert operation.error["task"] == "task"


def test_what_could_not_be_committed_stays_pending(stores, unit):
    task_ends(stores, unit, taskflow_states.SUCCESS, 1)

    def broken(fenced):
        stores.operations.change(fenced.connection, unit.operation.id, attempt=9)
        raise Refused("later")

    with pytest.raises(Refused):
        unit.commit(broken)
    assert events(stores, unit) == []
    unit.commit(nothing)
    (task,) = stored(stores, unit)
    assert task.state == taskflow_states.SUCCESS
    with stores.database.read() as connection:
        assert stores.operations.get(connection, unit.operation.id).attempt == 1
    assert events(stores, unit) == [("task", "task", "SUCCESS")]


def test_stale_owner_commits_nothing_and_never_again(stores, unit):
    with stores.database.write() as connection:
        operation = stores.operations.get(connection, unit.operation.id)
        stores.operations.claim(connection, operation, OwnerId(new_id()))
    task_ends(stores, unit, taskflow_states.SUCCESS, 1)
    unit.later(lambda connection: stores.operations.change(connection, operation.id, attempt=9))
    for _ in range(2):
        with pytest.raises(ClaimLost):
            unit.commit(nothing)
    (task,) = stored(stores, unit)
    assert task.state == taskflow_states.PENDING
    assert events(stores, unit) == []
    with stores.database.read() as connection:
        assert stores.operations.get(connection, operation.id).attempt == 1


def test_events_that_were_flushed_are_not_written_again(stores, unit):
    task_ends(stores, unit, taskflow_states.SUCCESS, 1)
    unit.flush_events([])
    assert events(stores, unit) == [("task", "task", "SUCCESS")]
    unit.commit(nothing)
    assert events(stores, unit) == [("task", "task", "SUCCESS")]


def test_reason_to_cancel_is_told_at_the_next_commit(stores, unit):
    with stores.database.write() as connection:
        stores.operations.ask_to_cancel(connection, unit.operation.id, "enough")
    assert unit.commit(lambda fenced: fenced.cancel_reason) == "enough"


# What a retry remembers


def saved_retry(stores) -> str:
    """A retry with two failed attempts behind it, written by TaskFlow itself."""
    retry = models.RetryDetail("retry", new_id())
    retry.results = [
        ({"attempt": 1}, {"claim": failed(Refused("full")), "plug": failed(Refused("away"))}),
        ({"attempt": 2}, {"claim": failed(Refused("still full"))}),
        ({"attempt": 3}, {}),
    ]
    retry.state, retry.intention = taskflow_states.SUCCESS, taskflow_states.EXECUTE
    flow, book = models.FlowDetail("flow", new_id()), models.LogBook("book")
    flow.add(retry)
    book.add(flow)
    url = stores.database.writer.url.render_as_string(hide_password=False)
    backend = impl_sqlalchemy.SQLAlchemyBackend({"connection": url}, engine=stores.database.writer)
    backend.get_connection().save_logbook(book)
    return str(flow.uuid)


def test_retry_keeps_its_value_and_its_failures_over_a_restart(stores):
    detail = saved_retry(stores)
    with stores.database.read() as connection:
        (retry,) = load_flow(connection, stores, detail)
    assert [value for value, _ in retry.results] == [{"attempt": n} for n in (1, 2, 3)]
    assert [sorted(failures) for _, failures in retry.results] == [["claim", "plug"], ["claim"], []]
    assert retry.results[0][1]["plug"].exception_str == "away"
    assert retry.last_results == {"attempt": 3}


def test_taskflow_still_loses_the_value_of_a_retry(stores):
    """Once this fails, our own decoding of retries can go."""
    detail = saved_retry(stores)
    table = stores.database.schema.logbook.atomdetails
    with stores.database.read() as connection:
        row = connection.execute(sa.select(table).where(table.c.parent_uuid == detail)).one()
    decoded = models.RetryDetail.from_dict(dict(row._mapping))
    assert decoded.results[0][0] != {"attempt": 1}
