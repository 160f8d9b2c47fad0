"""What an embedder holds: takes requests in, runs them, and tells how they stand."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import sqlalchemy as sa

from vmwright.admission import Caller, Door, Reservation
from vmwright.admission.several import single, with_key
from vmwright.backends.file_images import FileImageStore, images_of
from vmwright.backends.loading import load_backend
from vmwright.descriptions import Descriptions
from vmwright.errors import Conflict
from vmwright.graphs import Graphs
from vmwright.ids import InstanceId, OperationId
from vmwright.inventory import Inventory
from vmwright.operator import Operator
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.persistence.deployment import deployment_of
from vmwright.persistence.records import Event, Instance, Operation
from vmwright.persistence.retrying import in_transaction
from vmwright.persistence.stores import Stores
from vmwright.planning import Plan, Planner
from vmwright.reconcilers.upkeep import Upkeep
from vmwright.request import CreateRequest
from vmwright.settings import Settings
from vmwright.states import CLAIMABLE, OperationState
from vmwright.tasks.placement import Placement
from vmwright.tasks.task import Means
from vmwright.views.graph import Graph
from vmwright.waiting import Wait
from vmwright.watching import Watch
from vmwright.worker import Standing, Worker, unheard

T = TypeVar("T")

_GIB = 2**30
_PAGE = 500


class Controller:
    """Builds and deletes instances. Thread-safe; installs no signal handlers; logs to `vmwright`.

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
        watch: Callable[[Means], Means] | None = None,
    ) -> None:
        """Open the store, and the backend without asking any host.

        `engine` is a database engine of the caller's own, who closes it. `watch` may put something
        around the means (`vmwright.testing.points`). Raises `StoreUnavailable`, `SchemaMismatch`,
        `PackageMissing` or `InvalidRequest`.
        """
        self.settings = settings
        self._caller = caller or Caller.of(settings.caller)
        self._closed = threading.Event()
        self._database = (
            Database.open(settings.database)
            if engine is None
            else Database.around(engine, settings.database)
        )
        schema_version.make_ready(self._database)
        self.deployment = deployment_of(self._database)
        self._stores = Stores.of(self._database, settings.state_dir / "key")
        means = self._means_of(settings)
        self._means = watch(means) if watch else means
        self._upkeep = Upkeep(self._means, self.deployment, settings)
        self.inventory = Inventory(
            self._stores,
            self._means.backend,
            self._means.images,
            self.deployment,
            settings,
            caller=self._caller,
        )
        self._door = Door(self._means, settings, time.time)
        self._watch = Watch(self._stores, self.operation, self._closed, settings.operations.lease)
        self._describe = Descriptions(self._stores)
        self._graphs = Graphs(self._means, self._describe)
        self._operator = Operator(
            self._means, self.deployment, settings, self._caller, self._upkeep
        )
        self._worker = Worker(self._means, self.deployment, settings, self._end, self._upkeep)

    def _means_of(self, settings: Settings) -> Means:
        images = images_of(settings.state_dir, self.deployment)
        return Means(
            self._stores,
            load_backend(settings, self.deployment),
            FileImageStore(images, settings.max_image_gib * _GIB),
            Placement(self._stores, settings.scheduler),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Put down what runs, and let go of threads, hosts and the database."""
        self._closed.set()
        self._worker.close()
        self._means.backend.close()
        self._database.close()

    # Operations.

    def create(self, request: CreateRequest) -> Operation:
        """Accept the build of one instance and begin it here; as `create_all`."""
        return _only(self.create_all(single(request)))

    def create_all(self, *requests: CreateRequest) -> Sequence[Reservation]:
        """Accept builds, all of them or none, and begin them here, side by side.

        Returns one reservation for each request. `Unavailable` if no host of ours answers.
        """
        if self._check(requests):
            self.inventory.ensure_default_host()
            self.inventory.ensure_some_host_answers(self.settings.operations.undo_deadline)
        reservations = self._accept(requests)
        self._worker.see_through(
            operation.id for reservation in reservations for operation in reservation.operations
        )
        return reservations

    def submit(self, request: CreateRequest) -> Operation:
        """Accept the build of one instance; as `submit_all`."""
        return _only(self.submit_all(single(request)))

    def submit_all(self, *requests: CreateRequest) -> Sequence[Reservation]:
        """Accept builds, all or none, and leave them to whoever resumes work of this store."""
        if self._check(requests):
            self.inventory.ensure_default_host()
        return self._accept(requests)

    def plan(self, *requests: CreateRequest) -> Sequence[Plan]:
        """What `create_all` would do now, a plan for each instance; raises what it would raise.

        Nothing is stored, and no host is asked.
        """
        return Planner(self._means, self.deployment, self._door).plans(requests, self._caller)

    def delete(self, instance: str) -> Operation:
        """Accept the end of an instance, by name or id, and begin it here.

        A build that still runs is asked to stop; one whose process is dead is taken back here.
        """
        self._upkeep.learn_of_guest(self.instance(instance))
        return self._begin(self._write(lambda c: self._door.delete(c, instance, self._caller)))

    def cancel(self, operation: str, reason: str = "asked by the user") -> Operation:
        """Have a build taken back, wherever it runs; here, if its process is dead."""
        return self._begin(
            self._write(lambda c: self._door.cancel(c, operation, reason, self._caller))
        )

    def resume(self, operation: str | None = None) -> Sequence[Operation]:
        """Take up what nobody runs: everything that is unfinished, or this operation.

        Returns what is unfinished. What a living process runs is left to it.
        """
        if operation is not None:
            known = self.operation(operation)
            self.inventory.rights.run(known.project_id)
            if known.state is OperationState.PARKED:
                self._upkeep.refuse_to_touch_guest(known)
                self._move(known, OperationState.INTERRUPTED)
            return [self._begin(self.operation(operation))]
        found = list(self._unfinished())
        self.inventory.rights.run(*{known.project_id for known in found})
        self._worker.see_through(known.id for known in found)
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
        return self._begin(self._operator.skip(operation, task, why))

    def abandon(self, operation: str, why: str) -> Operation:
        """End an operation that is stuck or parked: whatever it leaves is owed, and its instance
        is in error. `Conflict` for any other one, and if its guest has been active."""
        return self._operator.abandon(operation, why)

    def serve_until(
        self, stop: threading.Event, tick: Callable[[Standing], object] = unheard
    ) -> None:
        """Run whatever this store holds, of all projects and whoever submitted it, and keep
        reality like the wish, until `stop` is set or this controller is closed: that puts down
        what runs. `tick` is told how it stands, at once and every second. `Forbidden` to who does
        not operate the deployment.
        """
        self.inventory.rights.operate()
        self._worker.serve_until(stop, tick)

    def wait(self, operation: str, timeout: float | None = None) -> Operation:
        """Return once nothing more happens to it by itself; `DeadlinePassed` at the timeout."""
        return self._watch.wait(operation, timeout)

    def watch(
        self, operation: str, *, after: int = 0, timeout: float | None = None
    ) -> Iterator[Event]:
        """What happens to an operation, whoever runs it, until nothing more does by itself.

        To go on later, pass the `seq` of the last event seen as `after`.
        """
        return self._watch.events(operation, after=after, timeout=timeout)

    # How things stand.

    def operation(self, operation: str) -> Operation:
        with self._database.read() as connection:
            return self._stores.operations.get(
                connection, OperationId(operation), project=self._caller.sees
            )

    def operations(
        self, states: Iterable[OperationState] = tuple(OperationState)
    ) -> Sequence[Operation]:
        """Operations in these states, oldest first; the newest thousand."""
        with self._database.read() as connection:
            return self._stores.operations.newest(
                connection, project=self._caller.sees, states=states
            )

    def instance(self, name_or_id: str) -> Instance:
        with self._database.read() as connection:
            return self._stores.instances.find(connection, name_or_id, project=self._caller.sees)

    def instance_of(self, operation: Operation) -> Instance:
        """The instance of an operation, also after it was deleted."""
        with self._database.read() as connection:
            return self._stores.instances.get(connection, operation.instance_id)

    def instances(self, reservation: str | None = None) -> Sequence[Instance]:
        """Every living instance that the caller may see, or those of one request, oldest first."""
        found: list[Instance] = []
        with self._database.read() as connection:
            while page := self._stores.instances.page(
                connection,
                project=self._caller.sees,
                reservation=reservation,
                after=found[-1].seq if found else 0,
                limit=_PAGE,
            ):
                found += page
        return found

    def describe_instance(self, instance: Instance) -> dict[str, Any]:
        """An instance with everything that belongs to it, as users see it."""
        with self._database.read() as connection:
            held = self._operator.held_by(connection, instance)
            return self._describe.instance(connection, instance) | {"held": held}

    def describe_operation(self, operation: Operation) -> dict[str, Any]:
        """An operation, what it owes, and what it holds if it stands still, as users see it."""
        with self._database.read() as connection:
            held = self._operator.held(connection, operation)
            return self._describe.operation(connection, operation) | {"held": held}

    def graph(self, operation_or_flow: str) -> Graph:
        """The graph of a flow by its name, or of an operation as it stands, by its id."""
        return self._graphs.of_flow(operation_or_flow) or self._graphs.of_operation(
            self.operation(operation_or_flow)
        )

    def console(self, instance: str, wait: Wait) -> Iterator[bytes]:
        """What the guest writes to its serial console from now on, until `wait` ends."""
        known = self.instance(instance)
        if known.host_id is None:
            raise Conflict(f"instance {known.name!r} is on no host: it is {known.vm_state}")
        host = self.inventory.host(known.host_id)
        return self._means.backend.host(host.connection_uri).hypervisor.console(known.id, wait)

    @property
    def upkeep(self) -> Upkeep:
        """Audits and repairs, for those who operate the deployment; `Forbidden` to others."""
        self.inventory.rights.operate()
        return self._upkeep

    def audit(self) -> Sequence[dict[str, Any]]:
        """What is not as it should be in the store and on hosts; changes nothing. See `upkeep`
        for repairs."""
        return self.upkeep.audit()

    def debts(self) -> Sequence[dict[str, Any]]:
        """Everything that is owed, the oldest first, as operators see it."""
        return self._operator.debts()

    def drop_debt(self, debt: str, why: str) -> None:
        """Have nobody pay this any more, as what is owed is not there, or never goes."""
        self._operator.drop_debt(debt, why)

    def pay_debts(self) -> int:
        """Make absent what is owed and due; returns how many debts remain."""
        self.inventory.rights.operate()
        return self._worker.pay_debts()

    def _write(self, work: Callable[[sa.Connection], T]) -> T:
        def checked(connection: sa.Connection) -> T:
            self._upkeep.history.check(connection)
            return work(connection)

        accepted = in_transaction(self._database, checked)
        self._worker.nudge()
        return accepted

    def _check(self, requests: Sequence[CreateRequest]) -> bool:
        """Refuse what can be refused before a host is asked, or registered. Returns whether
        anything is to be built that was not accepted before."""
        with self._database.read() as connection:
            new = [self._door.check(connection, request, self._caller) for request in requests]
        return any(new)

    def _accept(self, wishes: Sequence[CreateRequest]) -> Sequence[Reservation]:
        requests = [with_key(wish) for wish in wishes]
        return self._write(
            lambda connection: [
                self._door.create(connection, request, self._caller) for request in requests
            ]
        )

    def _end(self, instance: InstanceId) -> Operation:
        """Delete what asked to end by itself, whosever it is."""
        return self._begin(self._write(lambda c: self._door.end(c, instance)))

    def _begin(self, operation: Operation) -> Operation:
        """Also what it waits for: nobody else may be going to."""
        before = [] if operation.after_id is None else [operation.after_id]
        self._worker.see_through([*before, operation.id])
        return operation

    def _move(self, operation: Operation, state: OperationState, **values: object) -> None:
        with self._database.write() as connection:
            self._upkeep.history.check(connection)
            self._stores.instances.refuse_taken(connection, operation.instance_id, operation.id)
            if not self._stores.operations.move_as_read(connection, operation, state, **values):
                raise Conflict(f"operation {operation.id} is {operation.state} no more")

    def _unfinished(self) -> Iterator[Operation]:
        after = 0
        while True:
            with self._database.read() as connection:
                page = self._stores.operations.page(
                    connection,
                    project=self._caller.sees,
                    states=CLAIMABLE,
                    after=after,
                    limit=_PAGE,
                )
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].seq


def _only(reservations: Sequence[Reservation]) -> Operation:
    ((operation,),) = (reservation.operations for reservation in reservations)
    return operation
