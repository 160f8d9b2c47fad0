"""Debts: what must become absent on a host later."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from vmwright.errors import NotFound
from vmwright.ids import HostId, InstanceId, OperationId, new_id
from vmwright.persistence.database import now
from vmwright.persistence.failures import Duplicate
from vmwright.persistence.prepared import Prepared
from vmwright.persistence.records import Debt
from vmwright.persistence.tables import Schema

HOST_AWAY, LATE_EFFECT = "host away", "late effect"
"""Why something is owed: its host could not be asked, or a lost call may still make it."""
BEING_MADE = "being made"
"""Why a snapshot is owed until its row is there: whoever makes it may die."""
GIVEN_UP = "given up"
"""Why something is owed that its host refuses to remove: somebody had the operation go on."""

_USE_ADDRESSES = ("domain", "reservation")
_USE_ROOM = ("domain",)
_USE_VOLUMES = ("domain",)


def keeps_addresses(debt: Debt) -> bool:
    """As `DebtStore.keep_addresses`, of one debt."""
    return debt.kind in _USE_ADDRESSES


def keeps_room(debt: Debt) -> bool:
    """As `DebtStore.keep_room`, of one debt."""
    return debt.kind in _USE_ROOM and debt.reason == GIVEN_UP


def keeps_volumes(debt: Debt) -> bool:
    """As `DebtStore.keep_volumes`, of one debt."""
    return debt.kind in _USE_VOLUMES


@dataclass(frozen=True, kw_only=True)
class KeptFor:
    """What of an instance something that is owed may still use."""

    addresses: bool
    room: bool
    volumes: bool


class DebtStore:
    """Removals that are still owed. A paid debt is gone; the operation's events remember it."""

    def __init__(self, schema: Schema) -> None:
        self._table = schema.debts

    def owe(
        self,
        connection: sa.Connection,
        *,
        host: HostId,
        kind: str,
        key: str,
        whose: dict[str, Any],
        reason: str,
        delay: float,
        operation: OperationId | None,
        instance: InstanceId | None,
    ) -> None:
        """Owe it, to be paid in `delay` seconds at the earliest; owed already, it stays one, and
        is paid no earlier than before: the call that was to be waited for may still land."""
        words: dict[str, Any] = {"operation_id": operation, "whose": whose, "reason": reason}
        if self._owe_again(connection, host, kind, key, delay, words):
            return
        new = {"id": new_id(), "host_id": host, "kind": kind, "key": key, "instance_id": instance}
        times = {"not_before": now() + delay, "tries": 0, "created_at": now()}
        try:
            with connection.begin_nested():
                connection.execute(sa.insert(self._table).values(new | words | times))
        except Duplicate:  # somebody else of the same instance, in this moment
            self._owe_again(connection, host, kind, key, delay, words)

    def _owe_again(
        self,
        connection: sa.Connection,
        host: HostId,
        kind: str,
        key: str,
        delay: float,
        words: dict[str, Any],
    ) -> bool:
        column = self._table.c
        same = (column.host_id == host) & (column.kind == kind) & (column.key == key)
        later = (column.not_before > now() + delay) & (column.reason != BEING_MADE)
        not_before = sa.case((later, column.not_before), else_=now() + delay)
        # In this order: MariaDB's expressions see what was set before them.
        values = [(column.not_before, not_before), *((column[name], words[name]) for name in words)]
        owed = connection.execute(sa.update(self._table).where(same).ordered_values(*values))
        return owed.rowcount == 1

    def due(
        self, connection: sa.Connection, *, without: Collection[HostId] = (), limit: int = 100
    ) -> Sequence[Debt]:
        """What may be paid now, the longest due first, on all hosts but these."""
        rows = connection.execute(
            sa.select(self._table)
            .where(self._table.c.not_before <= now(), self._table.c.host_id.not_in(without))
            .order_by(self._table.c.not_before)
            .limit(limit)
        )
        return [Debt.of(row) for row in rows]

    def of_operation(self, connection: sa.Connection, operation: OperationId) -> Sequence[Debt]:
        rows = connection.execute(
            sa.select(self._table).where(self._table.c.operation_id == operation)
        )
        return [Debt.of(row) for row in rows]

    def of_host(self, connection: sa.Connection, host: HostId) -> Sequence[Debt]:
        rows = connection.execute(sa.select(self._table).where(self._table.c.host_id == host))
        return [Debt.of(row) for row in rows]

    def get(self, connection: sa.Connection, debt: str) -> Debt:
        """By id; `NotFound`."""
        row = connection.execute(
            sa.select(self._table).where(self._table.c.id == debt)
        ).one_or_none()
        if row is None:
            raise NotFound(f"no debt {debt!r}", hint="see: vmwright debt list")
        return Debt.of(row)

    def keep_addresses(self, connection: sa.Connection, instance: InstanceId) -> bool:
        """Whether something may still use the instance's addresses somewhere."""
        return self.kept_for(connection, instance).addresses

    def keep_room(self, connection: sa.Connection, instance: InstanceId) -> bool:
        """Whether a guest may still use its room on a host that takes others.

        A host that was away takes none before it is clean, and gives room back at once.
        """
        return self.kept_for(connection, instance).room

    def keep_volumes(self, connection: sa.Connection, instance: InstanceId) -> bool:
        """Whether a guest may still write to the instance's volumes somewhere.

        Also on a host that is away: a second guest must not write to them once it is back.
        """
        return self.kept_for(connection, instance).volumes

    def kept_for(self, connection: sa.Connection, instance: InstanceId) -> KeptFor:
        """All three of it, in one look."""
        owed = self._owed_of.select(connection, {"instance": instance})
        return KeptFor(
            addresses=any(kind in _USE_ADDRESSES for kind, _ in owed),
            room=any(kind in _USE_ROOM and reason == GIVEN_UP for kind, reason in owed),
            volumes=any(kind in _USE_VOLUMES for kind, _ in owed),
        )

    @cached_property
    def _owed_of(self) -> Prepared:
        column = self._table.c
        whose = column.instance_id == sa.bindparam("instance")
        return Prepared(sa.select(column.kind, column.reason).where(whose))

    @cached_property
    def _adopt(self) -> Prepared:
        whose = self._table.c.instance_id == sa.bindparam("instance")
        return Prepared(
            sa.update(self._table).where(whose).values(operation_id=sa.bindparam("adopter"))
        )

    def left_while_away(self, connection: sa.Connection, host: HostId) -> int:
        """How many things are surely still there: the host was away when they were to go."""
        column = self._table.c
        return connection.execute(
            sa.select(sa.func.count()).where(column.host_id == host, column.reason == HOST_AWAY)
        ).scalar_one()

    def drop(self, connection: sa.Connection, *, kind: str, key: str) -> None:
        """No host owes this any more: it is wanted again."""
        connection.execute(
            sa.delete(self._table).where(self._table.c.kind == kind, self._table.c.key == key)
        )

    def is_put_off(self, connection: sa.Connection, host: HostId, *, kind: str, key: str) -> bool:
        """Whether it is owed there, and not due yet."""
        column = self._table.c
        same = (column.host_id == host) & (column.kind == kind) & (column.key == key)
        row = connection.execute(
            sa.select(column.seq).where(same, column.not_before > now())
        ).first()
        return row is not None

    def take_back(self, connection: sa.Connection, *, kind: str, key: str) -> bool:
        """It is wanted after all. False once it is due: somebody may be paying it, or has tried
        to, and then a call may still land."""
        column = self._table.c
        dropped = connection.execute(
            sa.delete(self._table).where(
                column.kind == kind,
                column.key == key,
                column.not_before > now(),
                column.tries == 0,
            )
        )
        return dropped.rowcount == 1

    def remaining(self, connection: sa.Connection) -> int:
        """How many there are, less what somebody is making just now."""
        column = self._table.c
        wanted = (column.reason == BEING_MADE) & (column.not_before > now())
        return connection.execute(
            sa.select(sa.func.count()).select_from(self._table).where(sa.not_(wanted))
        ).scalar_one()

    def all(self, connection: sa.Connection) -> Sequence[Debt]:
        rows = connection.execute(sa.select(self._table).order_by(self._table.c.seq))
        return [Debt.of(row) for row in rows]

    def adopt(
        self, connection: sa.Connection, instance: InstanceId, operation: OperationId
    ) -> None:
        """From now on they are this operation's: a delete answers for what a create left."""
        self._adopt.one(connection, {"instance": instance, "adopter": operation})

    def paid(self, connection: sa.Connection, debt: Debt) -> bool:
        """It is settled. False if somebody else settled or renewed it meanwhile."""
        gone = connection.execute(
            sa.delete(self._table).where(
                self._table.c.id == debt.id, self._table.c.not_before == debt.not_before
            )
        )
        return gone.rowcount == 1

    def forgive(self, connection: sa.Connection, debt: Debt) -> None:
        """Nobody is to pay it any more."""
        connection.execute(sa.delete(self._table).where(self._table.c.id == debt.id))

    def postpone(
        self, connection: sa.Connection, debt: Debt, *, delay: float, error: dict[str, Any]
    ) -> None:
        """Look again later, unless somebody else did so, or it is owed anew, since it was read."""
        connection.execute(
            sa.update(self._table)
            .where(self._table.c.id == debt.id, self._table.c.not_before == debt.not_before)
            .values(tries=self._table.c.tries + 1, not_before=now() + delay, last_error=error)
        )
