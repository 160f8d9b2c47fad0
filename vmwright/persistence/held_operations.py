"""Whose operations are: how they are claimed, and held by their owner for a transaction."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
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

_HELD = {str(state): state for state in HELD}

Held = tuple[str | None, OperationState]
"""Why somebody wants an operation of ours cancelled, if so, and its state."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """How the first transaction of a run makes an operation ours that has never run."""

    operation: Operation
    """As it was read."""
    owner: OwnerId
    takes_turn: Callable[[sa.Connection], bool] | None = None
    """Takes its instance for it; False if that is another one's. None if it has it."""


class HeldOperations:
    """The part of the operations' store that every transaction of a run begins with."""

    def __init__(self, schema: Schema) -> None:
        self._operations = schema.operations

    def claim(self, connection: sa.Connection, operation: Operation, owner: OwnerId) -> int | None:
        """Make `owner` the one who runs it, as it was read; the new epoch, or None if it moved.

        A run that had begun to undo goes on undoing.
        """
        claimed = self._claims.one(connection, _claim(operation, owner))
        return operation.epoch + 1 if claimed == 1 else None

    def claim_all(self, connection: sa.Connection, claims: Iterable["Claim"]) -> None:
        """As `claim`, for several; `held` tells then which of them are ours."""
        rows = [_claim(claim.operation, claim.owner) for claim in claims]
        if rows:
            self._claims.many(connection, rows)

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

    def fence(self, connection: sa.Connection, operation: OperationId, epoch: int) -> Held:
        """Hold the row for this transaction. `ClaimLost` unless the epoch is still ours."""
        held = self.held(connection, {operation: (epoch, None)})
        if operation not in held:
            raise ClaimLost(f"operation {operation}: another process has taken it over")
        return held[operation]

    def held(
        self,
        connection: sa.Connection,
        ours: Mapping[OperationId, tuple[int, OwnerId | None]],
        *,
        waits: bool = True,
    ) -> dict[OperationId, Held]:
        """As `fence`, for several: those that are still ours in these epochs, and, where one is
        given, whose owner that is. Unless it `waits`, without those that somebody else holds."""
        if waits and len(ours) == 1:
            rows = self._held.select(connection, {"key": next(iter(ours))})
        else:
            query = self._several_held if waits else self._free
            found = connection.execute(query, {"keys": list(ours)}) if ours else ()
            rows = [tuple(row) for row in found]
        held = {}
        for operation, in_epoch, reason, state, holder in rows:
            epoch, owner = ours[operation]
            if in_epoch == epoch and owner in (None, holder):
                held[operation] = (reason, _HELD[state])
        return held

    @cached_property
    def _held(self) -> Prepared:
        return Prepared(self._holding.where(self._operations.c.id == sa.bindparam("key")))

    @cached_property
    def _free(self) -> sa.Select[Any]:
        return self._several_held.with_for_update(key_share=True, skip_locked=True)

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
            .where(sa.or_(*(by_no_index(column.state) == state for state in sorted(HELD))))
            # SQLite's transactions that may write have no others beside them.
            .with_for_update(key_share=True)
        )


def by_no_index(state: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A state that is looked at where rows are found by their ids: SQLite would rather read all
    that are in one state, however many there are, than look for a page of ids."""
    return sa.func.lower(state)


def _claim(operation: Operation, owner: OwnerId) -> dict[str, object]:
    undoing = "code" in (operation.error or {})
    return {
        "key": operation.id,
        "read_epoch": operation.epoch,
        "read_state": operation.state,
        "owner": owner,
        "claimed": operation.epoch + 1,
        "becomes": OperationState.UNDOING if undoing else OperationState.RUNNING,
    }
