"""Whose operations are: how they are claimed, and held by their owner for a transaction."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from vmwright.errors import ClaimLost
from vmwright.ids import OperationId, OwnerId
from vmwright.persistence.database import now
from vmwright.persistence.prepared import Prepared
from vmwright.persistence.records import Operation
from vmwright.persistence.tables import Schema
from vmwright.states import CLAIMABLE, HELD, OperationState

Held = tuple[str | None, OperationState]
"""Why somebody wants an operation of ours cancelled, if so, and its state."""


class HeldOperations:
    """The part of the operations' store that every transaction of a run begins with."""

    def __init__(self, schema: Schema) -> None:
        self._operations = schema.operations

    def claim(self, connection: sa.Connection, operation: Operation, owner: OwnerId) -> int | None:
        """Make `owner` the one who runs it, as it was read; the new epoch, or None if it moved.

        A run that had begun to undo goes on undoing.
        """
        undoing = "code" in (operation.error or {})
        claimed = self._claims.one(
            connection,
            {
                "key": operation.id,
                "read_epoch": operation.epoch,
                "read_state": operation.state,
                "owner": owner,
                "claimed": operation.epoch + 1,
                "becomes": OperationState.UNDOING if undoing else OperationState.RUNNING,
            },
        )
        return operation.epoch + 1 if claimed == 1 else None

    @cached_property
    def _claims(self) -> Prepared:
        column = self._operations.c
        return Prepared(
            sa.update(self._operations)
            .where(
                column.id == sa.bindparam("key"),
                column.epoch == sa.bindparam("read_epoch"),
                column.state == sa.bindparam("read_state"),
                sa.or_(*(column.state == state for state in sorted(CLAIMABLE))),
            )
            .values(
                owner_id=sa.bindparam("owner"),
                epoch=sa.bindparam("claimed"),
                state=sa.bindparam("becomes"),
                started_at=sa.func.coalesce(column.started_at, now()),
            )
        )

    def fence(
        self,
        connection: sa.Connection,
        operation: OperationId,
        epoch: int,
        *,
        owner: OwnerId | None = None,
    ) -> Held:
        """Hold the row for this transaction. `ClaimLost` unless the epoch is still ours, and, if
        one is given, the owner."""
        held = self._ours(connection, {operation: epoch}, owner)
        if operation not in held:
            raise ClaimLost(f"operation {operation}: another process has taken it over")
        return held[operation]

    def held(
        self, connection: sa.Connection, epochs: Mapping[OperationId, int]
    ) -> dict[OperationId, Held]:
        """As `fence`, for several: those that are still ours in these epochs."""
        return self._ours(connection, epochs, None)

    def _ours(
        self,
        connection: sa.Connection,
        epochs: Mapping[OperationId, int],
        owner: OwnerId | None,
    ) -> dict[OperationId, Held]:
        if len(epochs) == 1:
            rows = self._held.select(connection, {"key": next(iter(epochs))})
        else:
            keys = {"keys": list(epochs)}
            found = connection.execute(self._several_held, keys) if epochs else ()
            rows = [tuple(row) for row in found]
        return {
            operation: (reason, OperationState(state))
            for operation, epoch, reason, state, holder in rows
            if epoch == epochs[operation] and owner in (None, holder)
        }

    @cached_property
    def _held(self) -> Prepared:
        return Prepared(self._holding.where(self._operations.c.id == sa.bindparam("key")))

    @cached_property
    def _several_held(self) -> sa.Select[Any]:
        column = self._operations.c
        # In one order, so that nobody who does the same waits for us as we do for him.
        return self._holding.where(column.id.in_(sa.bindparam("keys", expanding=True))).order_by(
            column.id
        )

    @cached_property
    def _holding(self) -> sa.Select[Any]:
        column = self._operations.c
        wanted = column.id, column.epoch, column.cancel_reason, column.state, column.owner_id
        return (
            sa.select(*wanted)
            .where(sa.or_(*(column.state == state for state in sorted(HELD))))
            # SQLite's transactions that may write have no others beside them.
            .with_for_update(key_share=True)
        )
