"""Attempts: on which hosts an operation was tried, and how each try ended."""

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from vmwright.errors import Damaged, NoValidHost
from vmwright.ids import HostId, OperationId
from vmwright.persistence.database import now
from vmwright.persistence.inserting import insertion
from vmwright.persistence.prepared import Prepared
from vmwright.persistence.records import Attempt
from vmwright.persistence.tables import Schema
from vmwright.states import AttemptOutcome


class AttemptStore:
    """The attempts of operations. The number of the latest one is in the operation's row too."""

    def __init__(self, schema: Schema) -> None:
        self._attempts = schema.attempts
        self._operations = schema.operations
        self._adding = insertion(self._attempts, "operation_id", "number")

    def add_first(self, connection: sa.Connection, operations: Iterable[OperationId]) -> None:
        """The first attempt of each of these, which are new."""
        rows = [{"operation_id": operation, "number": 1} for operation in operations]
        self._adding.many(connection, rows)

    def begin(self, connection: sa.Connection, operation: OperationId, number: int) -> None:
        """Begin this attempt; asked again, do nothing. What hindered earlier undos is over."""
        connection.execute(
            sa.update(self._operations)
            .where(self._operations.c.id == operation, self._operations.c.attempt < number)
            .values(attempt=number, undo_tries=0, error=None)
        )
        if not any(known.number == number for known in self.of_operation(connection, operation)):
            connection.execute(
                sa.insert(self._attempts).values(operation_id=operation, number=number)
            )

    def place(
        self, connection: sa.Connection, operation: OperationId, number: int, host: HostId
    ) -> None:
        """It is made on this host."""
        self._place.one(connection, {"whose": operation, "which": number, "host": host})

    def end(
        self,
        connection: sa.Connection,
        operation: OperationId,
        number: int,
        outcome: AttemptOutcome,
        fault: dict[str, Any] | None = None,
    ) -> None:
        """It is over; told again, the later word counts."""
        ending = {"whose": operation, "which": number, "how": outcome, "why": fault}
        self._end.one(connection, ending)

    def placed(self, connection: sa.Connection, operation: OperationId) -> Sequence[Attempt]:
        """As `of_operation`, if any of them came to a host; else none."""
        hosts = self._hosts.select(connection, {"operation": operation})
        return self.of_operation(connection, operation) if any(host for (host,) in hosts) else []

    @cached_property
    def _hosts(self) -> Prepared:
        column = self._attempts.c
        whose = column.operation_id == sa.bindparam("operation")
        return Prepared(sa.select(column.host_id).where(whose))

    def of_operation(self, connection: sa.Connection, operation: OperationId) -> Sequence[Attempt]:
        """Every attempt of an operation, the first one first."""
        rows = connection.execute(self._of_operation, {"operation": operation})
        return [Attempt.of(row) for row in rows]

    def of_several(
        self, connection: sa.Connection, operations: Collection[OperationId]
    ) -> dict[OperationId, list[Attempt]]:
        """As `of_operation`, of each of several that has any."""
        column = self._attempts.c
        found: dict[OperationId, list[Attempt]] = {}
        query = sa.select(self._attempts).where(column.operation_id.in_(operations))
        for row in connection.execute(query.order_by(column.operation_id, column.number)):
            found.setdefault(row.operation_id, []).append(Attempt.of(row))
        return found

    @cached_property
    def _of_operation(self) -> sa.Select[Any]:
        column = self._attempts.c
        wanted = column.operation_id == sa.bindparam("operation")
        return sa.select(self._attempts).where(wanted).order_by(column.number)

    @cached_property
    def _place(self) -> Prepared:
        return Prepared(self._changing.values(host_id=sa.bindparam("host")))

    @cached_property
    def _end(self) -> Prepared:
        fault = sa.bindparam("why", type_=self._attempts.c.fault.type)
        return Prepared(
            self._changing.values(outcome=sa.bindparam("how"), fault=fault, ended_at=now())
        )

    @property
    def _changing(self) -> sa.Update:
        column = self._attempts.c
        return sa.update(self._attempts).where(
            column.operation_id == sa.bindparam("whose"), column.number == sa.bindparam("which")
        )


def refuse_unreadable_faults(attempts: Iterable[Attempt]) -> None:
    """`Damaged` if one ended for a reason that is none of ours."""
    for attempt in attempts:
        fault = attempt.fault
        if fault is not None and not (isinstance(fault, dict) and "code" in fault):
            raise Damaged(f"attempts.fault of attempt {attempt.number} is no fault of ours")


def decisive_fault(attempts: Sequence[Attempt]) -> dict[str, Any] | None:
    """Of attempts that all came to nothing, what a user must know: why the last one did.

    That no host was left to try only follows from what went wrong before.
    """
    faults = [attempt.fault for attempt in attempts if attempt.fault is not None]
    causes = [fault for fault in faults if fault["code"] != NoValidHost.__name__]
    if not faults:
        return None
    exhausted = faults[-1]["code"] == NoValidHost.__name__
    return causes[-1] if exhausted and causes else faults[-1]
