"""The threads that run operations and pay debts: started with the first operation."""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from vmwright.admission.rows import Build
from vmwright.dispatcher import Dispatcher
from vmwright.errors import Conflict, StoreRestored, StoreUnavailable, Unavailable
from vmwright.ids import DeploymentId, InstanceId, OperationId
from vmwright.news import News
from vmwright.ownership import Ownership
from vmwright.pools import Pools
from vmwright.reconcilers.audit import keep_clean
from vmwright.reconcilers.debts import pay_debts
from vmwright.reconcilers.power_states import sync_power_states
from vmwright.reconcilers.pruning import prune
from vmwright.reconcilers.rounds import Round, Rounds
from vmwright.reconcilers.upkeep import Upkeep
from vmwright.runs import Accepted
from vmwright.settings import Settings
from vmwright.tasks.task import Means

LOG = logging.getLogger(__name__)

_TICK = 1.0
"""Seconds between two words of a service on how it stands."""
_SOON = 0.4
"""Seconds until whoever watches hears of the end of a task that nothing follows just then."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a service stands at one moment."""

    running: int
    """Operations that it runs."""
    silent_for: float
    """Seconds since it last looked for work; infinite if one of its threads has died."""
    lease_left: float | None
    """Seconds for which others leave it what it runs, if the store is not heard of again; None if
    it runs nothing."""
    lost: int
    """Runs that ended because their operations were not its own any more, since it began."""


class Worker:
    """One controller's hands. A controller that only looks never has any."""

    def __init__(
        self,
        means: Means,
        deployment: DeploymentId,
        settings: Settings,
        end: Callable[[InstanceId], object],
        upkeep: Upkeep,
        news: News,
    ) -> None:
        """`end` has an instance deleted that has powered itself off and asked for that. `news`
        are for those who wait here."""
        operations = settings.operations
        self._means = means
        self._settings = settings
        self._lock = threading.Lock()
        self._ending = threading.Lock()
        self._started = False
        self._serves = False
        self._told = False
        self._closing = threading.Event()
        self._pools = Pools(
            parallel=operations.parallel, tasks_per_host=operations.threads_per_host
        )
        self._ownership = Ownership(means.stores, settings.state_dir, operations.lease)
        self._dispatcher = Dispatcher(
            means,
            deployment,
            operations,
            self._ownership,
            self._pools,
            is_sound=lambda: upkeep.history.is_kept,
            news=news,
        )
        news.has_end = self._dispatcher.sees_through
        news.has_all = self._dispatcher.runs
        self._end = end
        self._upkeep = upkeep
        self._rounds = Rounds(self._closing)

    def see_through(self, operations: Iterable[OperationId], builds: Iterable[Build] = ()) -> None:
        """Run these, as soon as they may be run, until nothing more happens to them. Nothing is
        read back of those `builds` among them that were stored just now."""
        self._start()
        accepted = [
            Accepted(operation=build.operation, spec=build.spec, detail=build.run.detail)
            for build in builds
        ]
        self._dispatcher.see_through(operations, accepted)

    def serve_until(
        self,
        stop: threading.Event,
        tick: Callable[[Standing], object],
        *,
        upkeep: bool,
        run: bool,
    ) -> None:
        """With `run` run whatever the store holds; with `upkeep` repeat what a service repeats."""
        if run or upkeep:
            self._start(upkeep=upkeep)
        with self._lock:
            first, self._serves = not self._serves, True
            if first and upkeep:
                self._rounds.start(self._rounds_of_services())
        if run:
            self._dispatcher.take_up_everything(self._settings.service.poll_interval)
        try:
            tick(self.standing(run=run))
            while not stop.wait(_TICK) and not self._closing.is_set():
                tick(self.standing(run=run))
        finally:
            self._dispatcher.leave_the_rest()

    def nudge(self) -> None:
        """There may be new work in the store."""
        self._dispatcher.look_now()

    def standing(self, *, run: bool = True) -> Standing:
        """Of this process, also before it runs anything. Who is to run nothing does not look for
        work either."""
        alive = not self._started or (self._rounds.all_alive() and self._ownership.is_kept())
        silent_for = self._dispatcher.idle_for() if run else 0.0
        return Standing(
            running=self._dispatcher.running(),
            silent_for=silent_for if alive else float("inf"),
            lease_left=self._ownership.lease_left(),
            lost=self._dispatcher.lost(),
        )

    def pay_debts(self) -> int:
        """Pay what is due; returns how many debts remain."""
        self._check_history()
        return pay_debts(
            self._means,
            patience=self._settings.operations.undo_deadline,
            pause=self._settings.reconcile_interval,
            stopping=self._closing,
        )

    def close(self) -> None:
        """Put every run down where it is and end the threads."""
        self._closing.set()
        with self._ending:
            # Not held while threads end: one of them may be about to hand in work.
            with self._lock:
                started = self._started
            if started:
                self._dispatcher.close()
                self._pools.close()
                self._rounds.join()
                self._remember()
            self._ownership.close()

    def refuse_closed(self) -> None:
        """`Conflict` once it was closed."""
        if self._closing.is_set():
            raise Conflict("this controller was closed", hint="any other one on its store goes on")

    def _start(self, *, upkeep: bool = True) -> None:
        with self._lock:
            self.refuse_closed()
            if not self._started:
                self._check_history()
                self._ownership.start(self._dispatcher.beat)
                self._dispatcher.start()
                self._rounds.start(self._rounds_of_runs())
                if upkeep:
                    self._rounds.start(self._rounds_of_all())
                self._started = True

    def _rounds_of_runs(self) -> Sequence[Round]:
        """What the renewal of the lease must not wait for."""
        return (
            Round(name="events", what=self._dispatcher.publish, pause=_SOON),
            Round(name="history", what=self._remember, pause=_TICK),
        )

    def _rounds_of_all(self) -> Sequence[Round]:
        """What every process repeats that runs operations."""
        settings = self._settings
        return (
            Round(name="debts", what=self.pay_debts, pause=settings.reconcile_interval),
            Round(name="power", what=self._sync_power_states, pause=settings.power_state_interval),
        )

    def _rounds_of_services(self) -> Sequence[Round]:
        """What only a service repeats, besides."""
        settings = self._settings
        return (
            Round(
                name="leases",
                what=self._ownership.forget_the_dead,
                pause=settings.reconcile_interval,
            ),
            Round(name="audit", what=self._keep_clean, pause=settings.audit.interval),
            Round(name="pruning", what=self._prune, pause=settings.reconcile_interval),
        )

    def _check_history(self) -> None:
        """Nothing is made or unmade for a store that has forgotten what it had made."""
        with self._means.stores.database.read() as connection:
            self._upkeep.history.check(connection)

    def _remember(self) -> None:
        try:
            with self._means.stores.database.read() as connection:
                self._upkeep.history.remember(connection)
        except (StoreUnavailable, Unavailable) as error:
            LOG.warning("what the store has seen is not written down: %s", error)
        except StoreRestored as error:
            if not self._told:
                LOG.error("nothing is begun or gone on with: %s", error)
            self._told = True

    def _keep_clean(self) -> None:
        pause = self._settings.reconcile_interval
        keep_clean(self._upkeep.auditor, pause=pause, stopping=self._closing)

    def _prune(self) -> None:
        self._check_history()
        days = self._settings.operations.keep
        prune(self._means.stores, days=days, stopping=self._closing)

    def _sync_power_states(self) -> None:
        patience = self._settings.operations.undo_deadline
        sync_power_states(self._means, patience=patience, end=self._end, stopping=self._closing)
