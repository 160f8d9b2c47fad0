"""Claims on hosts: what each build may use of a host, never more than there is."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from vmwright.ids import HostId, InstanceId, OperationId
from vmwright.persistence.tables import Schema


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
        column = self._claims.c
        return connection.execute(
            sa.select(column.host_id).where(
                column.instance_id == instance,
                column.operation_id == operation,
                column.attempt == attempt,
            )
        ).scalar()

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
    ) -> bool:
        """Claim it if it fits; False if it does not. Concurrent claims cannot overcommit.

        `forced` claims also from a host that takes no new instances. The update takes the host's
        row, so the sums that follow see every claim before ours; if there is no room, it is let
        go again: two that tried hosts in different orders would else wait for each other.
        """
        with connection.begin_nested() as attempted:
            claimed = self._claim(
                connection,
                host,
                demand,
                instance=instance,
                operation=operation,
                attempt=attempt,
                forced=forced,
            )
            if not claimed:
                attempted.rollback()
        return claimed

    def _claim(
        self,
        connection: sa.Connection,
        host: HostId,
        demand: Demand,
        *,
        instance: InstanceId,
        operation: OperationId,
        attempt: int,
        forced: bool,
    ) -> bool:
        connection.execute(
            sa.update(self._hosts)
            .where(self._hosts.c.id == host)
            .values(claim_serial=self._hosts.c.claim_serial + 1)
        )
        columns = ["host_id", "instance_id", "operation_id", "attempt"]
        amounts = ["vcpus", "memory_mib", "disk_gib"]
        row = sa.select(
            self._hosts.c.id,
            *(sa.literal(value) for value in (instance, operation, attempt)),
            *(sa.literal(getattr(demand, amount), sa.BigInteger()) for amount in amounts),
        ).where(
            self._hosts.c.id == host,
            *(() if forced else (self._hosts.c.enabled, ~self._hosts.c.draining)),
            *self._fits(demand),
        )
        claimed = connection.execute(
            sa.insert(self._claims).from_select([*columns, *amounts], row),
            # Else SQLAlchemy forgets how many rows an INSERT made, except on SQLite.
            execution_options={"preserve_rowcount": True},
        )
        return claimed.rowcount == 1

    def used(self, connection: sa.Connection, host: HostId) -> Demand:
        """What all claims on a host come to."""
        column = self._claims.c
        row = connection.execute(
            sa.select(
                *(
                    sa.func.coalesce(sa.func.sum(amount), 0)
                    for amount in (column.vcpus, column.memory_mib, column.disk_gib)
                )
            ).where(column.host_id == host)
        ).one()
        return Demand(vcpus=int(row[0]), memory_mib=int(row[1]), disk_gib=int(row[2]))

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
        condition = self._claims.c.instance_id == instance
        if operation is not None:
            condition &= self._claims.c.operation_id == operation
        if before is not None:
            condition &= self._claims.c.attempt < before
        connection.execute(sa.delete(self._claims).where(condition))

    def _fits(self, demand: Demand) -> list[sa.ColumnElement[bool]]:
        host = self._hosts.c
        room = {
            "vcpus": host.vcpus * host.vcpu_ratio,
            "memory_mib": host.memory_mib * host.memory_ratio,
            "disk_gib": host.disk_gib * host.disk_ratio,
        }
        return [
            self._sum(amount) + getattr(demand, amount) <= limit for amount, limit in room.items()
        ]

    def _sum(self, amount: str) -> sa.ScalarSelect[int]:
        claims = self._claims.alias(f"claims_{amount}")
        return (
            sa.select(sa.func.coalesce(sa.func.sum(claims.c[amount]), 0))
            .where(claims.c.host_id == self._hosts.c.id)
            .correlate(self._hosts)
            .scalar_subquery()
        )
