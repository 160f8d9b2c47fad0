"""What to do with unfinished operations. Pure: what the store says, who is dead, now -> plan.

An operation that nobody runs is claimed, whether it never began, was put down, or lost its owner
with its process. It is never claimed before its time (a pause between tries), before its
predecessor on the same instance has ended, or by code that does not know its flow. Such code
leaves it to a living process that knows it, as a newer release beside an older one does, and parks
it if there is none.
"""

from collections.abc import Collection, Iterable, Set
from dataclasses import dataclass, field

from vmwright.ids import OperationId, OwnerId
from vmwright.persistence.records import Operation, Owner
from vmwright.states import CLAIMABLE, HELD, OVER, OperationState


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An operation as the store has it, and how its predecessor on the instance stands."""

    operation: Operation
    predecessor: OperationState | None = None
    missing: str | None = None
    """What it refers to and the store does not have."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to do now. Operations that are in none of these are none of our business now."""

    claim: list[Operation] = field(default_factory=list)
    park: list[Operation] = field(default_factory=list)
    """Of flows that neither this code knows nor any process that lives."""
    damaged: list[tuple[Operation, str]] = field(default_factory=list)
    """To park as well, each with what is wrong with its rows."""
    over: list[OperationId] = field(default_factory=list)
    """Nothing will happen to these by itself any more."""


def plan_recovery(
    candidates: Iterable[Candidate],
    *,
    me: OwnerId,
    active: Collection[OperationId],
    dead: Set[OwnerId],
    living: Collection[Owner],
    flows: Set[tuple[str, int]],
    now: float,
) -> Plan:
    """Decide for each candidate. `active` are those that this process runs right now, `flows`
    those that it knows.

    An owner that is neither `dead` nor `living` has no row: it is gone.
    """
    plan = Plan()
    alive = {owner.id for owner in living} - dead
    for candidate in candidates:
        operation = candidate.operation
        damage = candidate.missing or unreadable_column(operation)
        if operation.state not in CLAIMABLE:
            plan.over.append(operation.id)
        elif damage is not None:
            if operation.id not in active and not _held_by_other(operation, me, alive):
                plan.damaged.append((operation, damage))
        elif (operation.flow_name, operation.flow_version) not in flows:
            known = any(
                owner.knows(operation.flow_name, operation.flow_version)
                for owner in living
                if owner.id != me
            )
            if not known and not _held_by_other(operation, me, alive):
                plan.park.append(operation)
        elif operation.id not in active and _may_claim(candidate, me, alive, now):
            plan.claim.append(operation)
    return plan


def _may_claim(candidate: Candidate, me: OwnerId, alive: Set[OwnerId], now: float) -> bool:
    operation = candidate.operation
    if operation.not_before > now or not may_follow(candidate):
        return False
    return not _held_by_other(operation, me, alive)


def _held_by_other(operation: Operation, me: OwnerId, alive: Set[OwnerId]) -> bool:
    if operation.state not in HELD or operation.owner_id in (None, me):
        return False
    return operation.owner_id in alive


def may_follow(candidate: Candidate) -> bool:
    """Whether nothing more happens to its predecessor by itself."""
    return candidate.predecessor is None or candidate.predecessor in OVER


def unreadable_column(operation: Operation) -> str | None:
    """Which column of its row holds what no vmwright writes, if any does."""
    for column in ("flow_version", "epoch", "attempt", "undo_tries"):
        if not isinstance(getattr(operation, column), int):
            return f"operations.{column} is no whole number"
    if not isinstance(operation.not_before, int | float):
        return "operations.not_before is no time"
    if not isinstance(operation.error, dict | None):
        return "operations.error is no JSON object"
    return None
