"""Takes operations up and sees them through: claims them, drives them, records their end."""

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from taskflow.flow import Flow
from taskflow.persistence import models

from vmwright.errors import (
    ClaimLost,
    Internal,
    NotFound,
    StoreUnavailable,
    UnknownFlow,
    VmwrightError,
)
from vmwright.flows import RECIPES, stored_flow
from vmwright.ids import DeploymentId, OperationId, OwnerId
from vmwright.outcomes import Ending
from vmwright.ownership import Ownership, is_dead, lease_clock, machine
from vmwright.persistence.database import now
from vmwright.persistence.logbook import load_flow
from vmwright.persistence.records import Event, Operation
from vmwright.persistence.unit_of_work import Fenced, UnitOfWork
from vmwright.pools import Pools
from vmwright.recovery import Candidate, Plan, may_follow, plan_recovery
from vmwright.runner import Active, Assignment, Outcome, drive, identity_of
from vmwright.settings import OperationSettings
from vmwright.spec import Spec
from vmwright.states import HELD, OperationState
from vmwright.tasks.task import Means, Owed

LOG = logging.getLogger(__name__)

_LOOK_AGAIN = 0.2
"""Seconds until operations that others hold, or that are not due, are looked at again."""

_PER_ROUND = 64
"""Operations looked at in one round: the rest wait their turn in the store."""


class Dispatcher:
    """Runs operations in this process until nothing more will happen to them by itself."""

    def __init__(
        self,
        means: Means,
        deployment: DeploymentId,
        settings: OperationSettings,
        ownership: Ownership,
        pools: Pools,
    ) -> None:
        self._means = means
        self._stores = means.stores
        self._deployment = deployment
        self._settings = settings
        self._ownership = ownership
        self._pools = pools
        self._wanted: dict[OperationId, None] = {}
        self._active: dict[OperationId, Active] = {}
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._work_until_closed, name="vmwright-dispatcher", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def see_through(self, operations: Iterable[OperationId]) -> None:
        """Run these, as soon as they may be run, until they end, are stuck or are parked."""
        with self._lock:
            self._wanted.update(dict.fromkeys(operations))
        self._bell.set()

    def beat(self, ours: Mapping[OperationId, str | None], as_of: float) -> None:
        """After each renewal: pass on what others want, and publish what has happened."""
        with self._lock:
            active = dict(self._active)
        for operation, run in active.items():
            # What was ours and is no more: somebody has taken it over, and may be undoing it.
            lost = operation not in ours and run.since < as_of
            if lost or ours.get(operation) is not None:
                run.cancelled.set()
            self._publish(run)

    def close(self) -> None:
        """Put every run down where it is; what has begun is recorded."""
        self._stopping.set()
        with self._lock:
            active = list(self._active.values())
        for run in active:
            run.cancelled.set()
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join()

    def _publish(self, run: Active) -> None:
        if run.work is None:
            return
        progress, run.progress = run.progress, {}
        events = [
            run.work.event(
                "progress", "progress", task=task, detail={"fraction": fraction, "note": note}
            )
            # A copy in one step: a task may still hold the old mapping, and add to it.
            for task, (fraction, note) in list(progress.items())
        ]
        try:
            run.work.flush_events(events)
        except ClaimLost:
            run.cancelled.set()

    def _work_until_closed(self) -> None:
        while not self._stopping.is_set():
            self._bell.clear()
            try:
                waiting = self._round()
            except StoreUnavailable as error:
                LOG.warning("the store was not asked for work: %s", error)
                waiting = True
            except Exception:
                # A thread that ended here would leave everything that is wanted undone.
                LOG.exception("a round of the dispatcher failed")
                waiting = True
            self._bell.wait(_LOOK_AGAIN if waiting else None)

    def _round(self) -> bool:
        """Look at what is wanted, claim what may be claimed. True if some of it still waits."""
        with self._lock:
            room = self._room()
            batch = [wanted for wanted in self._wanted if wanted not in self._active][:_PER_ROUND]
        if batch:
            plan = self._plan(batch)
            for operation in plan.park:
                self._park(operation, UnknownFlow(_unknown(operation)))
            self._forget([*plan.over, *(operation.id for operation in plan.park)])
            for operation in plan.claim[: max(0, room)]:
                self._claim(operation)
            self._rotate(batch)
        with self._lock:
            return bool(self._wanted)

    def _room(self) -> int:
        """How many more operations may begin: slow hosts keep those of others from none, as long
        as there are engines at all."""
        held_up = sum(run.is_held_up(self._settings.slow_after) for run in self._active.values())
        working = len(self._active) - held_up
        return min(self._settings.parallel - working, self._pools.engines_left(len(self._active)))

    def _plan(self, batch: list[OperationId]) -> Plan:
        stores = self._stores
        with stores.database.read() as connection:
            candidates = self._candidates(connection, batch)
            owners = stores.owners.all(connection)
            clock = connection.execute(now().select()).scalar_one()
        here = machine()
        dead = {
            owner.id
            for owner, expired in owners
            if owner.id != self._ownership.id and is_dead(owner, expired=expired, here=here)
        }
        with self._lock:
            active = list(self._active)
        return plan_recovery(
            candidates,
            me=self._ownership.id,
            active=active,
            dead=dead,
            living={owner.id for owner, _ in owners} - dead,
            flows={(known.name, known.version) for known in RECIPES},
            now=clock,
        )

    def _candidates(self, connection: Any, batch: list[OperationId]) -> list[Candidate]:
        candidates = []
        for wanted in batch:
            try:
                candidates.append(self._candidate(connection, wanted))
            except (Internal, NotFound) as error:
                LOG.error("operation %s is left alone: %s", wanted, error)
                self._forget([wanted])
        return candidates

    def _candidate(self, connection: Any, wanted: OperationId) -> Candidate:
        operations = self._stores.operations
        operation = operations.get(connection, wanted)
        predecessor = None
        if operation.after_id is not None:
            predecessor = operations.get(connection, operation.after_id).state
        return Candidate(operation=operation, predecessor=predecessor)

    def _rotate(self, batch: list[OperationId]) -> None:
        """Let those that were not looked at come first next time."""
        with self._lock:
            for operation in batch:
                if operation in self._wanted:
                    del self._wanted[operation]
                    self._wanted[operation] = None

    def _forget(self, operations: Iterable[OperationId]) -> None:
        with self._lock:
            for operation in operations:
                self._wanted.pop(operation, None)

    def _claim(self, operation: Operation) -> None:
        stores = self._stores
        with stores.database.write() as connection:
            # Looked at again: a stuck predecessor may have been told to go on meanwhile.
            followed = operation.after_id is not None
            if followed and not may_follow(self._candidate(connection, operation.id)):
                return
            free = stores.instances.take(
                connection, operation.instance_id, operation.id, instead_of=operation.after_id
            )
            epoch = (
                stores.operations.claim(connection, operation, self._ownership.id) if free else None
            )
            if epoch is not None and _is_anothers(operation, self._ownership.id):
                stores.operations.append(connection, [self._taken_over(operation)])
        if epoch is None:
            return
        claimed = replace(operation, epoch=epoch, owner_id=self._ownership.id)
        with self._lock:
            # If it was lost again by now, the first fenced transaction finds out.
            self._active[operation.id] = Active(since=lease_clock())
        try:
            self._pools.engines.submit(self._run, claimed)
        except RuntimeError as error:  # no thread is to be had, as when the interpreter ends
            LOG.warning("operation %s is not begun here: %s", operation.id, error)
            with self._lock:
                self._active.pop(operation.id)
        if operation.owner_id not in (None, self._ownership.id):
            self._ownership.forget_the_dead()

    def _taken_over(self, operation: Operation) -> Event:
        """For whoever asks later why two processes worked on one operation."""
        return Event(
            operation_id=operation.id,
            instance_id=operation.instance_id,
            kind="owner",
            state="taken_over",
            attempt=operation.attempt,
            at=time.time(),
            detail={"from": operation.owner_id, "by": self._ownership.id, "machine": machine()},
        )

    def _run(self, operation: Operation) -> None:
        """In an engine's thread: one operation, as far as it goes here."""
        try:
            outcome = self._drive(operation)
            if outcome is Outcome.LOST:
                LOG.warning("%s", _lost(operation))
            else:
                LOG.info("operation %s (%s): %s", operation.id, operation.kind, outcome.value)
        except ClaimLost:
            LOG.warning("%s", _lost(operation))
        except StoreUnavailable as error:
            LOG.warning("operation %s was put down: %s", operation.id, error)
        except VmwrightError as error:
            self._park(operation, error)
        except Exception:
            # One broken operation must not end the others.
            LOG.exception("operation %s is broken", operation.id)
            self._park(operation, Internal("its rows could not be run; the log says why"))
        finally:
            with self._lock:
                self._active.pop(operation.id, None)
            self._bell.set()

    def _drive(self, operation: Operation) -> Outcome:
        stores, active = self._stores, self._active[operation.id]
        with stores.database.read() as connection:
            instance = stores.instances.get(connection, operation.instance_id)
            detail = load_flow(connection, stores, operation.flow_detail_id)
        spec = Spec.from_store(instance.request)
        flow = stored_flow(operation.flow_name, operation.flow_version, self._means, spec.hooks)
        active.work = UnitOfWork(
            stores,
            operation,
            detail,
            trusted=lambda: self._ownership.trusts(operation.id, active.since),
        )
        return drive(
            flow,
            detail,
            self._assignment(operation, active, flow, detail, spec),
            self._pools,
        )

    def _assignment(
        self,
        operation: Operation,
        active: Active,
        flow: Flow,
        detail: models.FlowDetail,
        spec: Spec,
    ) -> Assignment:
        assert active.work is not None, "it was just made"
        ending = Ending(self._stores, operation, flow, detail, active.work, self._settings)

        def progress(task: str, fraction: float, note: str) -> None:
            active.progress[task] = (fraction, note)

        return Assignment(
            run=identity_of(operation, self._deployment, self._settings),
            inputs={"spec": spec},
            cut_off=operation.state in HELD,
            work=active.work,
            settings=self._settings,
            cancelled=active.cancelled,
            stopping=self._stopping,
            finish=ending.record,
            progress=progress,
            hands_over=active.hands_over,
            owe=lambda fenced, owed: self._owe(fenced, operation, owed),
        )

    def _owe(self, fenced: Fenced, operation: Operation, owed: list[Owed]) -> None:
        for debt in owed:
            self._stores.debts.owe(
                fenced.connection,
                host=debt.host,
                kind=debt.removal.kind,
                key=debt.removal.key,
                whose=debt.removal.whose.to_store(),
                reason=debt.reason,
                delay=debt.delay,
                operation=operation.id,
                instance=operation.instance_id,
            )

    def _park(self, operation: Operation, error: VmwrightError) -> None:
        """Nobody touches it until someone says so: what it needs is not to be had here."""
        operations = self._stores.operations
        with self._stores.database.write() as connection:
            # Read again: a failure that was committed meanwhile says which way to go on.
            known = operations.get(connection, operation.id)
            event = Event(
                operation_id=operation.id,
                instance_id=operation.instance_id,
                kind="operation",
                state=OperationState.PARKED,
                attempt=known.attempt,
                at=time.time(),
                error=error.to_store(),
            )
            reason = {**(known.error or {}), "parked": error.to_store()}
            if operations.park(connection, operation, reason):
                operations.append(connection, [event])
        LOG.error("operation %s is parked: %s", operation.id, error)


def _is_anothers(operation: Operation, me: OwnerId) -> bool:
    """Whether somebody else ran it, and did not put it down."""
    return operation.state in HELD and operation.owner_id not in (None, me)


def _lost(operation: Operation) -> str:
    return (
        f"operation {operation.id} ({operation.kind}) is not ours any more, from epoch "
        f"{operation.epoch} on: our lease ran out, or another process has taken it over; "
        "nothing more is done or written for it here"
    )


def _unknown(operation: Operation) -> str:
    return f"flow {operation.flow_name!r} version {operation.flow_version} is not known here"
