"""Whoever holds an operation may write, and nobody else."""

import itertools
from dataclasses import replace

import pytest

from tests.support.crowds import all_at_once
from tests.support.rows import an_operation, stored_instance, stored_operation
from vmwright.errors import ClaimLost, NotFound
from vmwright.ids import OwnerId, new_id
from vmwright.persistence.failures import Duplicate
from vmwright.persistence.records import Event
from vmwright.states import CLAIMABLE, ENDED, HELD, OperationState, may_move

US, THEM = OwnerId(new_id()), OwnerId(new_id())


@pytest.fixture
def operation(stores):
    with stores.database.write() as connection:
        return stored_operation(stores, connection)


def now(stores, operation):
    with stores.database.read() as connection:
        return stores.operations.get(connection, operation.id)


def claim(stores, operation, owner=US):
    with stores.database.write() as connection:
        return stores.operations.claim(connection, operation, owner)


def move(stores, operation, state, **values):
    with stores.database.write() as connection:
        return stores.operations.move(connection, operation.id, state, **values)


def test_claim_names_the_owner_and_counts_the_epoch(stores, operation):
    assert claim(stores, operation) == 1
    held = now(stores, operation)
    assert (held.owner_id, held.epoch, held.state) == (US, 1, OperationState.RUNNING)
    assert held.started_at is not None


def test_what_was_claimed_since_it_was_read_is_not_claimed_again(stores, operation):
    assert claim(stores, operation) == 1
    assert claim(stores, operation, THEM) is None
    assert now(stores, operation).owner_id == US
    assert claim(stores, now(stores, operation), THEM) == 2


def test_one_of_many_claims_wins(stores, operation):
    owners = [OwnerId(new_id()) for _ in range(8)]
    outcomes = all_at_once(
        [lambda owner=owner: claim(stores, operation, owner) for owner in owners]
    )
    assert sorted(map(str, outcomes)) == ["1"] + ["None"] * 7
    assert now(stores, operation).owner_id == owners[outcomes.index(1)]


def test_first_start_is_kept(stores, operation):
    claim(stores, operation)
    first = now(stores, operation)
    claim(stores, first, THEM)
    assert now(stores, operation).started_at == first.started_at


def test_run_that_was_undoing_goes_on_undoing(stores, operation):
    claim(stores, operation)
    move(stores, operation, OperationState.UNDOING, error={"code": "Refused"})
    move(stores, operation, OperationState.INTERRUPTED)
    claim(stores, now(stores, operation), THEM)
    assert now(stores, operation).state is OperationState.UNDOING


@pytest.mark.parametrize("state", sorted(set(OperationState) - CLAIMABLE))
def test_ended_stuck_and_parked_operations_are_not_claimed(stores, state):
    with stores.database.write() as connection:
        operation = stored_operation(stores, connection, state=state)
    assert claim(stores, operation) is None


def test_fence_lets_the_owner_pass_and_tells_why_to_stop(stores, operation):
    epoch = claim(stores, operation)
    with stores.database.write() as connection:
        assert stores.operations.fence(connection, operation.id, epoch) == (
            None,
            OperationState.RUNNING,
        )
    with stores.database.write() as connection:
        assert stores.operations.ask_to_cancel(connection, operation.id, "enough")
        assert not stores.operations.ask_to_cancel(connection, operation.id, "again")
    with stores.database.write() as connection:
        reason, _ = stores.operations.fence(connection, operation.id, epoch)
        assert reason == "enough"
        assert stores.operations.held_by(connection, US) == {operation.id: "enough"}
        assert stores.operations.held_by(connection, THEM) == {}


def test_stale_epoch_loses_the_claim_and_nothing_is_written(stores, operation):
    stale = claim(stores, operation)
    claim(stores, now(stores, operation), THEM)
    before = now(stores, operation)
    event = Event(operation_id=operation.id, instance_id=operation.instance_id, kind="task")

    def write_and_fence():
        with stores.database.write() as connection:
            stores.operations.append(connection, [event])
            stores.operations.change(connection, operation.id, attempt=7)
            stores.operations.fence(connection, operation.id, stale)

    with pytest.raises(ClaimLost):
        write_and_fence()
    assert now(stores, operation) == before
    with stores.database.read() as connection:
        assert stores.operations.events(connection, operation.id) == []


@pytest.mark.parametrize("state", sorted(set(OperationState) - HELD))
def test_fence_holds_for_running_operations_only(stores, state):
    with stores.database.write() as connection:
        operation = stored_operation(stores, connection, state=state, epoch=1)
    with pytest.raises(ClaimLost), stores.database.write() as connection:
        stores.operations.fence(connection, operation.id, 1)


def test_operations_move_as_the_table_of_states_says(stores):
    for old, new in itertools.product(OperationState, OperationState):
        with stores.database.write() as connection:
            operation = stored_operation(stores, connection, state=old)
        expected = may_move(old, new)
        assert move(stores, operation, new) == expected, (old, new)
        assert now(stores, operation).state is (new if expected else old), (old, new)


def test_parking_what_was_claimed_meanwhile_does_nothing(stores, operation):
    claim(stores, operation)
    with stores.database.write() as connection:
        assert not stores.operations.park(connection, operation, {"code": "UnknownFlow"})
        assert stores.operations.park(connection, now(stores, operation), {"code": "UnknownFlow"})
    assert now(stores, operation).state is OperationState.PARKED


def test_ended_operation_cannot_be_cancelled(stores, operation):
    claim(stores, operation)
    with stores.database.write() as connection:
        stores.operations.move(connection, operation.id, OperationState.DONE, finished_at=1.0)
        assert not stores.operations.ask_to_cancel(connection, operation.id, "late")


def test_unknown_operation_is_not_found(stores):
    with pytest.raises(NotFound) as missing, stores.database.read() as connection:
        stores.operations.get(connection, new_id())
    assert missing.value.hint


def test_pages_go_on_where_they_ended(stores):
    with stores.database.write() as connection:
        made = [stored_operation(stores, connection).id for _ in range(5)]
    with stores.database.read() as connection:
        first = stores.lists.operations(connection, limit=2)
        rest = stores.lists.operations(connection, after=first[-1].seq)
        newest = stores.lists.newest_operations(connection, limit=2)
        ended = stores.lists.operations(connection, states=ENDED)
    assert [known.id for known in [*first, *rest]] == made
    assert [known.id for known in newest] == made[-2:]
    assert list(ended) == []


def test_events_are_read_in_order_and_go_on_where_they_ended(stores, operation):
    written = [
        Event(
            operation_id=operation.id,
            instance_id=operation.instance_id,
            kind="task",
            task=f"task{number}",
            state="SUCCESS",
            at=1.5,
            error={"code": "Refused"} if number == 2 else None,
            detail={"words": ["ä"]},
        )
        for number in range(4)
    ]
    with stores.database.write() as connection:
        stores.operations.append(connection, written[:3])
        stores.operations.append(connection, [])
        stores.operations.append(connection, written[3:])
    with stores.database.read() as connection:
        first = stores.operations.events(connection, operation.id, limit=2)
        rest = stores.operations.events(connection, operation.id, after=first[-1].seq)
    found = [replace(event, seq=0) for event in [*first, *rest]]
    assert found == written


def test_task_states_are_remembered_by_attempt(stores, operation):
    event = Event(
        operation_id=operation.id,
        instance_id=operation.instance_id,
        kind="instance",
        state="spawning",
        attempt=2,
    )
    with stores.database.write() as connection:
        stores.operations.append(connection, [event, replace(event, kind="task", attempt=3)])
        entered = [
            stores.operations.has_entered(connection, operation.id, attempt, state)
            for attempt, state in ((2, "spawning"), (1, "spawning"), (3, "spawning"), (2, "none"))
        ]
    assert entered == [True, False, False, False]


def test_tasks_that_were_taken_back_are_remembered_over_attempts(stores, operation):
    event = Event(
        operation_id=operation.id,
        instance_id=operation.instance_id,
        kind="task",
        state="REVERTED",
    )
    events = [
        replace(event, task=task, attempt=attempt, state=state)
        for task, attempt, state in (
            ("plug", 1, "REVERTED"),
            ("plug", 2, "REVERTED"),
            ("claim", 2, "REVERTED"),
            ("check", 2, "SUCCESS"),
        )
    ]
    with stores.database.write() as connection:
        stores.operations.append(connection, events)
        assert stores.operations.taken_back(connection, operation.id) == {"plug", "claim"}


def test_idempotency_key_is_used_once_per_project(stores):
    with stores.database.write() as connection:
        stored_operation(stores, connection, idempotency_key="k")
        stored_operation(stores, connection, idempotency_key="k", project_id="other")
        stored_operation(stores, connection)
        stored_operation(stores, connection)
        instance = stored_instance(stores, connection)
    with pytest.raises(Duplicate) as duplicate, stores.database.write() as connection:
        stores.operations.add(connection, an_operation(instance, idempotency_key="k"))
    assert "idempotency_key" in duplicate.value.columns
