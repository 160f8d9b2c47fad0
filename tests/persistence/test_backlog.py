"""What waits in the store: found page by page, whatever else is there, and whoever holds it."""

from dataclasses import replace

import pytest

from tests.support.rows import stored_operation
from vmwright.backlog import Sweep, candidates
from vmwright.ids import OperationId, OwnerId, new_id
from vmwright.persistence.database import Database
from vmwright.persistence.records import Owner
from vmwright.persistence.stores import Stores
from vmwright.recovery import Candidate, plan_recovery
from vmwright.states import CLAIMABLE, OperationState

ME, OTHER, DEAD = OwnerId(new_id()), OwnerId(new_id()), OwnerId(new_id())


def found(stores: Stores, *, active: tuple[OperationId, ...] = ()) -> list[OperationId]:
    """What one sweep comes across while `OTHER` lives."""
    sweep, taken = Sweep(stores), []
    while batch := sweep.take(7, left_to=lambda: {OTHER}, active=active):
        if set(batch) <= set(taken):
            break
        taken += batch
        if not sweep.has_more:
            break
    return taken


def stored(database: Database, stores: Stores, **changes: object) -> OperationId:
    with database.write() as connection:
        return stored_operation(stores, connection, **changes).id


def test_what_nobody_runs_is_found_left_things_first(database: Database, stores: Stores) -> None:
    queued = stored(database, stores)
    interrupted = stored(database, stores, state=OperationState.INTERRUPTED)
    orphan = stored(database, stores, state=OperationState.RUNNING, owner_id=DEAD)
    undoing = stored(database, stores, state=OperationState.UNDOING, owner_id=None)
    mine = stored(database, stores, state=OperationState.RUNNING, owner_id=ME)
    assert found(stores) == [orphan, mine, undoing, interrupted, queued]
    assert found(stores, active=(mine,)) == [orphan, undoing, interrupted, queued]


def test_those_that_live_come_to_different_ones_first(database: Database, stores: Stores) -> None:
    """And then to what the others have not begun of theirs, where these come to it last."""
    queued = [stored(database, stores) for _ in range(8)]
    owners = sorted([ME, OTHER])
    first, second = (Sweep(stores, owner) for owner in owners)

    def take(sweep: Sweep) -> list[OperationId]:
        return sweep.take(8, left_to=lambda: set(owners) - {sweep._me}, active=())

    ours, theirs = take(first), take(second)
    assert sorted([queued[0::2], queued[1::2]]) == sorted([ours, theirs])
    with database.write() as connection:
        begun = {"state": OperationState.RUNNING, "owner_id": owners[1]}
        stores.operations.change(connection, theirs[0], **begun)
    assert take(first) == [theirs[3], theirs[2], theirs[1]]
    # Nobody has begun any other one: they come again, and to the same ones.
    assert take(first) == ours


def test_those_that_come_next_are_seen_once_before_they_are_taken(
    database: Database, stores: Stores
) -> None:
    queued = [stored(database, stores) for _ in range(7)]
    sweep = Sweep(stores)

    def take(most: int) -> list[OperationId]:
        return sweep.take(most, left_to=set, active=())

    assert sweep.ahead(3) == []
    assert take(1) == queued[:1]
    assert sweep.ahead(3) == queued[1:4]
    assert sweep.ahead(3) == []
    assert take(2) == queued[1:3]
    assert sweep.ahead(3) == []
    assert take(1) == queued[3:4]
    assert sweep.ahead(9) == queued[4:]


def test_what_must_wait_is_not_found(database: Database, stores: Stores) -> None:
    for state in set(OperationState) - CLAIMABLE:
        stored(database, stores, state=state)
    stored(database, stores, state=OperationState.RUNNING, owner_id=OTHER)
    stored(database, stores, state=OperationState.INTERRUPTED, not_before=1e12)
    before = stored(database, stores, state=OperationState.UNDOING, owner_id=OTHER)
    stored(database, stores, after_id=before)
    assert found(stores) == []


@pytest.mark.parametrize("state", ["done", "undone", "cancelled", "stuck", "parked"])
def test_follower_is_found_once_nothing_more_happens_before_it(
    database: Database, stores: Stores, state: str
) -> None:
    before = stored(database, stores, state=OperationState(state))
    after = stored(database, stores, after_id=before)
    assert found(stores) == [after]


def test_follower_of_nothing_is_found_to_be_parked(database: Database, stores: Stores) -> None:
    lost = stored(database, stores, after_id=OperationId(new_id()))
    assert found(stores) == [lost]
    (candidate,) = judged(database, stores, lost)
    assert candidate.missing is not None
    plan = planned(candidate)
    assert [(operation.id, damage) for operation, damage in plan.damaged] == [
        (lost, candidate.missing)
    ]
    assert plan.claim == []


def test_damaged_one_in_the_hands_of_another_is_left_to_it(
    database: Database, stores: Stores
) -> None:
    held = stored(
        database,
        stores,
        state=OperationState.RUNNING,
        owner_id=OTHER,
        after_id=OperationId(new_id()),
    )
    (candidate,) = judged(database, stores, held)
    assert planned(candidate).damaged == []
    orphan = replace(candidate, operation=replace(candidate.operation, owner_id=DEAD))
    assert len(planned(orphan).damaged) == 1


def test_a_page_is_all_that_is_held(database: Database, stores: Stores) -> None:
    """However many wait: all come round, and none twice before all have."""
    with database.write() as connection:
        ids = [stored_operation(stores, connection).id for _ in range(300)]
    sweep, seen = Sweep(stores), []
    while len(seen) < len(ids):
        batch = sweep.take(10, left_to=set, active=())
        assert batch
        seen += batch
        assert len(sweep._read) <= 64
    assert seen == ids


def test_what_is_not_there_is_no_candidate(database: Database, stores: Stores) -> None:
    there = stored(database, stores)
    assert [one.operation.id for one in judged(database, stores, there, new_id())] == [there]


def judged(database: Database, stores: Stores, *operations: str) -> list[Candidate]:
    with database.read() as connection:
        return candidates(connection, stores, [OperationId(one) for one in operations])


def planned(candidate: Candidate):
    other = Owner(id=OTHER, machine="m", lock_path="/l", started_at=0.0, expires_at=0.0)
    return plan_recovery(
        [candidate],
        me=ME,
        active=[],
        dead={DEAD},
        living=[other],
        flows={("create_instance", 1)},
        now=1.0,
    )
