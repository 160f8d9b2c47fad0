"""What can be said of a store without running anything: how its instances and operations stand."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa

from vmwright.admission import Caller
from vmwright.descriptions import Descriptions
from vmwright.errors import NotFound
from vmwright.ids import HostId, InstanceId, OperationId
from vmwright.news import News
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.persistence.deployment import deployment_of
from vmwright.persistence.records import Event, Instance, Operation
from vmwright.persistence.searching import Found, Wanted
from vmwright.persistence.stores import Stores
from vmwright.settings import Settings
from vmwright.states import STANDING_STILL, OperationState, VmState
from vmwright.watching import Watch

if TYPE_CHECKING:
    from vmwright.giving_up import GivingUp
    from vmwright.tasks.means import Means

_PAGE = 500


class Reader:
    """Tells how things stand. Thread-safe; begins nothing, and asks no host.

    It knows flows, tasks and the backend only where something stands still: what that holds, its
    tasks say. Whoever just looks loads none of them.
    """

    def __init__(
        self, settings: Settings, *, engine: sa.Engine | None = None, caller: Caller | None = None
    ) -> None:
        """Open the store; an SQLite file that is not there is made.

        `engine` is a database engine of the caller's own, who closes it. Raises
        `StoreUnavailable`, `SchemaMismatch`, `PackageMissing` or `InvalidRequest`.
        """
        self.settings = settings
        self._closed = threading.Event()
        self._opened = ExitStack()
        self._database = (
            Database.open(settings.database)
            if engine is None
            else Database.around(engine, settings.database)
        )
        self._opened.callback(self._database.close)
        schema_version.make_ready(self._database)
        self.deployment = deployment_of(self._database)
        self._stores = Stores.of(self._database, settings.state_dir / "key")
        self._news = News()
        self._describe = Descriptions(self._stores)
        self._speak_for(caller or Caller.of(settings.caller))

    def _speak_for(self, caller: Caller) -> None:
        self._caller = caller
        lease = self.settings.operations.lease
        self._watch = Watch(self._stores, self.operation, self._closed, lease, self._news)

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
        """Let go of the store."""
        self._stop_waiting()
        self._opened.close()

    def _stop_waiting(self) -> None:
        self._closed.set()
        self._news.no_more()

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return self._caller

    @property
    def sees(self) -> str | None:
        """The only project whose things are there for the caller; None: every project's."""
        return self._caller.sees

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

    def operation(self, operation: str) -> Operation:
        with self._database.read() as connection:
            return self._stores.operations.get(
                connection, OperationId(operation), project=self._caller.sees
            )

    def operations(
        self,
        states: Iterable[OperationState] = tuple(OperationState),
        *,
        before: str | None = None,
        limit: int = 1000,
    ) -> Sequence[Operation]:
        """Operations in these states, oldest first: the newest `limit` of them, or of those that
        were submitted before the operation with the id `before`."""
        known = None if before is None else self.operation(before)
        with self._database.read() as connection:
            return self._stores.lists.newest_operations(
                connection,
                project=self._caller.sees,
                states=states,
                before=None if known is None else known.seq,
                limit=limit,
            )

    def find_operations(
        self,
        states: Iterable[OperationState] = tuple(OperationState),
        *,
        kind: str | None = None,
        instance: str | None = None,
        text: str | None = None,
        host: str | None = None,
        before: str | None = None,
        limit: int = 1000,
    ) -> Found:
        """A page of operations, oldest first: the newest `limit` that fit, or of those that were
        submitted before the operation with the id `before`.

        `instance` is a name or id, `text` part of an instance's name or a whole id, `host` the
        name or id of where the latest attempt is. However many do not fit, a page does not look
        at more than a few thousand: it may be short, and say where to go on all the same.
        """
        known = None if before is None else self.operation(before)
        wanted = Wanted(
            project=self._caller.sees,
            states=states,
            kind=kind,
            instance=None if instance is None else self._id_of(instance),
            text=text,
            host=None if host is None else self._host(host),
        )
        with self._database.read() as connection:
            return self._stores.search.operations(
                connection, wanted, before=None if known is None else known.seq, limit=limit
            )

    def operation_counts(self) -> Mapping[OperationState, int]:
        """How many operations are in each state; of those that have ended, among the newest ten
        thousand only."""
        with self._database.read() as connection:
            return self._stores.search.counts(connection, self._caller.sees)

    def instance(self, name_or_id: str) -> Instance:
        with self._database.read() as connection:
            return self._stores.instances.find(connection, name_or_id, project=self._caller.sees)

    def instance_of(self, operation: Operation) -> Instance:
        """The instance of an operation, also after it was deleted."""
        with self._database.read() as connection:
            return self._stores.instances.get(connection, operation.instance_id)

    def as_they_stand(self, operations: Iterable[Operation]) -> Sequence[Operation]:
        """The same operations, read once more."""
        wanted = [one.id for one in operations]
        with self._database.read() as connection:
            known = self._stores.operations.several(connection, wanted)
        return [known[one] for one in wanted]

    def instances_of(self, operations: Iterable[Operation]) -> Sequence[Instance]:
        """The instance of each of these, also after it was deleted."""
        wanted = [one.instance_id for one in operations]
        with self._database.read() as connection:
            known = self._stores.instances.several(connection, wanted)
        return [known[one] for one in wanted]

    def instances(
        self, reservation: str | None = None, *, after: str | None = None, limit: int | None = None
    ) -> Sequence[Instance]:
        """Every living instance that the caller may see, or those of one request, oldest first;
        with a limit so many of them, after the one with the id `after`."""
        return [one for page in self.pages(reservation, after=after, limit=limit) for one in page]

    def pages(
        self, reservation: str | None = None, *, after: str | None = None, limit: int | None = None
    ) -> Iterator[Sequence[Instance]]:
        """As `instances`, a few hundred at a time."""
        last, left = 0 if after is None else self._place_of(after), limit
        while left is None or left > 0:
            wanted = _PAGE if left is None else min(_PAGE, left)
            with self._database.read() as connection:
                page = self._stores.instances.page(
                    connection,
                    project=self._caller.sees,
                    reservation=reservation,
                    after=last,
                    limit=wanted,
                )
            if page:
                yield page
            if len(page) < wanted:
                return
            last, left = page[-1].seq, None if left is None else left - len(page)

    def find_instances(
        self,
        *,
        text: str | None = None,
        vm_state: VmState | None = None,
        host: str | None = None,
        reservation: str | None = None,
        after: str | None = None,
        limit: int = 1000,
    ) -> Sequence[Instance]:
        """So many living instances that fit, oldest first, after the one with the id `after`.
        `text` is part of the name or a whole id, `host` a name or id."""
        where = None if host is None else self._host(host)
        with self._database.read() as connection:
            return self._stores.instances.page(
                connection,
                project=self._caller.sees,
                reservation=reservation,
                after=0 if after is None else self._place_of(after),
                limit=limit,
                which=self._stores.search.instances_like(text=text, vm_state=vm_state, host=where),
            )

    def _host(self, name_or_id: str) -> HostId:
        with self._database.read() as connection:
            return self._stores.registries.hosts.find(connection, name_or_id).id

    def _id_of(self, instance: str) -> InstanceId:
        """Of a living instance its name will do; what was deleted has only its id."""
        with self._database.read() as connection:
            known = self._stores.instances.known(connection, InstanceId(instance))
        return known.id if known is not None else self.instance(instance).id

    def _place_of(self, instance: str) -> int:
        """Where lists go on behind an instance, also a deleted one."""
        with self._database.read() as connection:
            known = self._stores.instances.get(connection, InstanceId(instance))
        if self._caller.sees not in (None, known.project_id):
            raise NotFound(f"no instance {instance!r}", hint="see: vmwright list")
        return known.seq

    def describe_instance(self, instance: Instance) -> dict[str, Any]:
        """An instance with everything that belongs to it, as users see it."""
        (described,) = self.describe_instances([instance])
        return described

    def describe_instances(self, instances: Sequence[Instance]) -> list[dict[str, Any]]:
        """A page of them, in a fixed number of statements; and what those hold that wait for an
        operation that stands still."""
        with self._database.read() as connection:
            described = self._describe.instances(connection, instances)
            running = {one.operation_id for one in instances if one.operation_id is not None}
            known = self._stores.operations.several(connection, running) if running else {}
            for one, told in zip(instances, described, strict=True):
                operation = known.get(one.operation_id) if one.operation_id else None
                told["held"] = [] if operation is None else self._held(connection, operation)
        return described

    def describe_operation(self, operation: Operation) -> dict[str, Any]:
        """An operation, what it owes, and what it holds if it stands still, as users see it."""
        (described,) = self.describe_operations([operation])
        return described

    def describe_operations(self, operations: Sequence[Operation]) -> list[dict[str, Any]]:
        """As `describe_instances`."""
        with self._database.read() as connection:
            described = self._describe.operations(connection, operations)
            for one, told in zip(operations, described, strict=True):
                told["held"] = self._held(connection, one)
        return described

    def _held(self, connection: sa.Connection, operation: Operation) -> list[dict[str, Any]]:
        """What an operation that stands still holds; see `GivingUp.held`."""
        if operation.state not in STANDING_STILL:
            return []
        return self._giving_up.held(connection, operation)

    @cached_property
    def _giving_up(self) -> "GivingUp":
        from vmwright.giving_up import GivingUp

        return GivingUp(self._means, self.deployment, self.settings.operations)

    @cached_property
    def _means(self) -> "Means":
        means = self._open_means()
        self._opened.callback(means.backend.close)
        return means

    def _open_means(self) -> "Means":
        from vmwright.means import means_of

        return means_of(self._stores, self.settings, self.deployment)
