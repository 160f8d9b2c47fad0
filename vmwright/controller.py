"""What an embedder holds: takes requests in, runs them, and tells how they stand."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Any, Self, TypeVar

import sqlalchemy as sa

from vmwright.admission import Caller
from vmwright.errors import Conflict
from vmwright.persistence.records import Operation
from vmwright.persistence.retrying import in_transaction
from vmwright.reader import Reader
from vmwright.settings import Settings
from vmwright.states import CLAIMABLE, OperationState

if TYPE_CHECKING:
    from vmwright.admission.intake import Reservation
    from vmwright.admission.rows import Build
    from vmwright.feed import Feed
    from vmwright.ids import InstanceId, OperationId
    from vmwright.inventory import Inventory
    from vmwright.operator import Operator
    from vmwright.overview import Overview
    from vmwright.planning import Plan
    from vmwright.reception import Reception
    from vmwright.reconcilers.upkeep import Upkeep
    from vmwright.request import CreateRequest
    from vmwright.tasks.means import Means
    from vmwright.views.graph import Graph
    from vmwright.waiting import Wait
    from vmwright.worker import Standing
    from vmwright.workshop import Workshop

T = TypeVar("T")

_PAGE = 500


def _unheard(_standing: object) -> None:
    """Nobody asked."""


class Controller(Reader):
    """Builds and deletes instances, and tells how they stand. Thread-safe; installs no signal
    handlers; logs to `vmwright`.

    A context manager: leaving it puts what runs down where it is, safely; any controller on the
    same store goes on with it. Threads start with the first operation that is run here, so open
    it after a fork, or only submit before one.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        engine: sa.Engine | None = None,
        caller: Caller | None = None,
        watch: "Callable[[Means], Means] | None" = None,
        runs: bool = True,
    ) -> None:
        """Open the store, and the backend without asking any host.

        `engine` is a database engine of the caller's own, who closes it. `watch` may put something
        around the means (`vmwright.testing.points`). Without `runs` nothing runs here: what is
        accepted, or to be gone on with, is left to those who serve this store. Raises
        `StoreUnavailable`, `SchemaMismatch`, `PackageMissing` or `InvalidRequest`.
        """
        self._around = watch
        self.runs = runs
        self._making = threading.RLock()
        self._workshop: list[Workshop] = []
        super().__init__(settings, engine=engine, caller=caller)
        # A backend that is missing is told now, and not with the first request.
        assert self._means

    def on_behalf_of(self, caller: Caller) -> Self:
        """This controller as another caller sees it, with what that one may do. Both run in the
        same threads, on the same store, and are closed together."""
        other = copy(self)
        other._speak_for(caller)
        return other

    def _speak_for(self, caller: Caller) -> None:
        super()._speak_for(caller)
        self._inventory: Inventory | None = None
        self._reception: Reception | None = None
        self._operator: Operator | None = None

    @property
    def inventory(self) -> "Inventory":
        """What builds choose from."""
        from vmwright.inventory import Inventory

        with self._making:
            if self._inventory is None:
                self._inventory = Inventory(
                    self._stores,
                    self._means.backend,
                    self._means.images,
                    self.deployment,
                    self.settings,
                    caller=self._caller,
                )
            return self._inventory

    @property
    def _shop(self) -> "Workshop":
        from vmwright.workshop import Workshop

        with self._making:
            if not self._workshop:
                made = Workshop(self._means, self.deployment, self.settings, self._end, self._news)
                self._workshop.append(made)
                if self._closed.is_set():
                    made.worker.close()
            return self._workshop[0]

    @property
    def _door(self) -> "Reception":
        from vmwright.reception import Reception

        shop = self._shop
        with self._making:
            if self._reception is None:
                self._reception = Reception(
                    self._database,
                    shop.door,
                    self._caller,
                    shop.upkeep.history,
                    lambda: self.inventory,
                    self.settings.operations.undo_deadline,
                )
            return self._reception

    @property
    def _desk(self) -> "Operator":
        from vmwright.operator import Operator

        shop = self._shop
        with self._making:
            if self._operator is None:
                self._operator = Operator(
                    self._means, self.deployment, self.settings, self._caller, shop.upkeep
                )
            return self._operator

    def _open_means(self) -> "Means":
        means = super()._open_means()
        return self._around(means) if self._around else means

    def close(self) -> None:
        """Put down what runs, and let go of threads, hosts and the database."""
        self._stop_waiting()
        with self._making:
            made = [*self._workshop]
        for shop in made:
            shop.worker.close()
        super().close()

    # Operations.

    def create(self, request: "CreateRequest") -> Operation:
        """Accept the build of one instance and begin it here; as `create_all`."""
        return _only(self.create_all(_single(request)))

    def create_all(self, *requests: "CreateRequest") -> Sequence["Reservation"]:
        """Accept builds, all of them or none, and begin them here, side by side.

        Returns one reservation for each request. `Unavailable` if no host of ours answers.
        """
        self._shop.worker.refuse_closed()
        answers = self._door.accept(requests, ask_hosts=True)
        begun = [one.id for answer in answers.reservations for one in answer.operations]
        # Closed meanwhile, whoever asked must hear what is stored: another one will build it.
        with suppress(Conflict):
            self._see_through(begun, answers.builds)
        return answers.reservations

    def submit(self, request: "CreateRequest") -> Operation:
        """Accept the build of one instance; as `submit_all`."""
        return _only(self.submit_all(_single(request)))

    def submit_all(self, *requests: "CreateRequest") -> Sequence["Reservation"]:
        """Accept builds, all or none, and leave them to whoever resumes work of this store."""
        answers = self._door.accept(requests, ask_hosts=False)
        self._shop.worker.nudge()
        return answers.reservations

    def plan(self, *requests: "CreateRequest") -> Sequence["Plan"]:
        """What `create_all` would do now, a plan for each instance; raises what it would raise.

        Nothing is stored, and no host is asked.
        """
        return self._shop.planner.plans(requests, self._caller)

    def delete(self, instance: str) -> Operation:
        """Accept the end of an instance, by name or id, and begin it here.

        A build that still runs is asked to stop; one whose process is dead is taken back here.
        """
        self._shop.upkeep.learn_of_guest(self.instance(instance))
        return self._begin(self._write(lambda c: self._shop.door.delete(c, instance, self._caller)))

    def cancel(self, operation: str, reason: str = "asked by the user") -> Operation:
        """Have a build taken back, wherever it runs; here, if its process is dead."""
        return self._begin(
            self._write(lambda c: self._shop.door.cancel(c, operation, reason, self._caller))
        )

    def resume(self, operation: str | None = None) -> Sequence[Operation]:
        """Take up what nobody runs: everything that is unfinished, or this operation.

        Returns what is unfinished. What a living process runs is left to it.
        """
        if operation is not None:
            known = self.operation(operation)
            self.inventory.rights.run(known.project_id)
            if known.state is OperationState.PARKED:
                self._shop.upkeep.refuse_to_touch_guest(known)
                self._move(known, OperationState.INTERRUPTED)
            return [self._begin(self.operation(operation))]
        with self._database.read() as connection:
            whose = self._stores.lists.projects(connection, CLAIMABLE, self._caller.sees)
        self.inventory.rights.run(*sorted(whose))
        found: list[Operation] = []
        for page in self._unfinished():
            # The first ones begin while the others are still read.
            self._see_through([known.id for known in page])
            found += page
        return found

    def retry(self, operation: str) -> Operation:
        """Try a stuck operation again from where it is stuck."""
        known = self.operation(operation)
        self.inventory.rights.run(known.project_id)
        if known.state is not OperationState.STUCK:
            raise Conflict(f"operation {known.id} is not stuck: it is {known.state}")
        self._move(known, OperationState.INTERRUPTED, undo_tries=0, not_before=0.0)
        return self._begin(self.operation(operation))

    def skip(self, operation: str, task: str, why: str) -> Operation:
        """Give up what an operation is stuck in: what this task cannot remove is owed, and the
        operation goes on here. `Conflict` unless it is stuck in this task."""
        return self._begin(self._desk.skip(operation, task, why))

    def abandon(self, operation: str, why: str) -> Operation:
        """End an operation that is stuck or parked: whatever it leaves is owed, and its instance
        is in error. `Conflict` for any other one, and if its guest has been active."""
        return self._desk.abandon(operation, why)

    def serve_until(
        self,
        stop: threading.Event,
        tick: "Callable[[Standing], object]" = _unheard,
        *,
        upkeep: bool = True,
    ) -> None:
        """Run whatever this store holds, of all projects and whoever submitted it, and keep
        reality like the wish, until `stop` is set or this controller is closed: that puts down
        what runs. `tick` is told how it stands, at once and every second. Without `upkeep`, which
        of several processes one has to do, it only runs operations; and those only if this
        controller `runs` any. `Forbidden` to who does not operate the deployment.
        """
        self.inventory.rights.operate()
        self._shop.worker.serve_until(stop, tick, upkeep=upkeep, run=self.runs)

    # How things stand.

    def graph(self, operation_or_flow: str) -> "Graph":
        """The graph of a flow by its name, or of an operation as it stands, by its id."""
        return self._shop.graphs.of_flow(operation_or_flow) or self._shop.graphs.of_operation(
            self.operation(operation_or_flow)
        )

    def console(self, instance: str, wait: "Wait") -> Iterator[bytes]:
        """What the guest writes to its serial console from now on, until `wait` ends."""
        known = self.instance(instance)
        if known.host_id is None:
            raise Conflict(f"instance {known.name!r} is on no host: it is {known.vm_state}")
        host = self.inventory.host(known.host_id)
        return self._means.backend.host(host.connection_uri).hypervisor.console(known.id, wait)

    def check(self) -> None:
        """Raise what anything would be refused with now: `StoreUnavailable`, or `StoreRestored`
        until that was accepted."""
        with self._database.read() as connection:
            self._shop.upkeep.history.check(connection)

    @property
    def upkeep(self) -> "Upkeep":
        """Audits and repairs, for those who operate the deployment; `Forbidden` to others."""
        self.inventory.rights.operate()
        return self._shop.upkeep

    def audit(self) -> Sequence[dict[str, Any]]:
        """What is not as it should be in the store and on hosts; changes nothing. See `upkeep`
        for repairs."""
        return self.upkeep.audit()

    def debts(self) -> Sequence[dict[str, Any]]:
        """Everything that is owed, the oldest first, as operators see it."""
        return self._desk.debts()

    def drop_debt(self, debt: str, why: str) -> None:
        """Have nobody pay this any more, as what is owed is not there, or never goes."""
        self._desk.drop_debt(debt, why)

    def pay_debts(self) -> int:
        """Make absent what is owed and due; returns how many debts remain."""
        self.inventory.rights.operate()
        return self._shop.worker.pay_debts()

    @property
    def overview(self) -> "Overview":
        """The deployment, and this process, in numbers, for those who operate it; `Forbidden`
        to others."""
        from vmwright.overview import Overview

        self.inventory.rights.operate()
        return Overview(self._stores, self.settings, self._shop.worker.standing)

    def feed(self) -> "Feed":
        """What happens in this store, whoever runs it, for any number of listeners. Close it."""
        from vmwright.feed import Feed

        return Feed(self._stores)

    def _write(self, work: Callable[[sa.Connection], T]) -> T:
        def checked(connection: sa.Connection) -> T:
            self._shop.upkeep.history.check(connection)
            return work(connection)

        return in_transaction(self._database, checked)

    def _end(self, instance: "InstanceId") -> Operation:
        """Delete what asked to end by itself, whosever it is."""
        return self._begin(self._write(lambda c: self._shop.door.end(c, instance)))

    def _begin(self, operation: Operation) -> Operation:
        """Also what it waits for: nobody else may be going to."""
        before = [] if operation.after_id is None else [operation.after_id]
        self._see_through([*before, operation.id])
        return operation

    def _see_through(
        self, operations: Sequence["OperationId"], builds: Iterable["Build"] = ()
    ) -> None:
        if self.runs:
            self._shop.worker.see_through(operations, builds)

    def _move(self, operation: Operation, state: OperationState, **values: object) -> None:
        with self._database.write() as connection:
            self._shop.upkeep.history.check(connection)
            self._stores.instances.refuse_taken(connection, operation.instance_id, operation.id)
            if not self._stores.operations.move_as_read(connection, operation, state, **values):
                raise Conflict(f"operation {operation.id} is {operation.state} no more")

    def _unfinished(self) -> Iterator[Sequence[Operation]]:
        after = 0
        while True:
            with self._database.read() as connection:
                page = self._stores.lists.operations(
                    connection,
                    project=self._caller.sees,
                    states=CLAIMABLE,
                    after=after,
                    limit=_PAGE,
                )
            if not page:
                return
            yield page
            after = page[-1].seq


def _single(request: "CreateRequest") -> "CreateRequest":
    from vmwright.admission.several import single

    return single(request)


def _only(reservations: Sequence["Reservation"]) -> Operation:
    ((operation,),) = (reservation.operations for reservation in reservations)
    return operation
