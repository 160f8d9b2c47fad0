"""Graphs of flows, and of operations as they stand."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from vmwright.descriptions import Descriptions
from vmwright.flows import NO_HOOKS, RECIPES, stored_flow
from vmwright.persistence.records import Debt, Event, Operation
from vmwright.spec import Spec
from vmwright.tasks.task import Means
from vmwright.views.graph import Graph, OperationFacts, flow_graph, operation_graph
from vmwright.views.records import records_of

_PAGE = 500


class Graphs:
    """What a picture is drawn from."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._stores = means.stores
        self._describe = Descriptions(means.stores)

    def of_flow(self, name: str) -> "Graph | None":
        """The newest version of a flow, by its name or kind; None if there is none."""
        for known in reversed(RECIPES):
            if name in (known.name, known.kind):
                return flow_graph(known.make(self._means, NO_HOOKS))
        return None

    def of_operation(self, operation: Operation) -> Graph:
        """Also with its ``events``, and the time ``now`` as of which it is drawn. `UnknownFlow` for
        an operation of a flow that is not known here."""
        database = self._stores.database
        with database.read() as connection:
            instance = self._stores.instances.get(connection, operation.instance_id)
            debts = self._stores.debts.of_operation(connection, operation.id)
            described = self._describe.operation(connection, operation)
        hooks = Spec.from_store(instance.request).hooks
        flow = stored_flow(operation.flow_name, operation.flow_version, self._means, hooks)
        now, events = datetime.now(UTC), self._events(operation)
        drawn = operation_graph(
            flow_graph(flow),
            records_of(map(_dated, events)),
            _facts_of(operation, debts, described),
            now=now,
        )
        # For those who draw it further themselves, as more is told.
        drawn.graph.update(events=events, now=now)
        return drawn

    def _events(self, operation: Operation) -> list[Event]:
        found: list[Event] = []
        while page := self._page(operation, found[-1].seq if found else 0):
            found += page
        return found

    def _page(self, operation: Operation, after: int) -> Sequence[Event]:
        with self._stores.database.read() as connection:
            return self._stores.operations.events(
                connection, operation.id, after=after, limit=_PAGE
            )


def _facts_of(
    operation: Operation, debts: Sequence[Debt], described: Mapping[str, Any]
) -> OperationFacts:
    return OperationFacts(
        id=operation.id,
        kind=operation.kind,
        state=operation.state,
        instance=operation.instance_id,
        attempt=operation.attempt,
        owes=tuple(f"{debt.kind} {debt.key}" for debt in debts),
        instance_name=described["instance_name"] or "",
        attempts=described["attempts"],
    )


def _dated(event: Event) -> dict[str, Any]:
    return event.values() | {"seq": event.seq, "at": datetime.fromtimestamp(event.at, UTC)}
