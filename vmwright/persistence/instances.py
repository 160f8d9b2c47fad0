"""Instances: what users own. State moves by compare-and-swap."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from vmwright.errors import Conflict, Damaged, NotFound
from vmwright.ids import HostId, ImageId, InstanceId, OperationId
from vmwright.persistence.database import now
from vmwright.persistence.inserting import insertion
from vmwright.persistence.prepared import Prepared
from vmwright.persistence.records import Instance
from vmwright.persistence.tables import Schema
from vmwright.states import PowerState, TaskState, VmState

_KINDS = {"vm_state": VmState, "task_state": TaskState, "power_state": PowerState}


class InstanceStore:
    """Instances, living ones and the tombstones of deleted ones."""

    def __init__(self, schema: Schema) -> None:
        self._table = schema.instances
        self._adding = insertion(self._table, created_at=now())

    def add(self, connection: sa.Connection, *instances: Instance) -> None:
        self._adding.many(connection, [instance.values() for instance in instances])

    def get(self, connection: sa.Connection, instance: InstanceId) -> Instance:
        """By id, tombstones included; `NotFound` else."""
        known = self.known(connection, instance)
        if known is None:
            raise NotFound(f"no instance {instance!r}", hint="see: vmwright list")
        return known

    def find(
        self, connection: sa.Connection, name_or_id: str, *, project: str | None = None
    ) -> Instance:
        """The one living instance with this id or name, of this project or of any.

        `Conflict` if several have the name.
        """
        column = self._table.c
        query = (
            sa.select(self._table)
            # Said of both, each has an index to be found along.
            .where(
                sa.or_(
                    sa.and_(column.id == name_or_id, column.deleted_at.is_(None)),
                    sa.and_(column.deleted_at.is_(None), column.name == name_or_id),
                )
            )
            .order_by(column.seq)
        )
        rows = connection.execute(self._of(project, query)).all()
        exact = [row for row in rows if row.id == name_or_id] or rows
        if not exact:
            raise NotFound(f"no instance {name_or_id!r}", hint="see: vmwright list")
        if len(exact) > 1:
            ids = ", ".join(row.id for row in exact)
            raise Conflict(f"several instances are named {name_or_id!r}", hint=f"use an id: {ids}")
        return _instance(exact[0])

    def page(
        self,
        connection: sa.Connection,
        *,
        project: str | None = None,
        reservation: str | None = None,
        after: int = 0,
        limit: int = 1000,
        which: Iterable[sa.ColumnElement[bool]] = (),
    ) -> Sequence[Instance]:
        """Living instances in order of creation, after this `seq`; of one project and of one
        request, if named. `which` are further conditions."""
        query = (
            sa.select(self._table)
            .where(self._table.c.deleted_at.is_(None), self._table.c.seq > after, *which)
            # As an index has them: all of the first are null.
            .order_by(self._table.c.deleted_at, self._table.c.seq)
            .limit(limit)
        )
        if reservation is not None:
            query = query.where(self._table.c.reservation_id == reservation)
        rows = connection.execute(self._of(project, query))
        return [_instance(row) for row in rows]

    def _of(self, project: str | None, query: sa.Select[Any]) -> sa.Select[Any]:
        return query if project is None else query.where(self._table.c.project_id == project)

    def known(self, connection: sa.Connection, instance: InstanceId) -> Instance | None:
        """By id, tombstones included; None if this store never had it."""
        row = connection.execute(self._by_id, {"instance": instance}).one_or_none()
        return None if row is None else _instance(row)

    def several(
        self, connection: sa.Connection, instances: Collection[InstanceId]
    ) -> dict[InstanceId, Instance]:
        """Those of them that this store has had, tombstones included."""
        known = sa.select(self._table).where(self._table.c.id.in_(instances))
        return {row.id: _instance(row) for row in connection.execute(known)}

    def present(
        self, connection: sa.Connection, instances: Collection[InstanceId]
    ) -> set[InstanceId]:
        """Those of them that have a row, tombstones included."""
        column = self._table.c
        rows = connection.execute(sa.select(column.id).where(column.id.in_(instances)))
        return {InstanceId(found) for found in rows.scalars()}

    def uses_of_image(self, connection: sa.Connection, image: ImageId) -> int:
        """How many living instances were made from it."""
        return connection.execute(
            sa.select(sa.func.count()).where(
                self._table.c.image_id == image, self._table.c.deleted_at.is_(None)
            )
        ).scalar_one()

    def mentioning(self, connection: sa.Connection, text: str) -> Sequence[Instance]:
        """Living instances whose request holds this text anywhere."""
        rows = connection.execute(
            sa.select(self._table).where(
                self._table.c.deleted_at.is_(None),
                sa.cast(self._table.c.request, sa.Text).contains(text, autoescape=True),
            )
        )
        return [_instance(row) for row in rows]

    def on_host(self, connection: sa.Connection, host: HostId) -> int:
        """How many living instances are there."""
        return connection.execute(
            sa.select(sa.func.count()).where(
                self._table.c.host_id == host, self._table.c.deleted_at.is_(None)
            )
        ).scalar_one()

    def settled_on(self, connection: sa.Connection, host: HostId) -> Sequence[Instance]:
        """Instances there that were built and that nothing is being done to."""
        column = self._table.c
        rows = connection.execute(
            sa.select(self._table).where(column.host_id == host, *self._settled())
        )
        return [_instance(row) for row in rows]

    def note_power(
        self, connection: sa.Connection, instance: Instance, state: VmState, power: PowerState
    ) -> None:
        """What the hypervisor says of it, unless something is done to it by now."""
        connection.execute(
            sa.update(self._table)
            .where(self._table.c.id == instance.id, *self._settled())
            .values(vm_state=state, power_state=power)
        )

    def _settled(self) -> list[sa.ColumnElement[bool]]:
        column = self._table.c
        return [
            column.deleted_at.is_(None),
            column.operation_id.is_(None),
            column.task_state.is_(None),
            column.vm_state.in_((VmState.ACTIVE, VmState.STOPPED)),
        ]

    def take(
        self,
        connection: sa.Connection,
        instance: InstanceId,
        operation: OperationId,
        *,
        instead_of: OperationId | None,
    ) -> bool:
        """Make `operation` the one that runs on this instance; False if another one does."""
        column = self._table.c
        held = column.operation_id.is_(None) | (column.operation_id == operation)
        if instead_of is not None:
            held |= column.operation_id == instead_of
        taken = connection.execute(
            sa.update(self._table).where(column.id == instance, held).values(operation_id=operation)
        )
        return taken.rowcount == 1

    def hold(self, connection: sa.Connection, instance: InstanceId) -> None:
        """Keep the row from others until our transaction has ended."""
        self._hold.one(connection, {"instance_id": instance})

    def refuse_taken(
        self, connection: sa.Connection, instance: InstanceId, operation: OperationId
    ) -> None:
        """`Conflict` if another operation has the instance; until our transaction has ended, none
        takes it."""
        self.hold(connection, instance)
        known = self.known(connection, instance)
        holder = known.operation_id if known else None
        if holder not in (None, operation):
            raise Conflict(
                f"operation {operation} cannot go on: {holder} has taken over its instance",
                hint=f"see: vmwright operation show {holder}",
            )

    def let_go(
        self, connection: sa.Connection, instance: InstanceId, operation: OperationId
    ) -> None:
        self._let_go.one(connection, {"instance_id": instance, "operation": operation})

    def enter(
        self, connection: sa.Connection, instance: InstanceId, task_state: TaskState | None
    ) -> bool:
        """Move the task state, unless the instance is being deleted. True if it moved."""
        entering = {"instance_id": instance, "entered": task_state}
        return self._enter.one(connection, entering) == 1

    def mark_deleting(self, connection: sa.Connection, instance: InstanceId) -> None:
        connection.execute(
            sa.update(self._table)
            .where(self._table.c.id == instance, self._table.c.deleted_at.is_(None))
            .values(task_state=TaskState.DELETING)
        )

    def activate(
        self,
        connection: sa.Connection,
        instance: InstanceId,
        *,
        power_state: PowerState,
        launched_on: str,
    ) -> bool:
        """building -> active: it decides the race with a delete. False if a delete came first."""
        launched = {"instance_id": instance, "power": power_state, "host": launched_on}
        return connection.execute(self._activate, launched).rowcount == 1

    def finish_building(
        self,
        connection: sa.Connection,
        instance: InstanceId,
        *,
        power_state: PowerState,
        launched_on: str,
    ) -> bool:
        """As `activate` and `enter` of no task state, in one move. False, and nothing moved, if
        the instance is not in a task of its build."""
        launched = {"instance_id": instance, "power": power_state, "host": launched_on}
        return self._finish_building.one(connection, launched) == 1

    def was_launched(self, connection: sa.Connection, instance: InstanceId) -> None:
        """Its guest has been active, although nobody wrote down when."""
        column = self._table.c
        connection.execute(
            sa.update(self._table)
            .where(column.id == instance, column.launched_at.is_(None))
            .values(launched_at=now())
        )

    def place(self, connection: sa.Connection, instance: InstanceId, host: HostId | None) -> None:
        self._place.one(connection, {"instance_id": instance, "host": host})

    def fail(self, connection: sa.Connection, instance: InstanceId, fault: dict[str, Any]) -> None:
        """The build was taken back: error, with the reason. A delete under way keeps its mark,
        and a tombstone stays one."""
        column = self._table.c
        connection.execute(
            sa.update(self._table)
            .where(column.id == instance, column.deleted_at.is_(None))
            .values(
                vm_state=VmState.ERROR,
                power_state=PowerState.NOSTATE,
                task_state=sa.case(
                    (column.task_state == TaskState.DELETING, TaskState.DELETING.value),
                    else_=None,
                ),
                fault=fault,
            )
        )

    def end_deleting(self, connection: sa.Connection, instance: InstanceId) -> None:
        """It is not being deleted any more, and is not deleted."""
        column = self._table.c
        connection.execute(
            sa.update(self._table)
            .where(column.id == instance, column.task_state == TaskState.DELETING)
            .values(task_state=None)
        )

    def build_again(self, connection: sa.Connection, instance: InstanceId) -> None:
        """A build that somebody had to help goes on: what was told of it is not so any more."""
        column = self._table.c
        connection.execute(
            sa.update(self._table)
            .where(
                column.id == instance,
                column.vm_state == VmState.ERROR,
                column.deleted_at.is_(None),
            )
            .values(vm_state=VmState.BUILDING, fault=None)
        )

    def bury(self, connection: sa.Connection, instance: InstanceId) -> None:
        """Leave a tombstone, so that what is found outside can be told from what is unknown."""
        self._bury.one(connection, {"instance_id": instance})

    # Statements that every operation makes.

    @cached_property
    def _by_id(self) -> sa.Select[Any]:
        return sa.select(self._table).where(self._table.c.id == sa.bindparam("instance"))

    @property
    def _one(self) -> sa.Update:
        return sa.update(self._table).where(self._table.c.id == sa.bindparam("instance_id"))

    @cached_property
    def _hold(self) -> Prepared:
        return Prepared(self._one.values(name=self._table.c.name))

    @cached_property
    def _let_go(self) -> Prepared:
        held = self._table.c.operation_id == sa.bindparam("operation")
        return Prepared(self._one.where(held).values(operation_id=None))

    @cached_property
    def _place(self) -> Prepared:
        return Prepared(self._one.values(host_id=sa.bindparam("host")))

    @cached_property
    def _enter(self) -> Prepared:
        column, entered = self._table.c.task_state, sa.bindparam("entered", type_=sa.String())
        elsewhere = column.is_distinct_from(entered)
        return Prepared(self._one.where(self._kept, elsewhere).values(task_state=entered))

    @cached_property
    def _activate(self) -> sa.Update:
        reached = self._table.c.vm_state.in_((VmState.BUILDING, VmState.ACTIVE))
        return self._launching.where(reached)

    @cached_property
    def _finish_building(self) -> Prepared:
        column = self._table.c
        return Prepared(
            self._launching.where(
                column.vm_state == VmState.BUILDING, column.task_state.is_not(None)
            )
        )

    @property
    def _launching(self) -> sa.Update:
        return self._one.where(self._kept).values(
            vm_state=VmState.ACTIVE,
            task_state=None,
            power_state=sa.bindparam("power"),
            launched_on=sa.bindparam("host"),
            launched_at=now(),
            fault=None,
        )

    @cached_property
    def _bury(self) -> Prepared:
        return Prepared(
            self._one.where(self._table.c.deleted_at.is_(None)).values(
                vm_state=VmState.DELETED,
                task_state=None,
                power_state=PowerState.NOSTATE,
                host_id=None,
                deleted_at=now(),
            )
        )

    @property
    def _kept(self) -> sa.ColumnElement[bool]:
        """It is not being deleted."""
        return self._table.c.task_state.is_distinct_from(TaskState.DELETING)


def refuse_unknown_states(instance: Instance) -> None:
    """`Damaged` if a state of its row is none that is known here."""
    for column, kind in _KINDS.items():
        value = getattr(instance, column)
        if value is not None and not isinstance(value, kind):
            raise Damaged(f"instances.{column} is none that is known here")


def _instance(row: sa.Row[Any]) -> Instance:
    values = dict(row._mapping)
    for column, kind in _KINDS.items():
        # What is not known stays as it is: one damaged row must not hide all others of a list.
        with suppress(ValueError):
            values[column] = kind(values[column]) if values[column] is not None else None
    return Instance(**values)
