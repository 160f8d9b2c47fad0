"""Snapshots: what volumes held at one moment."""

from collections.abc import Sequence

import sqlalchemy as sa

from vmwright.errors import Conflict, NotFound
from vmwright.ids import HostId, SnapshotId
from vmwright.persistence.database import now
from vmwright.persistence.records import Snapshot
from vmwright.persistence.tables import Schema


class SnapshotStore:
    """Snapshots; their rows are never written again, but for their end."""

    def __init__(self, schema: Schema) -> None:
        self._table = schema.snapshots

    def add(self, connection: sa.Connection, snapshot: Snapshot) -> None:
        values = snapshot.values() | {"created_at": now()}
        connection.execute(sa.insert(self._table).values(values))

    def get(self, connection: sa.Connection, snapshot: SnapshotId) -> Snapshot | None:
        """By id, deleted ones included."""
        row = connection.execute(
            sa.select(self._table).where(self._table.c.id == snapshot)
        ).one_or_none()
        return None if row is None else Snapshot.of(row)

    def find(self, connection: sa.Connection, project: str, name_or_id: str) -> Snapshot:
        """The project's one living snapshot with this id or name. `Conflict` if several have the
        name. It is not deleted before the caller's transaction has ended."""
        column = self._table.c
        rows = connection.execute(
            sa.select(self._table)
            .where(
                column.project_id == project,
                column.deleted_at.is_(None),
                sa.or_(column.id == name_or_id, column.name == name_or_id),
            )
            .order_by(column.seq)
            .with_for_update(read=True)
        ).all()
        exact = [row for row in rows if row.id == name_or_id] or rows
        if not exact:
            raise NotFound(f"no snapshot {name_or_id!r}", hint="see: vmwright volume snapshot list")
        if len(exact) > 1:
            ids = ", ".join(row.id for row in exact)
            raise Conflict(f"several snapshots are named {name_or_id!r}", hint=f"use an id: {ids}")
        return Snapshot.of(exact[0])

    def all(self, connection: sa.Connection, project: str) -> Sequence[Snapshot]:
        """The project's living ones, oldest first."""
        column = self._table.c
        rows = connection.execute(
            sa.select(self._table)
            .where(column.project_id == project, column.deleted_at.is_(None))
            .order_by(column.seq)
        )
        return [Snapshot.of(row) for row in rows]

    def at(self, connection: sa.Connection, location: str) -> bool:
        """Whether a living snapshot lies at this place of some host."""
        column = self._table.c
        row = connection.execute(
            sa.select(column.seq).where(column.location == location, column.deleted_at.is_(None))
        ).first()
        return row is not None

    def on_host(self, connection: sa.Connection, host: HostId) -> int:
        """How many living snapshots lie there."""
        column = self._table.c
        return connection.execute(
            sa.select(sa.func.count()).where(column.host_id == host, column.deleted_at.is_(None))
        ).scalar_one()

    def bury(self, connection: sa.Connection, snapshot: SnapshotId) -> None:
        connection.execute(
            sa.update(self._table)
            .where(self._table.c.id == snapshot, self._table.c.deleted_at.is_(None))
            .values(deleted_at=now())
        )

    def forget_buried(self, connection: sa.Connection, host: HostId) -> None:
        """Keep no word of those that were deleted: their host is about to be forgotten."""
        column = self._table.c
        connection.execute(
            sa.delete(self._table).where(column.host_id == host, column.deleted_at.is_not(None))
        )
