"""What lists show: a page at a time, and what belongs to all of a page in one statement each."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from vmwright.ids import HostId, InstanceId, OperationId
from vmwright.persistence.operations import OperationStore
from vmwright.persistence.records import (
    Attachment,
    Attempt,
    Debt,
    Event,
    HostRecord,
    Operation,
    Port,
    VolumeRecord,
)
from vmwright.persistence.tables import Schema
from vmwright.states import ENDED, OperationState

_ALL = frozenset(OperationState)

Attached = tuple[Attachment, VolumeRecord]


class Lists:
    """Pages are cut by `seq`: however long a list is, a page reads no more than it shows."""

    def __init__(self, schema: Schema, operations: OperationStore) -> None:
        self._schema = schema
        self._known = operations

    def operations(
        self,
        connection: sa.Connection,
        *,
        project: str | None = None,
        states: Iterable[OperationState] = OperationState,
        after: int = 0,
        limit: int = 1000,
    ) -> Sequence[Operation]:
        """Operations in these states in order of submission, after this `seq`."""
        column = self._schema.operations.c
        return self._operations(
            connection, project, frozenset(states), column.seq > after, column.seq, limit
        )

    def newest_operations(
        self,
        connection: sa.Connection,
        *,
        project: str | None = None,
        states: Iterable[OperationState] = OperationState,
        before: int | None = None,
        limit: int = 1000,
    ) -> Sequence[Operation]:
        """The latest operations in these states, before this `seq`; oldest of them first."""
        column = self._schema.operations.c
        part = sa.true() if before is None else column.seq < before
        found = self._operations(
            connection, project, frozenset(states), part, column.seq.desc(), limit
        )
        return found[::-1]

    def projects(
        self, connection: sa.Connection, states: Iterable[OperationState], project: str | None
    ) -> set[str]:
        """Whose operations in these states are; of one project, if it is named."""
        column = self._schema.operations.c
        query = sa.select(column.project_id).where(column.state.in_(list(states))).distinct()
        if project is not None:
            query = query.where(column.project_id == project)
        return set(connection.execute(query).scalars())

    def latest_of(
        self, connection: sa.Connection, instances: Collection[InstanceId]
    ) -> Mapping[InstanceId, OperationId]:
        """The operation that came last, of each of these that has one."""
        column = self._schema.operations.c
        rows = connection.execute(
            sa.select(column.instance_id, column.id)
            .where(column.instance_id.in_(instances))
            .order_by(column.seq)
        )
        return {row.instance_id: row.id for row in rows}

    def instances_on_hosts(self, connection: sa.Connection) -> Mapping[HostId, int]:
        """How many living instances are on each host that has any."""
        column = self._schema.instances.c
        rows = connection.execute(
            sa.select(column.host_id, sa.func.count().label("number"))
            .where(column.deleted_at.is_(None), column.host_id.is_not(None))
            .group_by(column.host_id)
        )
        return {row.host_id: row.number for row in rows}

    def ports_of(
        self, connection: sa.Connection, instances: Collection[InstanceId]
    ) -> Mapping[InstanceId, list[Port]]:
        """Those of each, in the order of its interfaces."""
        found: dict[InstanceId, list[Port]] = {instance: [] for instance in instances}
        table = self._schema.ports
        for row in self._of(connection, table, table.c.instance_id, instances, table.c.position):
            found[row.instance_id].append(Port.of(row))
        return found

    def volumes_of(
        self, connection: sa.Connection, instances: Collection[InstanceId]
    ) -> Mapping[InstanceId, list[Attached]]:
        """Those of each, in the order of its devices."""
        table, volumes = self._schema.attachments, self._schema.volumes
        found: dict[InstanceId, list[Attached]] = {instance: [] for instance in instances}
        attached = [
            Attachment.of(row)
            for row in self._of(connection, table, table.c.instance_id, instances, table.c.position)
        ]
        wanted = [one.volume_id for one in attached]
        known = {
            row.id: VolumeRecord.of(row)
            for row in self._of(connection, volumes, volumes.c.id, wanted, volumes.c.seq)
        }
        for one in attached:
            found[one.instance_id].append((one, known[one.volume_id]))
        return found

    def attempts_of(
        self, connection: sa.Connection, operations: Collection[OperationId]
    ) -> Mapping[OperationId, list[Attempt]]:
        """Those of each, the first one first."""
        table = self._schema.attempts
        found: dict[OperationId, list[Attempt]] = {operation: [] for operation in operations}
        for row in self._of(connection, table, table.c.operation_id, operations, table.c.number):
            found[row.operation_id].append(Attempt.of(row))
        return found

    def debts_of(
        self, connection: sa.Connection, operations: Collection[OperationId]
    ) -> Mapping[OperationId, list[Debt]]:
        """What each still owes, the oldest first."""
        table = self._schema.debts
        found: dict[OperationId, list[Debt]] = {operation: [] for operation in operations}
        for row in self._of(connection, table, table.c.operation_id, operations, table.c.seq):
            found[row.operation_id].append(Debt.of(row))
        return found

    def names_of(
        self, connection: sa.Connection, instances: Collection[InstanceId]
    ) -> Mapping[InstanceId, str]:
        """What they are called, also after they were deleted."""
        column = self._schema.instances.c
        rows = connection.execute(
            sa.select(column.id, column.name).where(column.id.in_(sorted(set(instances))))
        )
        return {row.id: row.name for row in rows}

    def latest_of_tasks(
        self, connection: sa.Connection, operations: Collection[OperationId]
    ) -> Mapping[OperationId, list[Event]]:
        """The last thing that was said of each task's state, and of its progress; in order."""
        found: dict[OperationId, list[Event]] = {operation: [] for operation in operations}
        if not operations:
            return found
        table = self._schema.events
        last = (
            sa.select(sa.func.max(table.c.seq))
            .where(table.c.operation_id.in_(operations), table.c.kind.in_(["task", "progress"]))
            .group_by(table.c.operation_id, table.c.task, table.c.kind)
        )
        rows = connection.execute(
            sa.select(table).where(table.c.seq.in_(last)).order_by(table.c.seq)
        )
        for event in map(Event.of, rows):
            found[event.operation_id].append(event)
        return found

    def hosts(
        self, connection: sa.Connection, hosts: Collection[HostId]
    ) -> Mapping[HostId, HostRecord]:
        """Those of these that there are."""
        table = self._schema.hosts
        rows = self._of(connection, table, table.c.id, hosts, table.c.seq)
        return {row.id: HostRecord.of(row) for row in rows}

    def _of(
        self,
        connection: sa.Connection,
        table: sa.Table,
        column: sa.ColumnElement[str],
        wanted: Collection[str],
        order: sa.ColumnElement[int],
    ) -> Sequence[sa.Row[Any]]:
        if not wanted:
            return []
        query = sa.select(table).where(column.in_(sorted(set(wanted)))).order_by(order)
        return connection.execute(query).all()

    def _operations(
        self,
        connection: sa.Connection,
        project: str | None,
        states: frozenset[OperationState],
        part: sa.ColumnElement[bool],
        order: sa.ColumnElement[int],
        limit: int,
    ) -> Sequence[Operation]:
        """The ids first: each of the ways to find them reads no more than a page."""
        column = self._schema.operations.c
        pages = [
            sa.select(column.seq, column.id)
            .where(condition, part)
            .order_by(order)
            .limit(limit)
            .subquery()
            for condition in self.ways(project, states)
        ]
        found = sa.union_all(*(sa.select(page) for page in pages)).subquery()
        rows = connection.execute(sa.select(found.c.seq, found.c.id)).all()
        newest_first = order is not column.seq
        rows = sorted(rows, key=lambda row: row.seq, reverse=newest_first)[:limit]
        wanted = [OperationId(row.id) for row in rows]
        known = self._known.several(connection, wanted) if wanted else {}
        return [known[one] for one in wanted if one in known]

    def ways(
        self, project: str | None, states: frozenset[OperationState]
    ) -> Sequence[sa.ColumnElement[bool]]:
        """Conditions that find them together, each along one index."""
        column = self._schema.operations.c
        ours = sa.true() if project is None else column.project_id == project
        if project is None and states >= _ALL:
            return [ours]
        if project is not None and states & ENDED:
            # Most of what a project has had has ended.
            return [sa.and_(ours, column.state.in_(sorted(states)))]
        return [sa.and_(column.state == state, ours) for state in sorted(states)]
