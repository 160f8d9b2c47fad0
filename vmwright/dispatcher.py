"""Takes operations up and sees them through: claims them, drives them, records their end."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice

from vmwright.ahead import PAGE, Ahead
from vmwright.backlog import Sweep
from vmwright.claims import Claims
from vmwright.errors import (
    ClaimLost,
    StoreUnavailable,
    VmwrightError,
)
from vmwright.ids import DeploymentId, OperationId
from vmwright.loading import Loaded
from vmwright.news import News
from vmwright.ownership import Ownership
from vmwright.persistence.outage import Outage
from vmwright.persistence.publishing import publish
from vmwright.persistence.records import Operation
from vmwright.pools import Pools
from vmwright.runner import Active, Outcome
from vmwright.runs import Accepted, Begun, Runs, about, broken
from vmwright.settings import OperationSettings
from vmwright.states import OperationState
from vmwright.tasks.task import Means

LOG = logging.getLogger(__name__)

_LOOK_AGAIN = 0.2
"""Seconds until operations that others hold, or that are not due, are looked at again."""

_ACCEPTED = 256
"""Operations that wait for room and are kept in memory with what their runs need."""

_PER_ROUND = 64
"""Operations looked at in one round: the rest wait their turn in the store."""


class Dispatcher:
    """Runs operations in this process until nothing more will happen to them by itself."""

    _sweep: Sweep | None = None
    _poll: float | None = None

    def __init__(
        self,
        means: Means,
        deployment: DeploymentId,
        settings: OperationSettings,
        ownership: Ownership,
        pools: Pools,
        *,
        is_sound: Callable[[], bool],
        news: News,
    ) -> None:
        """`is_sound` says whether what the store says may be gone by. `news` are told of
        what is committed here, and of each operation whose end is known here."""
        self._stores = means.stores
        self._settings = settings
        self._ownership = ownership
        self._pools = pools
        self._is_sound = is_sound
        self._news = news
        self._claims = Claims(means.stores, settings, ownership)
        self._stopping = threading.Event()
        self._runs = Runs(
            means,
            deployment,
            settings,
            ownership,
            pools,
            is_sound=is_sound,
            stopping=self._stopping,
            committed=news.committed,
        )
        self._wanted: dict[OperationId, object] = {}
        self._accepted: dict[OperationId, Accepted] = {}
        self._ahead, self._swept = Ahead(self._stores), Ahead(self._stores)
        """Of what is wanted, and of what is swept."""
        self._looked = self._turned = time.monotonic()
        self._active: dict[OperationId, Active] = {}
        self._lock, self._bell = threading.RLock(), threading.Event()
        self._outage = Outage("the store is not asked for work")
        self._thread = threading.Thread(
            target=self._work_until_closed, name="vmwright-dispatcher", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def see_through(
        self, operations: Iterable[OperationId], accepted: Sequence[Accepted] = ()
    ) -> None:
        """Run these, as soon as they may be run, until they end, are stuck or are parked.

        Those of them that were `accepted` just now begin at once, if there is room for them.
        """
        with self._lock:
            self._wanted.update(dict.fromkeys(operations, object()))
            for one in accepted[: _ACCEPTED - len(self._accepted)]:
                # Found in the store and begun by now, it runs by what was read of it.
                if self._may_begin(one.operation):
                    self._accepted[one.operation.id] = one
        for one in accepted:
            if not self._begin_at_once(one):
                self._bell.set()
                return
        if not accepted:
            self._bell.set()

    def _begin_at_once(self, accepted: Accepted) -> bool:
        """Without a round of the thread, which would look at it first."""
        if not self._is_sound() or self._stopping.is_set():
            return False
        operation = accepted.operation.id
        with self._lock:
            if operation not in self._accepted or not self._room() or self._others_wait():
                return False
            del self._accepted[operation]
            self._active[operation] = Active()
        ours, claim = self._claims.with_first_task(accepted.operation)
        begun = Begun(operation=ours, as_read=accepted.operation, claim=claim, accepted=accepted)
        return self._hand_over(begun)

    def _others_wait(self) -> bool:
        """Whether more than the newest of what is wanted waits to be begun: it comes first."""
        running = sum(operation in self._wanted for operation in self._active)
        return len(self._wanted) - running > 1

    def take_up_everything(self, poll: float) -> None:
        """Run whatever the store has that may be run, whoever submitted it; look for it at least
        every `poll` seconds."""
        with self._lock:
            self._sweep, self._poll = Sweep(self._stores, self._ownership.id), poll
        self._bell.set()

    def look_now(self) -> None:
        """Look for work at once, if there is room for any."""
        self._bell.set()

    def leave_the_rest(self) -> None:
        """Take nothing more from the store but what `see_through` names; what runs goes on."""
        with self._lock:
            self._sweep, self._poll = None, None

    def sees_through(self, operation: OperationId) -> bool:
        """Whether news of its end will come, whoever runs it."""
        with self._lock:
            return operation in self._wanted or operation in self._active

    def runs(self, operation: OperationId) -> bool:
        """Whether it runs here now."""
        with self._lock:
            return operation in self._active

    def running(self) -> int:
        """How many operations run here now."""
        with self._lock:
            return len(self._active)

    def lost(self) -> int:
        """How many were taken from it, since it began."""
        return self._runs.losses.number

    def idle_for(self) -> float:
        """Seconds since the thread last came round; it does every `poll` seconds at least."""
        return time.monotonic() - self._turned

    def beat(self, ours: Mapping[OperationId, str | None], as_of: float) -> None:
        """After each renewal: pass on what others want."""
        with self._lock:
            active = dict(self._active)
        for operation, run in active.items():
            # What was ours and is no more: somebody has taken it over, and may be undoing it.
            lost = operation not in ours and run.since < as_of
            if lost or ours.get(operation) is not None:
                run.cancelled.set()

    def publish(self) -> None:
        """Tell whoever watches what has happened in the runs since their last commits."""
        with self._lock:
            runs = list(self._active.values())
        publish(self._stores, [(run.work, run.news) for run in runs if run.work is not None])

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
            self._take_up(wanted, self._ahead)
        with self._lock:
            sweep, poll = self._sweep, self._poll
        if sweep is not None and (room := self._room()):
            found = sweep.take(room, left_to=self._claims.living, active=self._ids())
            # Told to leave the rest meanwhile, what came after that is not ours to begin.
            if sweep is self._sweep and (self._take_up(found, self._swept) or sweep.has_more):
                return 0.0
        elif sweep is not None and (coming := sweep.ahead(PAGE)):
            self._swept.fill(self._claimable(coming))
        with self._lock:
            return _LOOK_AGAIN if self._wanted else poll

    def _room(self) -> int:
        """How many more operations may begin here: slow hosts keep those of others from none, as
        long as there are engines at all."""
        active = list(self._active.values())
        held_up = sum(run.is_held_up(self._settings.slow_after) for run in active)
        room = self._settings.parallel - (len(active) - held_up)
        return max(0, min(room, self._pools.engines_left(len(active))))

    def _ids(self) -> list[OperationId]:
        with self._lock:
            return list(self._active)

    def _next_wanted(self) -> list[OperationId]:
        """Some of what is wanted; those that are left out come first next time."""
        known, at = self._ahead.known(), time.monotonic()
        with self._lock:
            known = [one for one in known if one in self._wanted and one not in self._active]
            if known and at < self._looked + _LOOK_AGAIN:
                return known
            self._looked = at
            idle = (wanted for wanted in self._wanted if wanted not in self._active)
            # However many are wanted, no more are looked at: a round must not grow with them.
            batch = list(islice(idle, _PER_ROUND))
            for operation in batch:
                self._wanted[operation] = self._wanted.pop(operation)
        return batch

    def _take_up(self, batch: list[OperationId], ahead: Ahead) -> int:
        """Do with each of these what is to be done now; returns how many were claimed."""
        with self._lock:
            # Nothing need be read of what was accepted here.
            may = {one: self._accepted[one].operation for one in batch if one in self._accepted}
        may |= (known := ahead.of(batch))
        unread = [operation for operation in batch if operation not in may]
        claimable = self._claimable(unread) if unread else []
        may |= {operation.id: operation for operation in claimable}
        ready, begun = (may[one] for one in batch if one in may), 0
        while self._room() and (operation := next(ready, None)):
            begun += self._begin(operation, ahead)
        if not known and not self._room():
            ahead.fill(operation for operation in claimable if operation.id not in self._active)
        return begun

    def _claimable(self, batch: list[OperationId]) -> Sequence[Operation]:
        """Those of these that may be claimed now; the others are parked, over or left alone."""
        with self._lock:
            wanted = {operation: self._wanted.get(operation) for operation in batch}
        plan = self._claims.plan(batch, self._ids())
        self._forget(plan.over, wanted)
        return plan.claim

    def _forget(
        self, operations: Collection[OperationId], wanted: Mapping[OperationId, object]
    ) -> None:
        """`wanted` is what was wanted before they were looked at: somebody may have had one of
        them go on since, and wants it anew."""
        with self._lock:
            for operation in operations:
                if self._wanted.get(operation) is wanted.get(operation):
                    self._wanted.pop(operation, None)
        for operation in operations:
            self._news.ended(operation)

    def _begin(self, operation: Operation, ahead: Ahead) -> bool:
        """Claim it, if it can be, and run it; a broken one must not keep the others waiting."""
        loaded, begun = ahead.take(operation.id), None
        with self._lock:
            accepted = self._accepted.pop(operation.id, None)
            if not self._may_begin(operation):
                return False
            active = self._active[operation.id] = Active()
        try:
            begun = self._claimed(operation, accepted, loaded)
        except StoreUnavailable:
            raise
        except VmwrightError as error:
            self._claims.park(operation, error)
        except Exception:
            LOG.exception("operation %s cannot be claimed", operation.id)
            self._claims.park(operation, broken())
        finally:
            if begun is None:
                with self._lock:
                    self._active.pop(operation.id)
        if begun is None:
            return False
        if begun.claim is None:
            active.is_ours_from_now_on()
        begins = self._hand_over(begun)
        if operation.owner_id not in (None, self._ownership.id):
            self._ownership.forget_the_dead()
        return begins

    def _may_begin(self, operation: Operation) -> bool:
        """One process runs it once at a time, and never by what it read of it before that."""
        return operation.id not in self._active and not self._claims.is_outdated(operation)

    def _claimed(
        self, operation: Operation, accepted: Accepted | None, loaded: Loaded | None
    ) -> Begun | None:
        """What has never run is claimed with its first task."""
        if operation.state is OperationState.QUEUED:
            ours, claim = self._claims.with_first_task(operation)
            return Begun(
                operation=ours, as_read=operation, claim=claim, accepted=accepted, loaded=loaded
            )
        claimed = self._claims.claim(operation)
        if claimed is None:
            return None
        return Begun(operation=claimed, as_read=operation, loaded=loaded)

    def _hand_over(self, begun: Begun) -> bool:
        """To an engine's thread, if one is to be had; its place is taken already."""
        with self._lock:
            wanted = self._wanted.get(begun.operation.id)
        try:
            self._pools.engines.submit(about(begun.operation)(self._run), begun, wanted)
        except RuntimeError as error:  # no thread is to be had, as when the interpreter ends
            LOG.warning("operation %s is not begun here: %s", begun.operation.id, error)
            with self._lock:
                self._active.pop(begun.operation.id)
            return False
        return True

    def _run(self, begun: Begun, wanted: object) -> None:
        """In an engine's thread: one operation, as far as it goes here."""
        operation = begun.operation
        active, over = self._active[operation.id], False
        try:
            outcome = self._runs.drive(begun, active)
            if outcome is Outcome.LOST and active.is_claimed:
                self._runs.losses.note(operation)
            else:
                LOG.info("operation %s (%s): %s", operation.id, operation.kind, outcome.value)
            over = outcome in (Outcome.DONE, Outcome.UNDONE)
        except ClaimLost:
            self._runs.losses.note(operation)
        except StoreUnavailable as error:
            LOG.warning("operation %s was put down: %s", operation.id, error)
        except VmwrightError as error:
            self._claims.park(begun.as_stored(active), error)
        except BaseException:
            # One broken operation must not end the others, nor begin again and again.
            LOG.exception("operation %s is broken", operation.id)
            self._claims.park(begun.as_stored(active), broken())
        finally:
            if active.is_claimed:
                self._claims.left(operation, over=over)
            self._leave(operation.id, wanted, over=over)

    def _leave(self, operation: OperationId, wanted: object, *, over: bool) -> None:
        """It runs here no more. The thread comes round only if something may wait for its room."""
        with self._lock:
            if over and self._wanted.get(operation) is wanted:
                self._wanted.pop(operation, None)
            self._active.pop(operation, None)
            others = self._sweep is not None or any(
                other not in self._active for other in self._wanted
            )
        self._news.ended(operation)
        if others:
            self._bell.set()
