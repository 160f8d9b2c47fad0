"""Volumes and who has them attached."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from vmwright.errors import Conflict, NotFound
from vmwright.ids import HostId, ImageId, InstanceId, OperationId, SnapshotId, VolumeId
from vmwright.persistence.database import now
from vmwright.persistence.inserting import NewRow, insertion
from vmwright.persistence.prepared import Prepared
from vmwright.persistence.records import Attachment, VolumeRecord
from vmwright.persistence.tables import Schema


@dataclass(frozen=True, kw_only=True)
class WantedVolume:
    """A volume that an instance is to have: where it lies if it was on no host before."""

    attachment: Attachment
    location: str
    new: VolumeRecord | None = None
    """The volume, if it is made for that."""


class VolumeStore:
    """Volumes; one is attached to at most one instance."""

    def __init__(self, schema: Schema) -> None:
        self._volumes = schema.volumes
        self._attachments = schema.attachments
        self._new_attachment = NewRow(schema.attachments)

    def map_all(
        self, connection: sa.Connection, wanted: Sequence[WantedVolume], *, host: HostId
    ) -> Sequence[VolumeRecord]:
        """Attach these, those that are not on a host yet as lying on this one, made by whose
        attachment it is; asked again by the same operation, do nothing.

        Raises as `attach` does. New ones cost the same statements in any number.
        """
        if not wanted:
            return []
        known = self._known(connection, [one.attachment.volume_id for one in wanted])
        fresh = [one for one in wanted if one.new and one.attachment.volume_id not in known]
        made = {record.id: record for record in self._add_attached(connection, fresh, host)}
        return [
            made.get(one.attachment.volume_id) or self._map(connection, one, host) for one in wanted
        ]

    def _known(self, connection: sa.Connection, volumes: Sequence[VolumeId]) -> set[str]:
        if len(volumes) == 1:
            found = self._id.select(connection, {"volume": volumes[0]})
            return {volume for (volume,) in found}
        return set(connection.execute(self._ids, {"volumes": list(volumes)}).scalars())

    def _add_attached(
        self, connection: sa.Connection, wanted: Sequence[WantedVolume], host: HostId
    ) -> Sequence[VolumeRecord]:
        """Volumes that nobody knows of yet: they are attached as they are stored."""
        records = [
            replace(
                one.new,
                host_id=host,
                location=one.location,
                made_by=one.attachment.operation_id,
                uses=1,
            )
            for one in wanted
            if one.new is not None
        ]
        if records:
            self._insert.many(connection, [_new_row(record) for record in records])
            rows = [one.attachment.values() for one in wanted]
            self._attach.many(connection, rows)
        return records

    def _map(self, connection: sa.Connection, wanted: WantedVolume, host: HostId) -> VolumeRecord:
        attachment = wanted.attachment
        if wanted.new is not None:
            self.add(connection, wanted.new)
        self.attach(connection, attachment)
        return self.put(
            connection,
            attachment.volume_id,
            host=host,
            location=wanted.location,
            made_by=attachment.operation_id,
        )

    def add(self, connection: sa.Connection, volume: VolumeRecord) -> None:
        """Store a new one, or one that was taken back, as if it had never been on a host; asked
        again with the same id, do nothing."""
        known = self.get(connection, volume.id)
        if known is None:
            self._insert.one(connection, _new_row(volume))
        elif known.deleted_at is not None:
            connection.execute(
                sa.update(self._volumes)
                .where(self._volumes.c.id == volume.id)
                .values(_new_row(volume) | {"created_at": now()})
            )

    def find(
        self, connection: sa.Connection, name_or_id: str, *, project: str | None = None
    ) -> VolumeRecord:
        """The one living volume with this id or name, of this project or of any.

        `Conflict` if several have the name.
        """
        column = self._volumes.c
        query = sa.select(self._volumes).where(
            # Said of both, each has an index to be found along.
            sa.or_(
                sa.and_(column.id == name_or_id, column.deleted_at.is_(None)),
                sa.and_(column.deleted_at.is_(None), column.name == name_or_id),
            )
        )
        if project is not None:
            query = query.where(column.project_id == project)
        rows = connection.execute(query).all()
        exact = [row for row in rows if row.id == name_or_id] or rows
        if not exact:
            raise NotFound(f"no volume {name_or_id!r}", hint="see: vmwright volume list")
        if len(exact) > 1:
            ids = ", ".join(row.id for row in exact)
            raise Conflict(f"several volumes are named {name_or_id!r}", hint=f"use an id: {ids}")
        return VolumeRecord.of(exact[0])

    def get(self, connection: sa.Connection, volume: VolumeId) -> VolumeRecord | None:
        """By id, deleted ones included."""
        row = connection.execute(self._by_id, {"volume": volume}).one_or_none()
        return None if row is None else VolumeRecord.of(row)

    def at(self, connection: sa.Connection, location: str) -> bool:
        """Whether a living volume lies at this place of some host."""
        column = self._volumes.c
        row = connection.execute(
            sa.select(column.seq).where(column.location == location, column.deleted_at.is_(None))
        ).first()
        return row is not None

    def page(
        self,
        connection: sa.Connection,
        *,
        project: str | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> Sequence[VolumeRecord]:
        """Living ones, of this project or of any."""
        query = sa.select(self._volumes).where(
            self._volumes.c.deleted_at.is_(None), self._volumes.c.seq > after
        )
        if project is not None:
            query = query.where(self._volumes.c.project_id == project)
        order = (self._volumes.c.deleted_at, self._volumes.c.seq)  # as an index has them
        rows = connection.execute(query.order_by(*order).limit(limit))
        return [VolumeRecord.of(row) for row in rows]

    def on_host(self, connection: sa.Connection, host: HostId) -> int:
        """How many living volumes lie there."""
        return self._count(connection, self._volumes.c.host_id == host)

    def uses_of_image(self, connection: sa.Connection, image: ImageId) -> int:
        """How many living volumes were made from it."""
        return self._count(connection, self._volumes.c.image_id == image)

    def uses_of_snapshot(self, connection: sa.Connection, snapshot: SnapshotId) -> int:
        """How many living volumes were made from it, or will be."""
        return self._count(connection, self._volumes.c.snapshot_id == snapshot)

    def _count(self, connection: sa.Connection, condition: sa.ColumnElement[bool]) -> int:
        return connection.execute(
            sa.select(sa.func.count()).where(condition, self._volumes.c.deleted_at.is_(None))
        ).scalar_one()

    def attachment_of(self, connection: sa.Connection, volume: VolumeId) -> Attachment | None:
        row = connection.execute(
            sa.select(self._attachments).where(self._attachments.c.volume_id == volume)
        ).one_or_none()
        return None if row is None else Attachment.of(row)

    def attached(
        self, connection: sa.Connection, instance: InstanceId
    ) -> Sequence[tuple[Attachment, VolumeRecord]]:
        """The volumes of an instance, in the order of its devices."""
        names, more = self._attachments.c.keys(), self._volumes.c.keys()
        return [
            (
                Attachment(**dict(zip(names, row[: len(names)], strict=True))),
                VolumeRecord(**dict(zip(more, row[len(names) :], strict=True))),
            )
            for row in connection.execute(self._attached, {"instance": instance})
        ]

    def attach(self, connection: sa.Connection, attachment: Attachment) -> None:
        """Attach; asked again by the same operation, only its wishes count anew.

        `Conflict` if it is in use, `NotFound` if it was deleted meanwhile.
        """
        self.keep_living(connection, attachment.volume_id)
        if self._new_attachment.insert(connection, attachment.values()):
            self._count_use(connection, attachment.volume_id)
            return
        held = self.attachment_of(connection, attachment.volume_id)
        if held is None or held.operation_id != attachment.operation_id:
            raise Conflict(f"volume {attachment.volume_id} is in use")
        self._wish_anew(connection, held, attachment)

    def _wish_anew(self, connection: sa.Connection, held: Attachment, wish: Attachment) -> None:
        """An attempt before may have given the volume up, and kept it."""
        connection.execute(
            sa.update(self._attachments)
            .where(self._attachments.c.id == held.id)
            .values(position=wish.position, delete_on_termination=wish.delete_on_termination)
        )

    def _count_use(self, connection: sa.Connection, volume: VolumeId) -> None:
        self._one_use_more.one(connection, {"volume": volume})

    def keep_living(self, connection: sa.Connection, volume: VolumeId) -> None:
        """Hold the row, so that nobody deletes or attaches the volume before our transaction has
        ended; `NotFound` if it was deleted."""
        living = connection.execute(self._living, {"volume": volume}).first()
        if living is None:
            raise NotFound(f"volume {volume} was deleted")

    def put(
        self,
        connection: sa.Connection,
        volume: VolumeId,
        *,
        host: HostId,
        location: str,
        made_by: OperationId,
    ) -> VolumeRecord:
        """Write down where the volume is about to be made, unless it is on a host already."""
        place = {"host": host, "place": location, "maker": made_by}
        self._put.one(connection, {"volume": volume} | place)
        record = self.get(connection, volume)
        if record is None or record.deleted_at is not None:
            raise NotFound(f"volume {volume} was deleted")
        return record

    def detach(
        self,
        connection: sa.Connection,
        instance: InstanceId,
        operation: OperationId | None,
        *,
        keep: bool = False,
    ) -> None:
        """End the attachments of an instance; with an operation, only those that it made.

        `keep` is for a guest that may still be there: what lies on a host and stays there is
        nobody else's before `give_back`, and does not go with the instance any more.
        """
        column = self._attachments.c
        condition = column.instance_id == instance
        if operation is not None:
            condition &= column.operation_id == operation
        if keep:
            stays = column.volume_id.in_(self._staying(connection, instance))
            connection.execute(
                sa.update(self._attachments)
                .where(condition, stays)
                .values(delete_on_termination=False)
            )
            condition &= ~stays
        connection.execute(sa.delete(self._attachments).where(condition))

    def give_back(
        self, connection: sa.Connection, instance: InstanceId, operation: OperationId
    ) -> None:
        """End the attachments that an operation's undo had to keep. What that undo has left
        undone stays attached: the place of such a volume is not true."""
        attached = self.attached(connection, instance)
        kept = [volume.id for _, volume in attached if volume.made_by != operation]
        column = self._attachments.c
        connection.execute(
            sa.delete(self._attachments).where(
                column.instance_id == instance,
                column.operation_id == operation,
                column.volume_id.in_(kept),
            )
        )

    def _staying(self, connection: sa.Connection, instance: InstanceId) -> list[VolumeId]:
        attached = self.attached(connection, instance)
        return [
            volume.id
            for _, volume in attached
            if volume.location is not None and volume.deleted_at is None
        ]

    def forget_made_by(
        self, connection: sa.Connection, operation: OperationId, keep: Sequence[VolumeId]
    ) -> None:
        """What this operation put on a host is there no more: new ones are deleted with it,
        `keep` (the user's own) are as they were before: bound to no host, but by a snapshot."""
        column = self._volumes.c
        made = column.made_by == operation
        bound = sa.case((column.snapshot_id.is_not(None), column.host_id), else_=None)
        connection.execute(
            sa.update(self._volumes)
            .where(made, column.id.in_(keep))
            .values(host_id=bound, location=None, made_by=None)
        )
        connection.execute(
            sa.update(self._volumes)
            .where(made, column.id.not_in(keep), column.deleted_at.is_(None))
            .values(host_id=None, location=None, made_by=None, deleted_at=now())
        )

    def bury(self, connection: sa.Connection, *volumes: VolumeId) -> None:
        if volumes:
            self._bury.many(connection, [{"volume": volume} for volume in volumes])

    # Statements that every build or delete makes.

    @cached_property
    def _by_id(self) -> sa.Select[Any]:
        return sa.select(self._volumes).where(self._volumes.c.id == sa.bindparam("volume"))

    @cached_property
    def _id(self) -> Prepared:
        column = self._volumes.c
        return Prepared(sa.select(column.id).where(column.id == sa.bindparam("volume")))

    @cached_property
    def _ids(self) -> sa.Select[Any]:
        column = self._volumes.c
        return sa.select(column.id).where(column.id.in_(sa.bindparam("volumes", expanding=True)))

    @cached_property
    def _insert(self) -> Prepared:
        return insertion(self._volumes, created_at=now())

    @cached_property
    def _attach(self) -> Prepared:
        return insertion(self._attachments)

    @cached_property
    def _living(self) -> sa.Select[Any]:
        column = self._volumes.c
        living = column.deleted_at.is_(None)
        found = sa.select(column.seq).where(column.id == sa.bindparam("volume"), living)
        return found.with_for_update()

    @cached_property
    def _attached(self) -> sa.Select[Any]:
        attachment, volume = self._attachments.c, self._volumes.c
        return (
            sa.select(self._attachments, self._volumes)
            .join_from(self._attachments, self._volumes, volume.id == attachment.volume_id)
            .where(attachment.instance_id == sa.bindparam("instance"))
            .order_by(attachment.position)
        )

    @cached_property
    def _one_use_more(self) -> Prepared:
        column = self._volumes.c
        used = sa.update(self._volumes).where(column.id == sa.bindparam("volume"))
        return Prepared(used.values(uses=column.uses + 1))

    @cached_property
    def _bury(self) -> Prepared:
        column = self._volumes.c
        buried = column.id == sa.bindparam("volume"), column.deleted_at.is_(None)
        return Prepared(sa.update(self._volumes).where(*buried).values(deleted_at=now()))

    @cached_property
    def _put(self) -> Prepared:
        column = self._volumes.c
        return Prepared(
            sa.update(self._volumes)
            .where(column.id == sa.bindparam("volume"), column.location.is_(None))
            .values(
                host_id=sa.bindparam("host"),
                location=sa.bindparam("place"),
                made_by=sa.bindparam("maker"),
            )
        )


def _new_row(volume: VolumeRecord) -> dict[str, Any]:
    """As it is inserted: when, the database's clock says."""
    row = volume.values()
    del row["created_at"]
    return row
