"""What a program holds that works through a service, as one that embeds does a controller."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from vmwright.client.accepted import Reservation, known_again, reservation_of, single, written
from vmwright.client.connection import Connection
from vmwright.client.following import Following
from vmwright.client.found import Found, found_in, instances_in, operations_in
from vmwright.client.reading import named, read
from vmwright.resources.instance import Accepted, Instance
from vmwright.resources.operation import Event, Operation, OperationCounts
from vmwright.resources.upkeep import OwedThing, Remaining
from vmwright.states import OperationState, VmState

if TYPE_CHECKING:
    from vmwright.client.inventory import Inventory
    from vmwright.client.plan import Plan
    from vmwright.client.upkeep import Upkeep
    from vmwright.request import CreateRequest
    from vmwright.views.graph import Graph
    from vmwright.waiting import Wait

_PAGE = 500
_AGAIN = 5.0
"""Seconds for which a request is made again that a service does not answer that was there."""
_LONG = 600.0
"""Seconds for what asks hosts, one after the other."""


class Client:
    """A service of vmwright, with the methods of a `Controller`. Thread-safe.

    What comes back are resources: they have the fields that users see, under the same names. What
    is raised is what a controller raises; `Unavailable` if the service does not answer,
    `Unauthenticated` if it does not know the token. A context manager: leaving it ends nothing but
    the connection, and what the service runs goes on.
    """

    def __init__(
        self,
        endpoint: str,
        token: str,
        *,
        insecure: bool = False,
        timeout: float = 60.0,
        patience: float = 60.0,
    ) -> None:
        """`endpoint` is such as ``http://127.0.0.1:8765``. Nothing is asked yet.

        `InvalidRequest` for what is no address, and unless `insecure` for one to which the token
        would go in clear over a network. `timeout` is in seconds, for one answer. `watch` and
        `wait` go on where a service is away for at most `patience` seconds.
        """
        self._patience = patience
        self._connection = Connection(
            endpoint, token, insecure=insecure, timeout=timeout, patience=min(_AGAIN, patience)
        )

    def __repr__(self) -> str:
        return f"<Client of {self.endpoint}>"

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
        """Let go of the service; whatever waits for it in other threads ends. May be repeated."""
        self._connection.close()

    @property
    def endpoint(self) -> str:
        """The address of the service."""
        return self._connection.endpoint

    @cached_property
    def inventory(self) -> "Inventory":
        """What builds choose from."""
        from vmwright.client.inventory import Inventory

        return Inventory(self._connection)

    # Operations.

    def create(self, request: "CreateRequest") -> Operation:
        """Accept the build of one instance and begin it there; as `create_all`."""
        return _only(self.create_all(single(request)))

    def create_all(self, *requests: "CreateRequest") -> Sequence[Reservation]:
        """Accept builds, all of them or none, and begin them there, side by side.

        Returns one reservation for each request. Nothing is built twice, also where an answer is
        lost. `Unavailable` if no host of theirs answers.
        """
        return self._accepted(requests, begin=True)

    def submit(self, request: "CreateRequest") -> Operation:
        """Accept the build of one instance; as `submit_all`."""
        return _only(self.submit_all(single(request)))

    def submit_all(self, *requests: "CreateRequest") -> Sequence[Reservation]:
        """Accept builds, all or none, and leave them to whoever serves the store."""
        return self._accepted(requests, begin=False)

    def plan(self, *requests: "CreateRequest") -> "Sequence[Plan]":
        """What `create_all` would do now, a plan for each instance; raises what it would raise."""
        from vmwright.client.plan import Plan

        body = {"requests": [written(request) for request in requests]}
        answer = self._connection.ask("POST", "plan", body=body, again=True)
        return read(list[Plan], answer)

    def delete(self, instance: str) -> Operation:
        """Accept the end of an instance, by name or id, and begin it there."""
        answer = self._connection.ask("DELETE", f"instances/{named(instance)}", timeout=_LONG)
        return read(Operation, answer)

    def cancel(self, operation: str, reason: str = "asked by the user") -> Operation:
        """Have a build taken back, wherever it runs."""
        return self._verb(operation, "cancel", {"reason": reason})

    def resume(self, operation: str | None = None) -> Sequence[Operation]:
        """Have taken up what nobody runs: everything that is unfinished, or this operation.

        Returns what is unfinished.
        """
        if operation is not None:
            return [self._verb(operation, "resume")]
        answer = self._connection.ask("POST", "resume", again=True, timeout=_LONG)
        return operations_in(answer)

    def retry(self, operation: str) -> Operation:
        """Have a stuck operation tried again from where it is stuck."""
        return self._verb(operation, "retry")

    def skip(self, operation: str, task: str, why: str) -> Operation:
        """Give up what an operation is stuck in: what this task cannot remove is owed, and the
        operation goes on. `Conflict` unless it is stuck in this task."""
        return self._verb(operation, "skip", {"task": task, "why": why})

    def abandon(self, operation: str, why: str) -> Operation:
        """End an operation that is stuck or parked: whatever it leaves is owed, and its instance
        is in error. `Conflict` for any other one, and if its guest has been active."""
        return self._verb(operation, "abandon", {"why": why})

    # How things stand.

    def wait(self, operation: str, timeout: float | None = None) -> Operation:
        """Return once nothing more happens to it by itself; `DeadlinePassed` at the timeout."""
        for _ in self.watch(operation, timeout=timeout):
            pass
        return self.operation(operation)

    def watch(
        self, operation: str, *, after: int = 0, timeout: float | None = None
    ) -> Iterator[Event]:
        """What happens to an operation, whoever runs it, until nothing more does by itself. A
        line that breaks is made anew; nothing is left out then, and nothing told twice.

        To go on later, pass the `seq` of the last event seen as `after`.
        """
        return Following(
            self._connection,
            named(operation),
            after=after,
            timeout=timeout,
            patience=self._patience,
        ).events()

    def operation(self, operation: str) -> Operation:
        answer = self._connection.get(f"operations/{named(operation)}")
        return read(Operation, answer)

    def operations(
        self,
        states: Iterable[OperationState] = tuple(OperationState),
        *,
        before: str | None = None,
        limit: int = 1000,
    ) -> Sequence[Operation]:
        """Operations in these states, oldest first: the newest `limit` of them, or of those that
        were submitted before the operation with the id `before`."""
        wanted, found = list(states), list[Operation]()
        while len(found) < limit:
            size = min(_PAGE, limit - len(found))
            page = self.find_operations(wanted, before=before, limit=size)
            found = [*page.operations, *found]
            if page.before is None:
                break
            before = page.before
        return found

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
        name or id of where the latest attempt is. A page may be short, and another one follow.
        """
        wanted = [str(state) for state in states]
        if not wanted:
            return Found(operations=[], before=None)
        answer = self._connection.get(
            "operations",
            state=wanted,
            kind=kind,
            instance=instance,
            text=text,
            host=host,
            before=before,
            limit=limit,
        )
        return found_in(answer)

    def operation_counts(self) -> Mapping[OperationState, int]:
        """How many operations are in each state; of those that have ended, among the newest ten
        thousand only."""
        answer = self._connection.get("operations/counts")
        return read(OperationCounts, answer).states

    def instance(self, name_or_id: str) -> Instance:
        answer = self._connection.get(f"instances/{named(name_or_id)}")
        return read(Instance, answer)

    def instance_of(self, operation: Operation) -> Instance:
        """The instance of an operation, also after it was deleted."""
        answer = self._connection.get(f"operations/{named(operation.id)}/instance")
        return read(Instance, answer)

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
        left = limit
        while left is None or left > 0:
            size = _PAGE if left is None else min(_PAGE, left)
            answer = self._connection.get(
                "instances", reservation=reservation, after=after, limit=size
            )
            page, after = instances_in(answer)
            if page:
                yield page
            if after is None:
                return
            left = None if left is None else left - len(page)

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
        answer = self._connection.get(
            "instances",
            text=text,
            vm_state=None if vm_state is None else str(vm_state),
            host=host,
            reservation=reservation,
            after=after,
            limit=limit,
        )
        page, _ = instances_in(answer)
        return page

    def describe_instance(self, instance: Instance) -> dict[str, Any]:
        """An instance with everything that belongs to it, as users see it."""
        return instance.model_dump(mode="json")

    def describe_instances(self, instances: Sequence[Instance]) -> list[dict[str, Any]]:
        """A page of them."""
        return [self.describe_instance(one) for one in instances]

    def describe_operation(self, operation: Operation) -> dict[str, Any]:
        """An operation, what it owes, and what it holds if it stands still, as users see it."""
        return operation.model_dump(mode="json")

    def describe_operations(self, operations: Sequence[Operation]) -> list[dict[str, Any]]:
        """As `describe_instances`."""
        return [self.describe_operation(one) for one in operations]

    def graph(self, operation_or_flow: str) -> "Graph":
        """The graph of a flow by its name, or of an operation as it stands, by its id."""
        from vmwright.errors import NotFound
        from vmwright.views.from_json import graph_of

        try:
            answer = self._connection.get(f"operations/{named(operation_or_flow)}/graph")
        except NotFound:
            answer = self._connection.get(f"flows/{named(operation_or_flow)}/graph")
        return graph_of(answer.json())

    def console(self, instance: str, wait: "Wait") -> Iterator[bytes]:
        """What the guest writes to its serial console from now on, until `wait` ends."""
        path = f"instances/{named(instance)}/console"
        left = wait.remaining()
        with self._connection.stream(path, silence=left + _AGAIN, timeout=left) as answer:
            yield from answer.iter_raw()

    @cached_property
    def upkeep(self) -> "Upkeep":
        """Audits and repairs, for those who operate the deployment; `Forbidden` to others."""
        from vmwright.client.upkeep import Upkeep

        return Upkeep(self._connection)

    def audit(self) -> Sequence[dict[str, Any]]:
        """What is not as it should be in the store and on hosts; changes nothing. See `upkeep`
        for repairs."""
        return self.upkeep.audit()

    def debts(self) -> Sequence[dict[str, Any]]:
        """Everything that is owed, the oldest first, as operators see it."""
        owed = read(list[OwedThing], self._connection.get("debts"))
        return [one.model_dump(mode="json") for one in owed]

    def drop_debt(self, debt: str, why: str) -> None:
        """Have nobody pay this any more, as what is owed is not there, or never goes."""
        self._connection.delete(f"debts/{named(debt)}", why=why)

    def pay_debts(self) -> int:
        """Have made absent what is owed and due; returns how many debts remain."""
        answer = self._connection.ask("POST", "debts/pay", again=True, timeout=_LONG)
        return read(Remaining, answer).debts

    def _accepted(
        self, requests: "Sequence[CreateRequest]", *, begin: bool
    ) -> Sequence[Reservation]:
        if not requests:
            return []
        body = {"requests": [known_again(request) for request in requests]}
        query = {"begin": begin}
        answer = self._connection.ask("POST", "reservations", body=body, query=query, again=True)
        return [reservation_of(one) for one in read(list[Accepted], answer)]

    def _verb(self, operation: str, verb: str, body: object = None) -> Operation:
        path = f"operations/{named(operation)}/{verb}"
        answer = self._connection.ask("POST", path, body=body, timeout=_LONG)
        return read(Operation, answer)


def _only(reservations: Sequence[Reservation]) -> Operation:
    ((operation,),) = (reservation.operations for reservation in reservations)
    return operation
