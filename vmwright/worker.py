"""The threads that run operations and pay debts: started with the first operation."""

import logging
import threading
from collections.abc import Iterable

from vmwright.dispatcher import Dispatcher
from vmwright.errors import Conflict, StoreUnavailable
from vmwright.ids import DeploymentId, OperationId
from vmwright.ownership import Ownership
from vmwright.pools import Pools
from vmwright.reconcilers.debts import pay_debts
from vmwright.settings import Settings
from vmwright.tasks.task import Means

LOG = logging.getLogger(__name__)


class Worker:
    """One controller's hands. A controller that only looks never has any."""

    def __init__(self, means: Means, deployment: DeploymentId, settings: Settings) -> None:
        operations = settings.operations
        self._means = means
        self._settings = settings
        self._lock = threading.Lock()
        self._started = False
        self._closing = threading.Event()
        self._pools = Pools(engines=operations.parallel, tasks_per_host=operations.threads_per_host)
        self._ownership = Ownership(means.stores, settings.state_dir, operations.lease)
        self._dispatcher = Dispatcher(means, deployment, operations, self._ownership, self._pools)
        self._reconciler = threading.Thread(
            target=self._reconcile_until_closed, name="vmwright-reconciler", daemon=True
        )

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
                self._reconciler.start()
                self._started = True
        self._dispatcher.see_through(operations)

    def pay_debts(self) -> int:
        """Pay what is due; returns how many debts remain."""
        return pay_debts(
            self._means,
            patience=self._settings.operations.undo_deadline,
            pause=self._settings.reconcile_interval,
        )

    def close(self) -> None:
        """Put every run down where it is and end the threads."""
        self._closing.set()
        with self._lock:
            if self._started:
                self._dispatcher.close()
                self._pools.close()
                self._reconciler.join()
            self._ownership.close()

    def _reconcile_until_closed(self) -> None:
        while not self._closing.wait(self._settings.reconcile_interval):
            try:
                self.pay_debts()
            except StoreUnavailable as error:
                LOG.warning("the store was not asked for debts: %s", error)
            except Exception:
                # A thread that ended here would leave every debt unpaid.
                LOG.exception("a round of the reconciler failed")
