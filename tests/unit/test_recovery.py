"""What is done with an unfinished operation, by what the store says of it."""

from dataclasses import replace

import pytest

from tests.support.rows import an_operation
from vmwright.ids import InstanceId, OwnerId, new_id
from vmwright.persistence.records import Operation, Owner
from vmwright.recovery import Candidate, Plan, plan_recovery
from vmwright.states import OperationState

ME, OTHER, GONE, FORGOTTEN = (OwnerId(f"00000000-0000-4000-8000-00000000000{n}") for n in range(4))
OURS, NEWER = ("create_instance", 1), ("create_instance", 2)


def operation(
    state: OperationState, *, owner: OwnerId | None = None, version: int = 1
) -> Operation:
    made = an_operation(InstanceId(new_id()), state=state, owner_id=owner)
    return replace(made, flow_version=version)


def owner(who: OwnerId, *flows: tuple[str, int], told: bool = True) -> Owner:
    known = [list(flow) for flow in flows] if told else None
    return Owner(id=who, machine="m", lock_path="/l", started_at=0, expires_at=0, flows=known)


def plan(found: Operation, *living: Owner, predecessor: OperationState | None = None) -> Plan:
    return plan_recovery(
        [Candidate(operation=found, predecessor=predecessor)],
        me=ME,
        active=[],
        dead={GONE},
        living=[owner(ME, OURS), *living],
        flows={OURS},
        now=10.0,
    )


NOBODY = Plan()


@pytest.mark.parametrize(
    ("state", "holder"),
    [
        (OperationState.QUEUED, None),
        (OperationState.INTERRUPTED, None),
        (OperationState.RUNNING, GONE),
        (OperationState.UNDOING, GONE),
        (OperationState.RUNNING, FORGOTTEN),
        (OperationState.RUNNING, ME),
    ],
)
def test_what_nobody_runs_is_claimed(state, holder):
    found = operation(state, owner=holder)
    assert plan(found, owner(OTHER, OURS)).claim == [found]


def test_what_a_living_process_runs_is_left_to_it():
    found = operation(OperationState.RUNNING, owner=OTHER)
    assert plan(found, owner(OTHER, OURS)) == NOBODY


def test_what_is_not_due_or_waits_for_another_one_is_left():
    assert plan(replace(operation(OperationState.INTERRUPTED), not_before=11.0)) == NOBODY
    waiting = operation(OperationState.QUEUED)
    assert plan(waiting, predecessor=OperationState.RUNNING) == NOBODY
    assert plan(waiting, predecessor=OperationState.STUCK).claim == [waiting]


@pytest.mark.parametrize("state", [OperationState.QUEUED, OperationState.INTERRUPTED])
@pytest.mark.parametrize("holder", [None, GONE])
def test_newer_flow_is_parked_if_nobody_who_lives_knows_it(state, holder):
    found = operation(state, owner=holder, version=2)
    assert plan(found).park == [found]
    assert plan(found, owner(OTHER, OURS)).park == [found]
    # A process of a release that did not tell yet knows no flow that we do not know.
    assert plan(found, owner(OTHER, told=False)).park == [found]


@pytest.mark.parametrize(
    ("state", "holder"),
    [
        (OperationState.QUEUED, None),
        (OperationState.INTERRUPTED, None),
        (OperationState.RUNNING, OTHER),
        # Its process died; another one of the newer release lives.
        (OperationState.RUNNING, GONE),
        (OperationState.UNDOING, GONE),
    ],
)
def test_newer_flow_is_left_alone_while_somebody_knows_it(state, holder):
    found = operation(state, owner=holder, version=2)
    assert plan(found, owner(OTHER, OURS, NEWER)) == NOBODY


def test_older_release_that_runs_an_operation_keeps_it_though_nobody_told_its_flow():
    found = operation(OperationState.RUNNING, owner=OTHER, version=2)
    assert plan(found, owner(OTHER, told=False)) == NOBODY


@pytest.mark.parametrize(
    "state",
    [
        OperationState.DONE,
        OperationState.UNDONE,
        OperationState.CANCELLED,
        OperationState.STUCK,
        OperationState.PARKED,
    ],
)
def test_what_has_ended_or_needs_a_person_is_over(state):
    found = operation(state, version=2)
    assert plan(found).over == [found.id]
