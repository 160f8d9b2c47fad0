"""Claims on operations: what may be claimed now, who else is there, and what is put aside."""

import logging
import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from vmwright.backlog import candidates
from vmwright.concerning import concerning
from vmwright.errors import Damaged, ProcessesDied, UnknownFlow, VmwrightError
from vmwright.flows import known_flows
from vmwright.ids import OperationId, OwnerId
from vmwright.ownership import Ownership, is_dead, lease_clock, lets_go, machine
from vmwright.persistence.database import now
from vmwright.persistence.held_operations import Claim
from vmwright.persistence.operations import TAKEN_OVER
from vmwright.persistence.records import Event, Operation, Owner
from vmwright.persistence.stores import Stores
from vmwright.recovery import Plan, may_follow, plan_recovery
from vmwright.settings import OperationSettings
from vmwright.states import HELD, OperationState

LOG = logging.getLogger(__name__)

Flow = tuple[str, int]
"""Name and version."""


@dataclass(frozen=True, kw_only=True)
class Others:
    """The other processes on the store, and its clock."""

    dead: set[OwnerId]
    living: list[Owner]
    now: float


class Claims:
    """What one owner claims from the store, and what it parks because nobody can run it."""

    def __init__(self, stores: Stores, settings: OperationSettings, ownership: Ownership) -> None:
        self._stores = stores
        self._settings = settings
        self._ownership = ownership
        self._missed: dict[Flow, float] = {}
        self._left: dict[OperationId, int] = {}
        """Those that were put down here, and in which epoch."""

    def others(self) -> Others:
        with self._stores.database.read() as connection:
            owners = self._stores.owners.all(connection)
            clock = connection.execute(now().select()).scalar_one()
        here, me = machine(), self._ownership.id
        dead = {
            owner.id
            for owner, expired in owners
            if owner.id != me and is_dead(owner, expired=expired, here=here)
        }
        living = [owner for owner, _ in owners if owner.id not in dead | {me}]
        silent = [owner for owner, _ in owners if owner.id in dead and not lets_go(owner, here)]
        self._miss(living, silent)
        return Others(dead=dead, living=living, now=clock)

    def _miss(self, living: Collection[Owner], silent: Collection[Owner]) -> None:
        """Remember since when nobody lives who knows a flow that somebody knew: whoever restarts,
        or was cut off from the store as we were, is back in a moment."""
        at, spoken = lease_clock(), _flows_of(living)
        missed = (self._missed.keys() | _flows_of(silent)) - spoken
        self._missed = dict.fromkeys(spoken, math.inf) | {
            flow: min(at, self._missed.get(flow, at)) for flow in missed
        }

    def _may_be_back(self, operation: Operation) -> bool:
        """Whether somebody who knows its flow was missed only now."""
        since = self._missed.get((operation.flow_name, operation.flow_version), -math.inf)
        return lease_clock() < since + self._settings.lease

    def living(self) -> set[OwnerId]:
        """The others that hold what they hold."""
        return {owner.id for owner in self.others().living}

    def plan(self, batch: Sequence[OperationId], active: Collection[OperationId]) -> Plan:
        """What may be claimed of these now. What nobody here can ever run is parked, and over
        with that, as is what the store does not have."""
        with self._stores.database.read() as connection:
            found = candidates(connection, self._stores, batch)
        others = self.others()
        plan = plan_recovery(
            found,
            me=self._ownership.id,
            active=active,
            dead=others.dead,
            living=others.living,
            flows=known_flows(),
            now=others.now,
        )
        plan = replace(plan, park=[one for one in plan.park if not self._may_be_back(one)])
        for operation in plan.park:
            self.park(operation, _unknown(operation))
        for operation, damage in plan.damaged:
            self.park(operation, Damaged(damage))
        parked = [*plan.park, *(operation for operation, _ in plan.damaged)]
        absent = set(batch) - {candidate.operation.id for candidate in found}
        plan.over.extend([*absent, *(operation.id for operation in parked)])
        return plan

    def claim(self, operation: Operation) -> Operation | None:
        """Make it ours; None if it, or its instance, is not to be had.

        `ProcessesDied` if too many died of it: whatever kills processes must not end this one
        too, and all that runs in it.
        """
        with self._stores.database.write() as connection:
            if not self._is_as_read(connection, operation):
                return None
            epoch = self._claimed(connection, operation)
        if epoch is None:
            return None
        return replace(operation, epoch=epoch, owner_id=self._ownership.id)

    def with_first_task(self, operation: Operation) -> tuple[Operation, Claim]:
        """An operation that has never run, as it is once it is ours, and how the transaction of
        its first task makes it so.

        Nobody else writes of it, so that what is read of it before holds.
        """
        me = self._ownership.id
        claim = Claim(
            operation=operation,
            owner=me,
            # An instance begins as its build's.
            takes_turn=None
            if operation.kind == "create"
            else lambda connection: self._takes_its_turn(connection, operation),
        )
        return replace(operation, epoch=operation.epoch + 1, owner_id=me), claim

    def left(self, operation: Operation, *, over: bool) -> None:
        """It ran here, and does not any more."""
        if over:
            self._left.pop(operation.id, None)
        else:
            self._left[operation.id] = operation.epoch

    def is_outdated(self, operation: Operation) -> bool:
        """Whether it was read before it ran here: in the store it is ours in the very epoch that a
        claim would give it, but what was read of its run is not true any more."""
        return operation.epoch < self._left.get(operation.id, 0)

    def _is_as_read(self, connection: Any, operation: Operation) -> bool:
        """Whether the row still is what it was when a page of them was read: what was parked and
        told to go on meanwhile has the same epoch, and may have been mended."""
        if operation.state in HELD:
            return True
        return self._stores.operations.get(connection, operation.id) == operation

    def _claimed(self, connection: Any, operation: Operation) -> int | None:
        """The epoch of our claim, or None if there is none: then nothing was written.

        The operation first: one that others have ended meanwhile must not take its instance again.
        """
        with connection.begin_nested() as attempt:
            epoch = self._new_epoch(connection, operation)
            if epoch is not None and not self._takes_its_turn(connection, operation):
                attempt.rollback()
                return None
        return epoch

    def _takes_its_turn(self, connection: Any, operation: Operation) -> bool:
        """Whether the instance is this operation's now."""
        stores, before = self._stores, operation.after_id
        if not stores.instances.take(
            connection, operation.instance_id, operation.id, instead_of=before
        ):
            return False
        # Looked at again: a stuck predecessor may have been told to go on meanwhile. From here on
        # it is not: whoever tells it that waits for the instance's row, and sees whose it is.
        return before is None or all(
            map(may_follow, candidates(connection, stores, [operation.id]))
        )

    def park(self, operation: Operation, error: VmwrightError) -> None:
        """Nobody touches it until someone says so: what it needs is not to be had here."""
        with concerning(operation_id=operation.id, instance_id=operation.instance_id):
            self._park(operation, error)

    def _park(self, operation: Operation, error: VmwrightError) -> None:
        operations, told = self._stores.operations, error.to_store()
        told["hint"] = _and(error.hint, f"vmwright operation resume {operation.id}")
        with self._stores.database.write() as connection:
            # Read again: a failure that was committed meanwhile says which way to go on.
            known = operations.get(connection, operation.id)
            event = Event(
                operation_id=operation.id,
                instance_id=operation.instance_id,
                kind="operation",
                state=OperationState.PARKED,
                attempt=known.attempt if isinstance(known.attempt, int) else 1,
                at=time.time(),
                error=told,
            )
            before = known.error if isinstance(known.error, dict) else {}
            reason = {**before, "parked": told}
            if operations.park(connection, operation, reason):
                operations.append(connection, [event])
        LOG.error("operation %s is parked: %s", operation.id, error)

    def _new_epoch(self, connection: Any, operation: Operation) -> int | None:
        operations, me = self._stores.operations, self._ownership.id
        taken_over = operation.state in HELD and operation.owner_id not in (None, me)
        if taken_over:
            deaths = operations.deaths(connection, operation.id) + 1
            if deaths >= self._settings.takeovers:
                task = operations.under_way(connection, operation.id)
                raise ProcessesDied(
                    f"{deaths} processes in a row died while they ran it"
                    + (f", with task {task} under way" if task else ""),
                    hint="find out what ended them",
                )
        epoch = operations.claim(connection, operation, me)
        if taken_over and epoch is not None:
            operations.append(connection, [self._taken_over(operation)])
        return epoch

    def _taken_over(self, operation: Operation) -> Event:
        """For whoever asks later why two processes worked on one operation."""
        return Event(
            operation_id=operation.id,
            instance_id=operation.instance_id,
            kind="owner",
            state=TAKEN_OVER,
            attempt=operation.attempt,
            at=time.time(),
            detail={"from": operation.owner_id, "by": self._ownership.id, "machine": machine()},
        )


def _flows_of(owners: Collection[Owner]) -> set[Flow]:
    return {cast("Flow", tuple(known)) for owner in owners for known in owner.flows or ()}


def _unknown(operation: Operation) -> UnknownFlow:
    return UnknownFlow(
        f"flow {operation.flow_name!r} version {operation.flow_version} is not known here",
        hint="run a vmwright that knows it",
    )


def _and(hint: str, command: str) -> str:
    return f"{hint}; then: {command}" if hint else command
