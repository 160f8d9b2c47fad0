"""The threads that run operations and pay debts: started with the first operation."""

import logging
import threading
from collections.abc import Callable, Iterable

from vmwright.dispatcher import Dispatcher
from vmwright.errors import Cancelled, Conflict, StoreUnavailable
from vmwright.ids import DeploymentId, InstanceId, OperationId
from vmwright.ownership import Ownership
from vmwright.pools import Pools
from vmwright.reconcilers.debts import pay_debts
from vmwright.reconcilers.power_states import sync_power_states
from vmwright.settings import Settings
from vmwright.tasks.task import Means

LOG = logging.getLogger(__name__)


class Worker:
    """One controller's hands. A controller that only looks never has any."""

    def __init__(
        self,
        means: Means,
        deployment: DeploymentId,
        settings: Settings,
        end: Callable[[InstanceId], object],
    ) -> None:
        """`end` has an instance deleted that has powered itself off and asked for that."""
        operations = settings.operations
        self._means = means
        self._settings = settings
        self._lock = threading.Lock()
        self._ending = threading.Lock()
        self._started = False
        self._closing = threading.Event()
        self._pools = Pools(
            parallel=operations.parallel, tasks_per_host=operations.threads_per_host
        )
        self._ownership = Ownership(means.stores, settings.state_dir, operations.lease)
        self._dispatcher = Dispatcher(means, deployment, operations, self._ownership, self._pools)
        self._end = end
        self._rounds = [
            threading.Thread(
                target=self._repeat_until_closed, args=(what, pause), name=name, daemon=True
            )
            for name, what, pause in (
                ("vmwright-debts", self.pay_debts, settings.reconcile_interval),
                ("vmwright-power", self._sync_power_states, settings.power_state_interval),
            )
        ]

    def see_through(self, operations: Iterable[OperationId]) -> None:
        """Run these, as soon as they may be run, until nothing more happens to them."""
        with self._lock:
            if self._closing.is_set():
                raise Conflict(
                    "this controller was closed", hint="any other one on its store goes on"
                )
            if not self._started:
                self._ownership.start(self._dispatcher.beat)
                self._dispatcher.start()
                for thread in self._rounds:
                    thread.start()
                self._started = True
        self._dispatcher.see_through(operations)

    def pay_debts(self) -> int:
        """Pay what is due; returns how many debts remain."""
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
                for thread in self._rounds:
                    thread.join()
            self._ownership.close()

    def _sync_power_states(self) -> None:
        patience = self._settings.operations.undo_deadline
        sync_power_states(self._means, patience=patience, end=self._end, stopping=self._closing)

    def _repeat_until_closed(self, what: Callable[[], object], pause: float) -> None:
        while not self._closing.wait(pause):
            try:
                what()
            except Cancelled:
                return
            except StoreUnavailable as error:
                LOG.warning("the store was not asked for what is to be mended: %s", error)
            except Exception:
                # A thread that ended here would leave every later round undone.
                LOG.exception("a round of a reconciler failed")
