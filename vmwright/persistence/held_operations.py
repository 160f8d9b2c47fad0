"""Whose operations are: how they are claimed, and held by their owner for a transaction."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from vmwright.errors import ClaimLost
from vmwright.ids import OperationId, OwnerId
from vmwright.persistence.database import now
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
        claimed = connection.execute(
            self._claims,
            {
                "key": operation.id,
                "read_epoch": operation.epoch,
                "read_state": operation.state,
                "owner": owner,
                "claimed": operation.epoch + 1,
                "becomes": OperationState.UNDOING if undoing else OperationState.RUNNING,
            },
        )
        return operation.epoch + 1 if claimed.rowcount == 1 else None

    @cached_property
    def _claims(self) -> sa.Update:
        column = self._operations.c
        return (
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
        held = connection.execute(self._held, {"key": operation}).one_or_none()
        if held is None or not _is_in(held, epoch) or owner not in (None, held.owner_id):
            raise ClaimLost(f"operation {operation}: another process has taken it over")
        return held.cancel_reason, OperationState(held.state)

    def held(
        self, connection: sa.Connection, epochs: Mapping[OperationId, int]
    ) -> dict[OperationId, Held]:
        """As `fence`, for several: those that are still ours in these epochs."""
        if len(epochs) == 1:
            rows = connection.execute(self._held, {"key": next(iter(epochs))}).all()
        else:
            keys = {"keys": list(epochs)}
            rows = connection.execute(self._several_held, keys).all() if epochs else []
        return {
            row.id: (row.cancel_reason, OperationState(row.state))
            for row in rows
            if _is_in(row, epochs[row.id])
        }

    @cached_property
    def _held(self) -> sa.Select[Any]:
        return self._holding.where(self._operations.c.id == sa.bindparam("key"))

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


def _is_in(row: sa.Row[Any], epoch: int) -> bool:
    """Whether an operation is held in this epoch: nobody has claimed it since."""
    return bool(row.epoch == epoch)
