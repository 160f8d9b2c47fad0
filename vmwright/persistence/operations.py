"""Operations and their events. Every move is a compare-and-swap on state and epoch."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from vmwright.errors import Internal, NotFound
from vmwright.ids import InstanceId, OperationId, OwnerId
from vmwright.persistence.database import now
from vmwright.persistence.held_operations import HeldOperations, by_no_index
from vmwright.persistence.inserting import insertion
from vmwright.persistence.prepared import Prepared
from vmwright.persistence.reading import Reading
from vmwright.persistence.records import Event, Operation
from vmwright.persistence.tables import Schema
from vmwright.states import ENDED, HELD, OVER, OperationState, may_move, sources_of

_UNDONE = "REVERTED"
"""What TaskFlow, and so the event, calls a task that was taken back."""

_ENDS_OF_TASKS = ("SUCCESS", "FAILURE", _UNDONE)

TAKEN_OVER = "taken_over"
"""The state of an event of the kind `owner`: the process that ran it was given up."""


class OperationStore(HeldOperations):
    """Runs of flows, as they outlive any process."""

    def __init__(self, schema: Schema) -> None:
        super().__init__(schema)
        self._events = schema.events
        self._adding = insertion(self._operations, created_at=now())
        self._appending = insertion(self._events)
        self._by_id = Reading(
            self._operations,
            Operation,
            sa.select(self._operations).where(self._operations.c.id == sa.bindparam("key")),
        )

    def add(self, connection: sa.Connection, *operations: Operation) -> None:
        self._adding.many(connection, [operation.values() for operation in operations])

    def get(
        self, connection: sa.Connection, operation: OperationId, *, project: str | None = None
    ) -> Operation:
        """By id; `NotFound`, also for one of another project than the named one."""
        for found in self._by_id.all(connection, {"key": operation}):
            if project in (None, found.project_id):
                return _known(found)
        raise NotFound(f"no operation {operation!r}", hint="see: vmwright operation list")

    def several(
        self, connection: sa.Connection, operations: Collection[OperationId]
    ) -> dict[OperationId, Operation]:
        """Those of them that there are, and that are in a state that is known here."""
        column = self._operations.c
        known = sa.select(self._operations).where(
            column.id.in_(operations), by_no_index(column.state).in_(list(OperationState))
        )
        return {row.id: _operation(row) for row in connection.execute(known)}

    def states(
        self, connection: sa.Connection, operations: Collection[OperationId]
    ) -> dict[OperationId, str]:
        """The states of those of them that there are, also such as are not known here."""
        column = self._operations.c
        rows = connection.execute(
            sa.select(column.id, column.state).where(column.id.in_(operations))
        )
        return {OperationId(row.id): row.state for row in rows}

    def waiting(
        self,
        connection: sa.Connection,
        state: OperationState,
        *,
        left_to: Collection[OwnerId],
        after: int,
        limit: int,
    ) -> Sequence[tuple[int, OperationId]]:
        """`seq` and id of what may be run now of this claimable state, after this `seq`: due, its
        predecessor over, and not in the hands of these owners.

        What is damaged is among it, so that somebody looks at it.
        """
        column, before = self._operations.c, self._operations.alias("predecessor").c
        follows = sa.or_(
            column.after_id.is_(None), before.id.is_(None), before.state.in_(list(OVER))
        )
        query = (
            sa.select(column.seq, column.id)
            .outerjoin(before.id.table, before.id == column.after_id)
            # The sum is the time where it is one, and 0 where SQLite holds a text that is none.
            .where(column.state == state, column.seq > after, column.not_before + 0.0 <= now())
            .where(follows)
            .order_by(column.seq)
            .limit(limit)
        )
        if state in HELD:
            query = query.where(column.owner_id.is_(None) | column.owner_id.not_in(left_to))
        return [(row.seq, OperationId(row.id)) for row in connection.execute(query)]

    def _of(self, project: str | None, query: sa.Select[Any]) -> sa.Select[Any]:
        return query if project is None else query.where(self._operations.c.project_id == project)

    def with_keys(
        self, connection: sa.Connection, project: str, keys: Collection[str]
    ) -> dict[str, Operation]:
        """By idempotency key, the first operation of each request that came with one of these."""
        column = self._operations.c
        rows = connection.execute(
            sa.select(self._operations).where(
                column.project_id == project, column.idempotency_key.in_(keys)
            )
        )
        return {row.idempotency_key: _operation(row) for row in rows}

    def of_reservation(self, connection: sa.Connection, reservation: str) -> Sequence[Operation]:
        """The builds of one request, in the order of their instances."""
        column = self._operations.c
        rows = connection.execute(
            sa.select(self._operations)
            .where(column.reservation_id == reservation, column.kind == "create")
            .order_by(column.seq)
        )
        return [_operation(row) for row in rows]

    def of_instance(self, connection: sa.Connection, instance: InstanceId) -> Sequence[Operation]:
        """Every operation on this instance, oldest first."""
        column = self._operations.c
        rows = connection.execute(
            sa.select(self._operations).where(column.instance_id == instance).order_by(column.seq)
        )
        return [_operation(row) for row in rows]

    def move(
        self,
        connection: sa.Connection,
        operation: OperationId,
        state: OperationState,
        **values: object,
    ) -> bool:
        """Move to `state` if the transition table allows it from where it stands."""
        moved = connection.execute(
            self._moves(state).where(self._operations.c.id == operation).values(values)
        )
        return moved.rowcount == 1

    def end(self, connection: sa.Connection, operation: OperationId, state: OperationState) -> bool:
        """Move to `state`, which is an end, now; as `move`."""
        return self._ends[state].one(connection, {"key": operation}) == 1

    @cached_property
    def _ends(self) -> dict[OperationState, Prepared]:
        key = self._operations.c.id == sa.bindparam("key")
        return {
            state: Prepared(self._moves(state).where(key).values(finished_at=now()))
            for state in ENDED
        }

    def _moves(self, state: OperationState) -> sa.Update:
        allowed = (self._operations.c.state == source for source in sorted(sources_of(state)))
        return sa.update(self._operations).where(sa.or_(sa.false(), *allowed)).values(state=state)

    def move_as_read(
        self,
        connection: sa.Connection,
        operation: Operation,
        state: OperationState,
        **values: object,
    ) -> bool:
        """Move to `state` if the table allows it and nobody has moved or claimed it since it was
        read."""
        column = self._operations.c
        if not may_move(operation.state, state):
            return False
        moved = connection.execute(
            sa.update(self._operations)
            .where(
                column.id == operation.id,
                column.epoch == operation.epoch,
                column.state == operation.state,
            )
            .values(state=state, **values)
        )
        return moved.rowcount == 1

    def change(self, connection: sa.Connection, operation: OperationId, **values: object) -> None:
        connection.execute(
            sa.update(self._operations).where(self._operations.c.id == operation).values(values)
        )

    def park(self, connection: sa.Connection, operation: Operation, error: dict[str, Any]) -> bool:
        """Put it aside as it was read; False if somebody has moved or claimed it since."""
        column = self._operations.c
        parked = connection.execute(
            sa.update(self._operations)
            .where(
                column.id == operation.id,
                column.epoch == operation.epoch,
                column.state.in_(sources_of(OperationState.PARKED)),
            )
            .values(state=OperationState.PARKED, owner_id=None, error=error)
        )
        return parked.rowcount == 1

    def ask_to_cancel(self, connection: sa.Connection, operation: OperationId, reason: str) -> bool:
        """Leave word for whoever runs it. False if it has ended or was asked before."""
        column = self._operations.c
        asked = connection.execute(
            sa.update(self._operations)
            .where(
                column.id == operation,
                column.cancel_reason.is_(None),
                column.finished_at.is_(None),
            )
            .values(cancel_reason=reason)
        )
        return asked.rowcount == 1

    def deaths(self, connection: sa.Connection, operation: OperationId) -> int:
        """How often in a row it was taken over from a process that did not get any further."""
        column = self._events.c
        further = sa.select(sa.func.max(column.seq)).where(
            column.operation_id == operation,
            sa.or_(
                column.kind == "operation",
                sa.and_(column.kind == "task", column.state.in_(_ENDS_OF_TASKS)),
            ),
        )
        return connection.execute(
            sa.select(sa.func.count()).where(
                column.operation_id == operation,
                column.kind == "owner",
                column.state == TAKEN_OVER,
                column.seq > sa.func.coalesce(further.scalar_subquery(), 0),
            )
        ).scalar_one()

    def under_way(self, connection: sa.Connection, operation: OperationId) -> str | None:
        """The task that was begun last; None before the first."""
        column = self._events.c
        row = connection.execute(
            sa.select(column.task)
            .where(column.operation_id == operation, column.kind == "task")
            .order_by(column.seq.desc())
            .limit(1)
        ).first()
        return None if row is None else row.task

    def held_by(self, connection: sa.Connection, owner: OwnerId) -> dict[OperationId, str | None]:
        """What this owner runs, and why somebody wants it cancelled, if so."""
        column = self._operations.c
        rows = connection.execute(
            sa.select(column.id, column.cancel_reason).where(
                column.owner_id == owner, column.state.in_(HELD)
            )
        )
        return {OperationId(row.id): row.cancel_reason for row in rows}

    def append(self, connection: sa.Connection, events: Sequence[Event]) -> None:
        """Add to the history, in this order. Nothing in it is ever changed."""
        if events:
            self._appending.many(connection, [event.values() for event in events])

    def events(
        self,
        connection: sa.Connection,
        operation: OperationId,
        *,
        after: int = 0,
        limit: int = 1000,
    ) -> Sequence[Event]:
        """What happened to this operation after this `seq`, in order."""
        column = self._events.c
        rows = connection.execute(
            sa.select(self._events)
            .where(column.operation_id == operation, column.seq > after)
            .order_by(column.seq)
            .limit(limit)
        )
        return [Event.of(row) for row in rows]

    def has_entered(
        self, connection: sa.Connection, operation: OperationId, attempt: int, state: str
    ) -> bool:
        """Whether the instance was said to be in this task state in this attempt."""
        column = self._events.c
        row = connection.execute(
            sa.select(column.seq)
            .where(
                column.operation_id == operation,
                column.kind == "instance",
                column.attempt == attempt,
                column.state == state,
            )
            .limit(1)
        ).first()
        return row is not None

    def begun_at(self, connection: sa.Connection, operation: Operation) -> dict[str, float]:
        """When each task of the latest attempt first began, in seconds since the epoch."""
        column = self._events.c
        rows = connection.execute(
            sa.select(column.task, sa.func.min(column.at).label("began"))
            .where(
                column.operation_id == operation.id,
                column.kind == "task",
                column.attempt == operation.attempt,
            )
            .group_by(column.task)
        )
        return {row.task: row.began for row in rows}

    def taken_back(self, connection: sa.Connection, operation: OperationId) -> set[str]:
        """The tasks that were undone in any attempt."""
        column = self._events.c
        rows = connection.execute(
            sa.select(column.task)
            .where(
                column.operation_id == operation,
                column.kind == "task",
                column.state == _UNDONE,
            )
            .distinct()
        )
        return set(rows.scalars())


def _operation(row: sa.Row[Any]) -> Operation:
    return _known(Operation.of(row))


def _known(operation: Operation) -> Operation:
    """With its state as one of ours."""
    try:
        return replace(operation, state=OperationState(operation.state))
    except ValueError:
        raise Internal(f"operation {operation.id} is in a state that is not known here") from None
