"""What TaskFlow would write is committed with what we write, by the rightful owner only."""

import pytest
from taskflow import retry
from taskflow import states as taskflow_states

from tests.persistence.test_logbook import failed
from tests.support.rows import new_flow_rows, stored_operation, tasks_named
from vmwright.errors import ClaimLost, HostFault, NoValidHost, Refused
from vmwright.ids import OwnerId, new_id
from vmwright.persistence.logbook import load_flow
from vmwright.persistence.publishing import publish
from vmwright.persistence.unit_of_work import UnitOfWork
from vmwright.states import OperationState, TaskState, VmState


@pytest.fixture
def flow(stores):
    """The flow of a claimed operation: one task in a retry, which has begun the first attempt."""
    with stores.database.write() as connection:
        operation = stored_operation(stores, connection)
        new_flow_rows(
            connection,
            stores,
            flow_name="create",
            detail_id=operation.flow_detail_id,
            atoms=[*tasks_named("task"), retry.AlwaysRevertAll("retry")],
        )
        stores.operations.claim(connection, operation, OwnerId(new_id()))
        detail = load_flow(connection, stores, operation.flow_detail_id)
    atom(detail, "retry").results.append((1, {}))
    return detail


@pytest.fixture
def unit(stores, flow):
    with stores.database.read() as connection:
        (operation,) = stores.lists.operations(connection)
    return UnitOfWork(stores, operation, flow, trusted=lambda: True)


def atom(flow, name):
    (found,) = (known for known in flow if known.name == name)
    return found


def stored(stores, unit):
    with stores.database.read() as connection:
        return load_flow(connection, stores, unit.operation.flow_detail_id)


def now(stores, unit):
    with stores.database.read() as connection:
        return stores.operations.get(connection, unit.operation.id)


def attempts(stores, unit):
    with stores.database.read() as connection:
        found = stores.attempts.of_operation(connection, unit.operation.id)
    return [
        (known.number, known.outcome, known.fault and known.fault["message"]) for known in found
    ]


def events(stores, unit):
    with stores.database.read() as connection:
        found = stores.operations.events(connection, unit.operation.id)
    return [(event.kind, event.task, event.state) for event in found]


def task_ends(unit, flow, state, result):
    """What TaskFlow does when a task has ended."""
    task = atom(flow, "task")
    task.put(state, result)
    flow.state = taskflow_states.RUNNING
    unit.update_flow_details(flow)
    unit.update_atom_details(task)


def task_fails(unit, flow, error, *, then=taskflow_states.REVERT):
    """As `task_ends`, with what the retry answers: undo all, or try again."""
    task_ends(unit, flow, taskflow_states.FAILURE, failed(error))
    for known in flow:
        known.intention = then if known.name == "retry" else taskflow_states.REVERT


def next_attempt(unit, flow):
    """What TaskFlow does once an attempt was undone."""
    task, counter = atom(flow, "task"), atom(flow, "retry")
    task.state = taskflow_states.PENDING
    counter.results.append((len(counter.results) + 1, {}))
    for known in flow:
        known.intention = taskflow_states.EXECUTE
        unit.update_atom_details(known)


def nothing(_fenced) -> None:
    """No more to write."""


def test_end_of_a_task_its_result_and_its_event_are_committed_together(stores, unit, flow):
    task_ends(unit, flow, taskflow_states.SUCCESS, {"address": "10.1.0.2"})
    before = atom(stored(stores, unit), "task")
    assert before.state == taskflow_states.PENDING
    unit.commit(nothing)
    after = stored(stores, unit)
    task = atom(after, "task")
    assert (task.state, task.results) == (taskflow_states.SUCCESS, {"address": "10.1.0.2"})
    assert after.state == taskflow_states.RUNNING
    assert events(stores, unit) == [("task", "task", "SUCCESS")]


def test_failure_is_read_back_as_it_was(stores, unit, flow):
    task_ends(unit, flow, taskflow_states.FAILURE, failed(Refused("no", hint="ask otherwise")))
    unit.commit(nothing)
    task = atom(stored(stores, unit), "task")
    assert task.failure.check(Refused) is Refused
    assert "no" in task.failure.exception_str


def test_failure_turns_the_operation_to_undoing_with_its_reason(stores, unit, flow):
    task_fails(unit, flow, Refused("no", hint="ask otherwise"))
    unit.commit(nothing)
    operation = now(stores, unit)
    assert operation.state is OperationState.UNDOING
    assert (operation.error["code"], operation.error["task"]) == ("Refused", "task")
    assert unit.error == operation.error
    assert attempts(stores, unit) == [(1, "refused", "no")]


def test_what_could_not_be_committed_stays_pending(stores, unit, flow):
    task_ends(unit, flow, taskflow_states.SUCCESS, 1)

    def broken(fenced):
        stores.operations.change(fenced.connection, unit.operation.id, attempt=9)
        raise Refused("later")

    with pytest.raises(Refused):
        unit.commit(broken)
    assert events(stores, unit) == []
    unit.commit(nothing)
    task = atom(stored(stores, unit), "task")
    assert task.state == taskflow_states.SUCCESS
    with stores.database.read() as connection:
        assert stores.operations.get(connection, unit.operation.id).attempt == 1
    assert events(stores, unit) == [("task", "task", "SUCCESS")]


def test_stale_owner_commits_nothing_and_never_again(stores, unit, flow):
    with stores.database.write() as connection:
        operation = stores.operations.get(connection, unit.operation.id)
        stores.operations.claim(connection, operation, OwnerId(new_id()))
    task_ends(unit, flow, taskflow_states.SUCCESS, 1)
    unit.later(lambda connection: stores.operations.change(connection, operation.id, attempt=9))
    for _ in range(2):
        with pytest.raises(ClaimLost):
            unit.commit(nothing)
    task = atom(stored(stores, unit), "task")
    assert task.state == taskflow_states.PENDING
    assert events(stores, unit) == []
    with stores.database.read() as connection:
        assert stores.operations.get(connection, operation.id).attempt == 1


def test_events_that_were_flushed_are_not_written_again(stores, unit, flow):
    task_ends(unit, flow, taskflow_states.SUCCESS, 1)
    publish(stores, [(unit, list)])
    assert events(stores, unit) == [("task", "task", "SUCCESS")]
    unit.commit(nothing)
    assert events(stores, unit) == [("task", "task", "SUCCESS")]


def test_reason_to_cancel_is_told_at_the_next_commit(stores, unit):
    with stores.database.write() as connection:
        stores.operations.ask_to_cancel(connection, unit.operation.id, "enough")
    assert unit.commit(lambda fenced: fenced.cancel_reason) == "enough"


# Attempts.


def test_failure_that_is_followed_by_another_attempt_ends_only_its_own(stores, unit, flow):
    task_fails(unit, flow, HostFault("no room"), then=taskflow_states.RETRY)
    unit.commit(nothing)
    operation = now(stores, unit)
    assert (operation.state, operation.error, unit.error) == (OperationState.RUNNING, None, None)
    assert attempts(stores, unit) == [(1, "failed", "no room")]
    assert events(stores, unit)[-1] == ("attempt", None, "failed")


def test_attempt_begins_in_the_first_transaction_after_the_one_before(stores, unit, flow):
    task_fails(unit, flow, HostFault("no room"), then=taskflow_states.RETRY)
    unit.commit(nothing)
    with stores.database.write() as connection:
        hindered = {"undo_tries": 3, "error": {"blocked": {}}}
        stores.operations.change(connection, unit.operation.id, **hindered)
        stores.instances.fail(connection, unit.operation.instance_id, {"blocked": {}})
    next_attempt(unit, flow)
    assert unit.attempt == 2
    unit.commit(nothing)
    operation = now(stores, unit)
    assert (operation.attempt, operation.undo_tries, operation.error) == (2, 0, None)
    assert attempts(stores, unit) == [(1, "failed", "no room"), (2, None, None)]
    with stores.database.read() as connection:
        instance = stores.instances.get(connection, unit.operation.instance_id)
    assert (instance.vm_state, instance.fault) == (VmState.BUILDING, None)


def test_attempt_that_ends_before_it_was_written_down_is_begun_and_ended_at_once(
    stores, unit, flow
):
    task_fails(unit, flow, HostFault("no room"), then=taskflow_states.RETRY)
    unit.commit(nothing)
    next_attempt(unit, flow)
    task_fails(unit, flow, NoValidHost("host1: tried already"))
    unit.commit(nothing)
    assert attempts(stores, unit) == [
        (1, "failed", "no room"),
        (2, "refused", "host1: tried already"),
    ]
    # That no host was left is not what went wrong.
    assert now(stores, unit).error["message"] == "no room"


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (HostFault("first"), HostFault("second"), "first"),
        (HostFault("first"), Refused("second"), "second"),
        (Refused("first"), HostFault("second"), "first"),
        (Refused("first"), Refused("second"), "first"),
    ],
)
def test_of_two_failures_the_one_that_ends_all_attempts_is_told(
    stores, unit, flow, first, second, told
):
    task_fails(unit, flow, first, then=taskflow_states.RETRY)
    unit.commit(nothing)
    atom(flow, "task").state = taskflow_states.RUNNING
    unit.update_atom_details(atom(flow, "task"))
    task_fails(unit, flow, second)
    unit.commit(nothing)
    ((_, _, message),) = attempts(stores, unit)
    assert message == told
    assert now(stores, unit).error["message"] == told


def test_number_of_the_attempt_outlives_the_retry_that_counts_it(stores, unit, flow):
    next_attempt(unit, flow)
    unit.commit(nothing)
    atom(flow, "retry").results.clear()
    assert unit.attempt == 2
    again = UnitOfWork(stores, now(stores, unit), flow, trusted=lambda: True)
    assert again.attempt == 2


def test_each_attempt_tells_its_task_states_once(stores, unit, flow):
    def enter(state):
        unit.commit(lambda fenced: unit.enter(fenced, state))

    enter(TaskState.BLOCK_DEVICE_MAPPING)
    enter(TaskState.BLOCK_DEVICE_MAPPING)
    next_attempt(unit, flow)
    enter(TaskState.BLOCK_DEVICE_MAPPING)
    enter(TaskState.BLOCK_DEVICE_MAPPING)
    with stores.database.read() as connection:
        found = stores.operations.events(connection, unit.operation.id)
    states = [(event.attempt, event.state) for event in found if event.kind == "instance"]
    assert states == [(1, "block_device_mapping"), (2, "block_device_mapping")]


def test_remark_on_a_task_stays_whatever_taskflow_writes_of_it(stores, unit, flow):
    task = atom(flow, "task").copy()
    unit.remark("task", late=1)
    task.state = taskflow_states.REVERTING
    unit.update_atom_details(task)
    unit.commit(nothing)
    assert atom(stored(stores, unit), "task").meta == {"late": 1}
    unit.update_atom_details(task)
    unit.commit(nothing)
    assert atom(stored(stores, unit), "task").meta == {"late": 1}


def test_tasks_that_begin_together_in_another_attempt_tell_their_state_once(stores, unit, flow):
    def both(fenced):
        unit.enter(fenced, TaskState.BLOCK_DEVICE_MAPPING)
        unit.enter(fenced, TaskState.BLOCK_DEVICE_MAPPING)

    unit.commit(both)
    next_attempt(unit, flow)
    unit.commit(both)
    with stores.database.read() as connection:
        found = stores.operations.events(connection, unit.operation.id)
    states = [(event.attempt, event.state) for event in found if event.kind == "instance"]
    assert states == [(1, "block_device_mapping"), (2, "block_device_mapping")]
