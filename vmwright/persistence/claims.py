"""Claims on hosts: what each build may use of a host, never more than there is."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from vmwright.ids import HostId, InstanceId, OperationId
from vmwright.persistence.prepared import Prepared
from vmwright.persistence.tables import Schema

_AMOUNTS = {"vcpus": "vcpu_ratio", "memory_mib": "memory_ratio", "disk_gib": "disk_ratio"}
"""What is claimed, and how often each may be given out."""


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a guest needs of a host."""

    vcpus: int
    memory_mib: int
    disk_gib: int


class ClaimStore:
    """Claims of instances on hosts. Totals are computed from the rows, never stored."""

    def __init__(self, schema: Schema) -> None:
        self._claims = schema.claims
        self._hosts = schema.hosts

    def held(
        self,
        connection: sa.Connection,
        instance: InstanceId,
        operation: OperationId,
        *,
        attempt: int,
    ) -> HostId | None:
        """The host that this operation has claimed for the instance in this attempt."""
        whose = {"instance": instance, "operation": operation, "attempt": attempt}
        held = self._held.select(connection, whose)
        return HostId(held[0][0]) if held else None

    def hosts_of(self, connection: sa.Connection, instance: InstanceId) -> Sequence[str]:
        """The names of the hosts that the instance has room on, in the order of its claims."""
        rows = connection.execute(
            sa.select(self._hosts.c.name)
            .join(self._claims, self._claims.c.host_id == self._hosts.c.id)
            .where(self._claims.c.instance_id == instance)
            .order_by(self._claims.c.seq)
        )
        return rows.scalars().all()

    def claim(
        self,
        connection: sa.Connection,
        host: HostId,
        demand: Demand,
        *,
        instance: InstanceId,
        operation: OperationId,
        attempt: int,
        forced: bool = False,
        last: bool = False,
    ) -> bool:
        """Claim it if it fits; False if it does not. Concurrent claims cannot overcommit.

        `forced` claims also from a host that takes no new instances. The update takes the host's
        row, so the sums that follow see every claim before ours; if there is no room, it is let
        go again: two that tried hosts in different orders would else wait for each other. Not if
        it is the `last` host that is tried: the transaction ends. SQLite has one writer anyway.
        """
        row = {"host": host, "instance": instance, "operation": operation, "attempt": attempt}
        with ExitStack() as stack:
            lets_go = not last and connection.dialect.name != "sqlite"
            attempted = stack.enter_context(connection.begin_nested()) if lets_go else None
            self._take_turn.one(connection, {"host": host})
            claim = self._claim_forced if forced else self._claim
            claimed = claim.one(connection, row | vars(demand)) == 1
            if attempted is not None and not claimed:
                attempted.rollback()
        return claimed

    def used(self, connection: sa.Connection, host: HostId) -> Demand:
        """What all claims on a host come to."""
        row = connection.execute(self._sums, {"host": host}).one()
        return Demand(**{name: int(amount) for name, amount in row._mapping.items()})

    def used_of_all(self, connection: sa.Connection) -> Mapping[HostId, Demand]:
        """As `used`, of every host that has a claim."""
        column = self._claims.c
        sums = (sa.func.sum(column[name]).label(name) for name in _AMOUNTS)
        rows = connection.execute(sa.select(column.host_id, *sums).group_by(column.host_id))
        return {
            row.host_id: Demand(**{name: int(row._mapping[name]) for name in _AMOUNTS})
            for row in rows
        }

    def release(
        self,
        connection: sa.Connection,
        instance: InstanceId,
        operation: OperationId | None,
        *,
        before: int | None = None,
    ) -> None:
        """Give claims of an instance back; with an operation, only those that it made, and of
        them only those of attempts before this one."""
        if operation is None:
            connection.execute(self._release, {"instance": instance})
            return
        releasing = self._release.where(self._claims.c.operation_id == operation)
        if before is not None:
            releasing = releasing.where(self._claims.c.attempt < before)
        connection.execute(releasing, {"instance": instance})

    @cached_property
    def _held(self) -> Prepared:
        column = self._claims.c
        return Prepared(
            sa.select(column.host_id).where(
                column.instance_id == sa.bindparam("instance"),
                column.operation_id == sa.bindparam("operation"),
                column.attempt == sa.bindparam("attempt"),
            )
        )

    @cached_property
    def _release(self) -> sa.Delete:
        return sa.delete(self._claims).where(self._claims.c.instance_id == sa.bindparam("instance"))

    @cached_property
    def _take_turn(self) -> Prepared:
        column = self._hosts.c
        return Prepared(
            sa.update(self._hosts)
            .where(column.id == sa.bindparam("host"))
            .values(claim_serial=column.claim_serial + 1)
        )

    @cached_property
    def _claim(self) -> Prepared:
        return Prepared(self._claiming(self._hosts.c.enabled, ~self._hosts.c.draining))

    @cached_property
    def _claim_forced(self) -> Prepared:
        return Prepared(self._claiming())

    def _claiming(self, *conditions: sa.ColumnElement[bool]) -> sa.Insert:
        host, used = self._hosts.c, self._sums.subquery("used")
        amounts = {name: sa.bindparam(name, type_=sa.BigInteger()) for name in _AMOUNTS}
        room = [
            used.c[amount] + amounts[amount] <= host[amount] * host[ratio]
            for amount, ratio in _AMOUNTS.items()
        ]
        row = (
            sa.select(
                host.id,
                *(sa.bindparam(name, type_=sa.String()) for name in ("instance", "operation")),
                sa.bindparam("attempt", type_=sa.BigInteger()),
                *amounts.values(),
            )
            .join_from(self._hosts, used, sa.true())
            .where(host.id == sa.bindparam("host"), *conditions, *room)
        )
        columns = ["host_id", "instance_id", "operation_id", "attempt", *_AMOUNTS]
        claiming = sa.insert(self._claims).from_select(columns, row)
        # Else SQLAlchemy forgets how many rows an INSERT made, except on SQLite.
        return claiming.execution_options(preserve_rowcount=True)

    @cached_property
    def _sums(self) -> sa.Select[Any]:
        """What all claims on a host come to, in one look at them."""
        column = self._claims.c
        sums = (sa.func.coalesce(sa.func.sum(column[name]), 0).label(name) for name in _AMOUNTS)
        return sa.select(*sums).where(column.host_id == sa.bindparam("host"))
