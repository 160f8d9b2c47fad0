"""Server groups: instances that are to be together, or apart."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from vmwright.errors import NotFound
from vmwright.ids import HostId, InstanceId, ServerGroupId
from vmwright.persistence.inserting import insertion
from vmwright.persistence.owned import OwnedStore
from vmwright.persistence.records import ServerGroup
from vmwright.persistence.tables import Schema


class ServerGroupStore(OwnedStore[ServerGroup]):
    """Server groups belong to projects; an instance is in one at most."""

    def __init__(self, schema: Schema) -> None:
        super().__init__(schema.server_groups, ServerGroup, "server group", "project_id")
        self._members = schema.server_group_members
        self._joining = insertion(self._members)
        self._instances = schema.instances

    def get(self, connection: sa.Connection, group: ServerGroupId) -> ServerGroup:
        """By id, in whatever project it is; `NotFound` if there is none."""
        row = connection.execute(
            sa.select(self._table).where(self._table.c.id == group)
        ).one_or_none()
        if row is None:
            raise NotFound(f"no server group {group!r}", hint=self._where_to_look())
        return ServerGroup.of(row)

    def of_project(self, connection: sa.Connection, project: str) -> Sequence[ServerGroup]:
        """Every server group of a project, oldest first."""
        return self._all(connection, project)

    def hold(self, connection: sa.Connection, group: ServerGroupId) -> None:
        """Take the group's row until the transaction ends: what is read of its members then
        holds every decision about them that was made before."""
        connection.execute(
            sa.update(self._table)
            .where(self._table.c.id == group)
            .values(serial=self._table.c.serial + 1)
        )

    def remove(self, connection: sa.Connection, identifier: str) -> None:
        """Forget a group. `Conflict` if a living instance is in it."""
        self.hold(connection, ServerGroupId(identifier))
        deleted = sa.select(self._instances.c.id).where(self._instances.c.deleted_at.is_not(None))
        connection.execute(
            sa.delete(self._members).where(
                self._members.c.group_id == identifier, self._members.c.instance_id.in_(deleted)
            )
        )
        super().remove(connection, identifier)

    def add_members(
        self, connection: sa.Connection, members: Iterable[tuple[ServerGroupId, InstanceId]]
    ) -> None:
        rows = [{"group_id": group, "instance_id": instance} for group, instance in members]
        if rows:
            self._joining.many(connection, rows)

    def forget_member(self, connection: sa.Connection, instance: InstanceId) -> None:
        """The instance is in no group any more, if it was in one."""
        connection.execute(sa.delete(self._members).where(self._members.c.instance_id == instance))

    def members(self, connection: sa.Connection, group: ServerGroupId) -> Sequence[InstanceId]:
        """The living instances of a group, oldest first."""
        query = self._living(sa.select(self._instances.c.id), group)
        found = connection.execute(query.order_by(self._instances.c.seq)).scalars()
        return [InstanceId(instance) for instance in found]

    def hosts_of_members(
        self, connection: sa.Connection, group: ServerGroupId, without: InstanceId
    ) -> dict[HostId, int]:
        """How many living instances of a group are placed on each host, one not counted."""
        host = self._instances.c.host_id
        rows = connection.execute(
            self._living(sa.select(host, sa.func.count().label("number")), group)
            .where(host.is_not(None), self._instances.c.id != without)
            .group_by(host)
        )
        return {HostId(row.host_id): row.number for row in rows}

    def _living(self, query: sa.Select[Any], group: ServerGroupId) -> sa.Select[Any]:
        return query.join_from(
            self._members, self._instances, self._instances.c.id == self._members.c.instance_id
        ).where(self._members.c.group_id == group, self._instances.c.deleted_at.is_(None))
