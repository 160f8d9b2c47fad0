"""Takes operations up and sees them through: claims them, drives them, records their end."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from taskflow.flow import Flow
from taskflow.persistence import models

from vmwright.backlog import Sweep
from vmwright.claims import Claims
from vmwright.errors import (
    ClaimLost,
    Internal,
    StoreUnavailable,
    VmwrightError,
)
from vmwright.flows import refuse_other_rows, stored_flow
from vmwright.ids import DeploymentId, OperationId
from vmwright.outcomes import Ending
from vmwright.ownership import Ownership, lease_clock
from vmwright.persistence.attempts import refuse_unreadable_faults
from vmwright.persistence.instances import refuse_unknown_states
from vmwright.persistence.logbook import load_flow
from vmwright.persistence.outage import Outage
from vmwright.persistence.records import Operation
from vmwright.persistence.unit_of_work import Fenced, UnitOfWork
from vmwright.pools import Pools
from vmwright.runner import Active, Assignment, Outcome, drive, identity_of
from vmwright.settings import OperationSettings
from vmwright.spec import Spec
from vmwright.states import HELD
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
        *,
        is_sound: Callable[[], bool],
    ) -> None:
        """`is_sound` says whether what the store says may be gone by."""
        self._means = means
        self._stores = means.stores
        self._deployment = deployment
        self._settings = settings
        self._ownership = ownership
        self._pools = pools
        self._is_sound = is_sound
        self._claims = Claims(means.stores, settings, ownership)
        self._wanted: dict[OperationId, object] = {}
        self._sweep: Sweep | None = None
        self._poll: float | None = None
        self._turned = time.monotonic()
        self._active: dict[OperationId, Active] = {}
        self._lock = threading.Lock()
        self._outage = Outage("the store is not asked for work")
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
            self._wanted.update(dict.fromkeys(operations, object()))
        self._bell.set()

    def take_up_everything(self, poll: float) -> None:
        """Run whatever the store has that may be run, whoever submitted it; look for it at least
        every `poll` seconds."""
        with self._lock:
            self._sweep, self._poll = Sweep(self._stores), poll
        self._bell.set()

    def look_now(self) -> None:
        """Look for work at once, if there is room for any."""
        self._bell.set()

    def leave_the_rest(self) -> None:
        """Take nothing more from the store but what `see_through` names; what runs goes on."""
        with self._lock:
            self._sweep, self._poll = None, None

    def running(self) -> int:
        """How many operations run here now."""
        with self._lock:
            return len(self._active)

    def idle_for(self) -> float:
        """Seconds since the thread last came round; it does every `poll` seconds at least."""
        return time.monotonic() - self._turned

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
        self._interrupt_all()
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join()
        # Also what it was about to claim.
        self._interrupt_all()

    def _interrupt_all(self) -> None:
        with self._lock:
            active = list(self._active.values())
        for run in active:
            run.cancelled.set()

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
            self._turned = time.monotonic()
            try:
                pause = self._round()
                self._outage.over()
            except StoreUnavailable as error:
                self._outage.noticed(error)
                pause = _LOOK_AGAIN
            except Exception:
                # A thread that ended here would leave everything that is wanted undone.
                LOG.exception("a round of the dispatcher failed")
                pause = _LOOK_AGAIN
            self._bell.wait(pause)

    def _round(self) -> float | None:
        """Claim what may be claimed. Returns in how many seconds to look again at the latest."""
        if not self._is_sound():
            return _LOOK_AGAIN
        if self._room() and (wanted := self._next_wanted()):
            self._take_up(wanted)
        with self._lock:
            sweep, poll = self._sweep, self._poll
        if sweep is not None and (room := self._room()):
            found = sweep.take(room, left_to=self._claims.living, active=self._ids())
            # Told to leave the rest meanwhile, what came after that is not ours to begin.
            if sweep is self._sweep and (self._take_up(found) or sweep.has_more):
                return 0.0
        with self._lock:
            return _LOOK_AGAIN if self._wanted else poll

    def _room(self) -> int:
        """How many more operations may begin here: slow hosts keep those of others from none, as
        long as there are engines at all."""
        with self._lock:
            active = list(self._active.values())
        held_up = sum(run.is_held_up(self._settings.slow_after) for run in active)
        room = self._settings.parallel - (len(active) - held_up)
        return max(0, min(room, self._pools.engines_left(len(active))))

    def _ids(self) -> list[OperationId]:
        with self._lock:
            return list(self._active)

    def _next_wanted(self) -> list[OperationId]:
        """Some of what is wanted; those that are left out come first next time."""
        with self._lock:
            batch = [wanted for wanted in self._wanted if wanted not in self._active][:_PER_ROUND]
            for operation in batch:
                self._wanted[operation] = self._wanted.pop(operation)
        return batch

    def _take_up(self, batch: list[OperationId]) -> int:
        """Do with each of these what is to be done now; returns how many were claimed."""
        if not batch:
            return 0
        with self._lock:
            wanted = {operation: self._wanted.get(operation) for operation in batch}
        plan = self._claims.plan(batch, self._ids())
        self._forget(plan.over, wanted)
        return sum(self._begin(operation) for operation in plan.claim[: self._room()])

    def _forget(
        self, operations: Iterable[OperationId], wanted: Mapping[OperationId, object]
    ) -> None:
        """`wanted` is what was wanted before they were looked at: somebody may have had one of
        them go on since, and wants it anew."""
        with self._lock:
            for operation in operations:
                if self._wanted.get(operation) is wanted.get(operation):
                    self._wanted.pop(operation, None)

    def _begin(self, operation: Operation) -> bool:
        """Claim it, if it can be, and run it; a broken one must not keep the others waiting."""
        try:
            claimed = self._claims.claim(operation)
        except StoreUnavailable:
            raise
        except VmwrightError as error:
            self._claims.park(operation, error)
            return False
        except Exception:
            LOG.exception("operation %s cannot be claimed", operation.id)
            self._claims.park(operation, _broken())
            return False
        if claimed is None:
            return False
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
        return True

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
            self._claims.park(operation, error)
        except Exception:
            # One broken operation must not end the others.
            LOG.exception("operation %s is broken", operation.id)
            self._claims.park(operation, _broken())
        finally:
            with self._lock:
                self._active.pop(operation.id, None)
            self._bell.set()

    def _drive(self, operation: Operation) -> Outcome:
        stores, active = self._stores, self._active[operation.id]
        with stores.database.read() as connection:
            instance = stores.instances.get(connection, operation.instance_id)
            detail = load_flow(connection, stores, operation.flow_detail_id)
            attempts = stores.attempts.of_operation(connection, operation.id)
        refuse_unknown_states(instance)
        refuse_unreadable_faults(attempts)
        spec = Spec.from_store(instance.request)
        flow = stored_flow(operation.flow_name, operation.flow_version, self._means, spec.hooks)
        refuse_other_rows(flow, (atom.name for atom in detail))
        active.work = UnitOfWork(
            stores,
            operation,
            detail,
            trusted=lambda: self._trusts(operation, active),
        )
        return drive(
            flow,
            detail,
            self._assignment(operation, active, flow, detail, spec),
            self._pools,
        )

    def _trusts(self, operation: Operation, active: Active) -> bool:
        """Whether a run may go on by what the store says."""
        return self._is_sound() and self._ownership.trusts(operation.id, active.since)

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
            # Also what is told to go on after it was parked: mostly because its process died.
            cut_off=operation.state in HELD or "parked" in (operation.error or {}),
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


def _broken() -> Internal:
    return Internal(
        "its rows could not be run; the log says why",
        hint="mend what the log names",
    )


def _lost(operation: Operation) -> str:
    return (
        f"operation {operation.id} ({operation.kind}) is not ours any more, from epoch "
        f"{operation.epoch} on: our lease ran out, or another process has taken it over; "
        "nothing more is done or written for it here"
    )
