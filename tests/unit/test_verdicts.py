"""What an audit makes of what it has seen, decided from values alone."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.marks import Marks
from vmwright.ids import (
    DeploymentId,
    HostId,
    InstanceId,
    Mark,
    OperationId,
    OwnerId,
    VolumeId,
    base_name,
    base_of_name,
    data_role,
    new_id,
    snapshot_mark,
    volume_name,
    volume_of_name,
)
from vmwright.persistence.census import Held, Holding, KnownInstance, KnownOperation, KnownVolume
from vmwright.persistence.debts import BEING_MADE, GIVEN_UP, HOST_AWAY, LATE_EFFECT
from vmwright.persistence.records import Debt
from vmwright.reconcilers.audit.verdicts import (
    Books,
    Finding,
    Thing,
    Verdict,
    absent_claims,
    judge,
    judge_holding,
    judge_operation,
)
from vmwright.states import ENDED, OperationState

DEPLOYMENT = DeploymentId(new_id())
HOST = HostId(new_id())
MARK = Marks(DEPLOYMENT).ours
NOW = 1_000_000.0
LEFTOVER, UNKNOWN = Verdict.LEFTOVER, Verdict.UNKNOWN


def an_instance(**changes: Any) -> KnownInstance:
    known = KnownInstance(
        id=MARK.instance, name="vm", host_id=HOST, image_id="", launched_at=1.0, deleted_at=None
    )
    return replace(known, **changes)


def an_operation(**changes: Any) -> KnownOperation:
    known = KnownOperation(
        id=MARK.operation,
        instance_id=MARK.instance,
        kind="create",
        state=OperationState.DONE,
        attempt=1,
        owner_id=None,
        not_before=0.0,
        created_at=1.0,
        started_at=2.0,
        finished_at=3.0,
    )
    return replace(known, **changes)


def books(
    *operations: KnownOperation, instance: KnownInstance | None = None, **facts: Any
) -> Books:
    known = {MARK.instance: instance} if instance else {}
    return Books(
        deployment=DEPLOYMENT,
        now=NOW,
        instances=known,
        operations={MARK.instance: operations},
        **facts,
    )


def a_thing(mark: Mark | None = MARK, kind: str = "domain", key: str = "") -> Thing:
    return Thing(host=HOST, kind=kind, key=key or MARK.instance, mark=mark)


def verdict(found: Finding | None) -> Verdict | None:
    return found.verdict if found else None


def of(thing: Thing, *operations: KnownOperation, **facts: Any) -> Verdict | None:
    return verdict(judge(thing, books(*operations, **facts)))


@pytest.mark.parametrize("state", OperationState)
def test_nothing_of_an_operation_that_has_not_ended_is_judged(state: OperationState) -> None:
    for instance in (an_instance(), an_instance(deleted_at=5.0)):
        found = of(a_thing(), an_operation(state=state), instance=instance)
        if state not in ENDED:
            assert found is None
        else:
            wanted = state is OperationState.DONE and instance.deleted_at is None
            assert found is (None if wanted else LEFTOVER)


def test_a_delete_under_way_keeps_what_its_build_made() -> None:
    deleting = an_operation(id=OperationId(new_id()), kind="delete", state=OperationState.STUCK)
    assert of(a_thing(), an_operation(), deleting, instance=an_instance()) is None


def test_attempt_that_was_given_up_left_what_it_made() -> None:
    second = an_operation(attempt=2)
    assert of(a_thing(), second, instance=an_instance()) is LEFTOVER
    assert of(a_thing(replace(MARK, attempt=2)), second, instance=an_instance()) is None


def test_what_the_store_does_not_know_is_never_left_over() -> None:
    assert of(a_thing()) is UNKNOWN
    other = an_operation(id=OperationId(new_id()), state=OperationState.UNDONE)
    assert of(a_thing(), other, instance=an_instance()) is UNKNOWN
    copy = snapshot_mark(DEPLOYMENT, "5f0c3b0a-0000-4000-8000-000000000000")  # type: ignore[arg-type]
    name = volume_name(copy, "snapshot", "qcow2")
    assert of(a_thing(copy, "snapshot", name)) is UNKNOWN


def test_what_is_not_ours_is_foreign_whatever_the_store_knows() -> None:
    gone = an_instance(deleted_at=5.0)
    theirs = replace(MARK, deployment=DeploymentId(new_id()))
    assert of(a_thing(theirs), an_operation(), instance=gone) is Verdict.FOREIGN
    found = judge(a_thing(None), books(an_operation(), instance=gone))
    assert found is not None
    assert (found.verdict, found.instance) == (Verdict.FOREIGN, None)


def test_a_volume_is_kept_as_long_as_its_row_says_that_it_lies_there() -> None:
    volume = VolumeId(new_id())
    name = volume_name(MARK, data_role(volume), "qcow2")
    row = KnownVolume(id=volume, host_id=HOST, location=name, deleted_at=None)
    gone, thing = an_instance(deleted_at=5.0), a_thing(MARK, "volume", name)
    build = an_operation()
    assert of(thing, build, instance=gone, volumes={volume: row}) is None
    elsewhere = replace(row, location=None)
    assert of(thing, build, instance=gone, volumes={volume: elsewhere}) is LEFTOVER
    deleted = replace(row, deleted_at=6.0)
    assert of(thing, build, instance=an_instance(), volumes={volume: deleted}) is LEFTOVER
    busy = an_operation(state=OperationState.RUNNING)
    assert of(thing, busy, instance=an_instance(), volumes={volume: deleted}) is None


def a_debt(reason: str, not_before: float) -> dict[tuple[HostId, str, str], Debt]:
    debt = Debt(
        id=new_id(),
        host_id=HOST,
        kind="domain",
        key=MARK.instance,
        whose={},
        reason=reason,
        operation_id=None,
        instance_id=MARK.instance,
        not_before=not_before,
    )
    return {(HOST, "domain", MARK.instance): debt}


def test_what_is_owed_is_left_to_whoever_pays_debts() -> None:
    gone = an_instance(deleted_at=5.0)
    for not_before in (NOW - 1, NOW + 1):
        owed = a_debt(LATE_EFFECT, not_before)
        assert of(a_thing(), an_operation(), instance=gone, debts=owed) is Verdict.OWED
    assert of(a_thing(), debts=a_debt(BEING_MADE, NOW + 1)) is None
    assert of(a_thing(), debts=a_debt(BEING_MADE, NOW - 1)) is Verdict.OWED


@pytest.mark.parametrize("reason", [GIVEN_UP, HOST_AWAY])
@pytest.mark.parametrize("kind", Held)
def test_row_that_a_guest_may_use_which_is_owed_is_kept(kind: Held, reason: str) -> None:
    """A host that is away takes no others, so that nobody needs its room kept."""
    ids = {"instance_id": MARK.instance, "operation_id": MARK.operation}
    held = Holding(kind=kind, seq=1, key="k", **ids)
    ended = an_operation(state=OperationState.UNDONE)
    kept = {Held.PORT, Held.ATTACHMENT} | ({Held.CLAIM} if reason == GIVEN_UP else set())
    found = judge_holding(held, books(ended, instance=an_instance(), debts=a_debt(reason, NOW)))
    assert verdict(found) is (Verdict.OWED if kind in kept else LEFTOVER)
    other = replace(a_debt(reason, NOW)[HOST, "domain", MARK.instance], instance_id="other")
    owed = {(HOST, "domain", "other"): other}
    found = judge_holding(held, books(ended, instance=an_instance(), debts=owed))
    assert verdict(found) is LEFTOVER


@pytest.mark.parametrize("kind", Held)
def test_row_without_an_instance_is_left_over(kind: Held) -> None:
    held = Holding(kind=kind, seq=1, key="k", instance_id=None, operation_id=None)
    assert verdict(judge_holding(held, books())) is LEFTOVER


@pytest.mark.parametrize("state", OperationState)
def test_secret_is_needed_until_the_build_has_ended(state: OperationState) -> None:
    held = Holding(kind=Held.SECRET, seq=1, key="k", instance_id=MARK.instance, operation_id=None)
    found = judge_holding(held, books(an_operation(state=state), instance=an_instance()))
    assert verdict(found) is (LEFTOVER if state in ENDED else None)


def test_operation_is_stale_once_nobody_has_worked_on_it_for_long() -> None:
    owner = OwnerId(new_id())

    def stale(known: KnownOperation, expires_at: float | None = None) -> bool:
        owners = {} if expires_at is None else {owner: expires_at}
        found = judge_operation(known, owners, NOW, patience=100.0)
        assert found is None or found.verdict is Verdict.STALE
        return found is not None

    held = an_operation(state=OperationState.RUNNING, owner_id=owner)
    assert stale(held)
    assert not stale(held, NOW + 5)
    assert not stale(held, NOW - 99)
    assert stale(held, NOW - 101)
    queued = an_operation(state=OperationState.QUEUED, started_at=None)
    assert stale(queued)
    assert not stale(replace(queued, created_at=NOW - 99))
    waiting = an_operation(state=OperationState.INTERRUPTED, not_before=NOW - 99)
    assert not stale(waiting)
    assert stale(replace(waiting, not_before=NOW - 101))
    for state in (OperationState.STUCK, OperationState.PARKED):
        assert stale(an_operation(state=state, created_at=NOW))
    for state in ENDED:
        assert not stale(an_operation(state=state))


def test_running_instance_without_a_claim_is_told() -> None:
    claim = Holding(
        kind=Held.CLAIM, seq=1, key="k", instance_id=MARK.instance, operation_id=MARK.operation
    )
    assert list(absent_claims([an_instance()], [claim])) == []
    (found,) = absent_claims([an_instance()], [replace(claim, kind=Held.PORT)])
    assert (found.verdict, found.kind, found.host) == (Verdict.MISSING, "claim", HOST)


def test_names_say_which_volume_or_image_they_are_of() -> None:
    volume = VolumeId(new_id())
    assert volume_of_name(volume_name(MARK, data_role(volume), "qcow2")) == volume
    for role in ("root", "config", "swap", "ephemeral0", "snapshot"):
        assert volume_of_name(volume_name(MARK, role, "qcow2")) is None
    name = base_name(DEPLOYMENT, "ab" * 32, "raw")
    assert base_of_name(name) == (DEPLOYMENT, "ab" * 32, "raw")
    for other in (
        f"{name}.whole",
        "vmw-base.x.y.raw",
        "stranger",
        volume_name(MARK, "root", "raw"),
    ):
        assert base_of_name(other) is None


def test_instance_is_named_only_where_it_is_one() -> None:
    copy = snapshot_mark(DEPLOYMENT, new_id())  # type: ignore[arg-type]
    found = judge(a_thing(copy, "snapshot", volume_name(copy, "snapshot", "qcow2")), books())
    assert found is not None
    assert found.instance is None
    other = judge(a_thing(replace(MARK, instance=InstanceId(new_id()))), books())
    assert other is not None
    assert other.instance is not None
