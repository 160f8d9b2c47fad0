"""What an embedder holds: takes requests in, runs them, and tells how they stand."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import sqlalchemy as sa
import tenacity

from vmwright.admission import Caller, Door, Reservation
from vmwright.admission.several import single
from vmwright.backends.file_images import FileImageStore, images_of
from vmwright.backends.loading import load_backend
from vmwright.descriptions import Descriptions
from vmwright.errors import Conflict, DeadlinePassed, StoreUnavailable
from vmwright.flows import NO_HOOKS, RECIPES, stored_flow
from vmwright.ids import InstanceId, OperationId
from vmwright.inventory import Inventory
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.persistence.deployment import deployment_of
from vmwright.persistence.failures import Duplicate
from vmwright.persistence.records import Event, Instance, Operation
from vmwright.persistence.stores import Stores
from vmwright.planning import Plan, Planner
from vmwright.reconcilers.audit import Audit
from vmwright.request import CreateRequest
from vmwright.settings import Settings
from vmwright.spec import Spec
from vmwright.states import CLAIMABLE, OperationState
from vmwright.tasks.placement import Placement
from vmwright.tasks.task import Means
from vmwright.views.graph import Graph, flow_graph, operation_graph
from vmwright.views.records import records_of
from vmwright.waiting import Wait
from vmwright.worker import Standing, Worker, unheard

T = TypeVar("T")

_GIB = 2**30
_POLL = 0.1
_PAGE = 500


class Controller:
    """Builds and deletes instances. Thread-safe; installs no signal handlers; logs to `vmwright`.

    A context manager: leaving it puts what runs down where it is, safely; any controller on the
    same store goes on with it. Threads start with the first operation that is run here, so open
    it after a fork, or only submit before one.
    """

    def __init__(
        self, settings: Settings, *, engine: sa.Engine | None = None, caller: Caller | None = None
    ) -> None:
        """Open the store, and the backend without asking any host.

        `engine` is a database engine of the caller's own, who closes it. Raises
        `StoreUnavailable`, `SchemaMismatch`, `PackageMissing` or `InvalidRequest`.
        """
        self.settings = settings
        self._caller = caller or Caller(
            project=settings.caller.project,
            user=settings.caller.user,
            roles=frozenset(settings.caller.roles),
        )
        self._closed = threading.Event()
        self._database = (
            Database.open(settings.database)
            if engine is None
            else Database.around(engine, settings.database)
        )
        schema_version.make_ready(self._database)
        self.deployment = deployment_of(self._database)
        self._stores = Stores.of(self._database, settings.state_dir / "key")
        images = FileImageStore(
            images_of(settings.state_dir, self.deployment), settings.max_image_gib * _GIB
        )
        self._means = Means(
            self._stores,
            load_backend(settings, self.deployment),
            images,
            Placement(self._stores, settings.scheduler),
        )
        self.inventory = Inventory(
            self._stores,
            self._means.backend,
            images,
            self.deployment,
            settings,
            caller=self._caller,
        )
        self._door = Door(self._means, settings, time.time)
        self._describe = Descriptions(self._stores)
        self._worker = Worker(self._means, self.deployment, settings, self._end, self.audit)

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
            if known.state is OperationState.PARKED:
                self._move(known, OperationState.INTERRUPTED)
            return [self._begin(self.operation(operation))]
        found = list(self._unfinished())
        self._worker.see_through(known.id for known in found)
        return found

    def retry(self, operation: str) -> Operation:
        """Try a stuck operation again from where it is stuck."""
        known = self.operation(operation)
        if known.state is not OperationState.STUCK:
            raise Conflict(f"operation {known.id} is not stuck: it is {known.state}")
        self._move(known, OperationState.INTERRUPTED, undo_tries=0, not_before=0.0)
        return self._begin(self.operation(operation))

    def serve_until(
        self, stop: threading.Event, tick: Callable[[Standing], object] = unheard
    ) -> None:
        """Run whatever this store holds, of all projects and whoever submitted it, and keep
        reality like the wish, until `stop` is set or this controller is closed: that puts down
        what runs. `tick` is told how it stands, at once and every second.
        """
        self._worker.serve_until(stop, tick)

    def wait(self, operation: str, timeout: float | None = None) -> Operation:
        """Return once nothing more happens to it by itself; `DeadlinePassed` at the timeout."""
        for _ in self._ticks(operation, timeout):
            known = self.operation(operation)
            if known.state not in CLAIMABLE:
                return known
        raise AssertionError("ticks end by an exception only")

    def watch(
        self, operation: str, *, after: int = 0, timeout: float | None = None
    ) -> Iterator[Event]:
        """What happens to an operation, whoever runs it, until nothing more does by itself.

        To go on later, pass the `seq` of the last event seen as `after`.
        """
        for _ in self._ticks(operation, timeout):
            # The state first: what is written before an end is then not missed.
            over = self.operation(operation).state not in CLAIMABLE
            while events := self._events(operation, after):
                yield from events
                after = events[-1].seq
            if over:
                return

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
            return self._describe.instance(connection, instance)

    def describe_operation(self, operation: Operation) -> dict[str, Any]:
        """An operation and what it owes, as users see it."""
        with self._database.read() as connection:
            return self._describe.operation(connection, operation)

    def graph(self, operation_or_flow: str) -> Graph:
        """The graph of a flow by its name, or of an operation as it stands, by its id."""
        for known in reversed(RECIPES):  # the newest version of a flow
            if known.name == operation_or_flow:
                return flow_graph(known.make(self._means, NO_HOOKS))
        operation = self.operation(operation_or_flow)
        hooks = Spec.from_store(self.instance_of(operation).request).hooks
        flow = stored_flow(operation.flow_name, operation.flow_version, self._means, hooks)
        with self._database.read() as connection:
            facts = self._describe.facts(connection, operation)
        return operation_graph(
            flow_graph(flow),
            records_of(map(_dated, self._all_events(operation.id))),
            facts,
            now=datetime.now(UTC),
        )

    def console(self, instance: str, wait: Wait) -> Iterator[bytes]:
        """What the guest writes to its serial console from now on, until `wait` ends."""
        known = self.instance(instance)
        if known.host_id is None:
            raise Conflict(f"instance {known.name!r} is on no host: it is {known.vm_state}")
        host = self.inventory.host(known.host_id)
        return self._means.backend.host(host.connection_uri).hypervisor.console(known.id, wait)

    def audit(self) -> Sequence[dict[str, Any]]:
        """What lies on hosts with our mark and should not; changes nothing."""
        audit = Audit(self._means, self.deployment, self.settings.operations.undo_deadline)
        return [leftover.to_store() for leftover in audit.leftovers()]

    def pay_debts(self) -> int:
        """Make absent what is owed and due; returns how many debts remain."""
        return self._worker.pay_debts()

    def _write(self, work: Callable[[sa.Connection], T]) -> T:
        """In a transaction; again if the database gave it up for another one, or if another
        one has just stored the answer under the same idempotency key."""
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((StoreUnavailable, Duplicate)),
            stop=tenacity.stop_after_attempt(3),
            reraise=True,
        )
        for attempt in retrying:
            with attempt, self._database.write() as connection:
                accepted = work(connection)
        self._worker.nudge()
        return accepted

    def _check(self, requests: Sequence[CreateRequest]) -> bool:
        """Refuse what can be refused before a host is asked, or registered. Returns whether
        anything is to be built that was not accepted before."""
        with self._database.read() as connection:
            new = [self._door.check(connection, request, self._caller) for request in requests]
        return any(new)

    def _accept(self, requests: Sequence[CreateRequest]) -> Sequence[Reservation]:
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
            if not self._stores.operations.move(connection, operation.id, state, **values):
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

    def _events(self, operation: str, after: int) -> Sequence[Event]:
        with self._database.read() as connection:
            return self._stores.operations.events(
                connection, OperationId(operation), after=after, limit=_PAGE
            )

    def _all_events(self, operation: str) -> list[Event]:
        found: list[Event] = []
        while page := self._events(operation, found[-1].seq if found else 0):
            found += page
        return found

    def _ticks(self, operation: str, timeout: float | None) -> Iterator[None]:
        ends = None if timeout is None else time.monotonic() + timeout
        while True:
            yield
            if ends is not None and time.monotonic() >= ends:
                raise DeadlinePassed(
                    f"operation {operation} has not ended within {timeout:g} seconds",
                    hint=f"it goes on; see: vmwright operation show {operation}",
                )
            if self._closed.wait(_POLL):
                raise Conflict(
                    f"operation {operation} is waited for no more: this controller was closed",
                    hint="any other controller on its store goes on with it",
                )


def _only(reservations: Sequence[Reservation]) -> Operation:
    ((operation,),) = (reservation.operations for reservation in reservations)
    return operation


def _dated(event: Event) -> dict[str, Any]:
    return event.values() | {"seq": event.seq, "at": datetime.fromtimestamp(event.at, UTC)}
