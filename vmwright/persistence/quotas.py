"""Quotas: what a project may have, and what it has. Use is counted from rows, never stored."""

from dataclasses import dataclass

import sqlalchemy as sa

from vmwright.persistence.tables import Schema
from vmwright.states import VmState


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a project has, and what its builds will still make; `ram` is in MiB."""

    instances: int
    cores: int
    ram: int
    volumes: int
    gigabytes: int
    fixed_ips: int


class QuotaStore:
    """Limits that differ from the configured ones, and what counts against limits."""

    def __init__(self, schema: Schema) -> None:
        self._projects = schema.projects
        self._quotas = schema.quotas
        self._instances = schema.instances
        self._volumes = schema.volumes
        self._snapshots = schema.snapshots
        self._ports = schema.ports

    def limits(self, connection: sa.Connection, project: str) -> dict[str, int]:
        """The limits that were set for this project, by resource; -1 is unlimited."""
        rows = connection.execute(
            sa.select(self._quotas.c.resource, self._quotas.c.hard_limit)
            .where(self._quotas.c.project_id == project)
            .order_by(self._quotas.c.seq)
        )
        return {row.resource: row.hard_limit for row in rows}

    def set(self, connection: sa.Connection, project: str, resource: str, hard_limit: int) -> None:
        """Let this limit stand for the configured one."""
        self.hold(connection, project)
        self.unset(connection, project, resource)
        connection.execute(
            sa.insert(self._quotas).values(
                project_id=project, resource=resource, hard_limit=hard_limit
            )
        )

    def unset(self, connection: sa.Connection, project: str, resource: str) -> None:
        """Let the configured limit stand again."""
        connection.execute(
            sa.delete(self._quotas).where(
                self._quotas.c.project_id == project, self._quotas.c.resource == resource
            )
        )

    def hold(self, connection: sa.Connection, project: str) -> None:
        """Take the project until the transaction ends: what is counted afterwards holds all that
        was accepted before, and nobody else counts meanwhile."""
        if not self._take(connection, project):
            connection.execute(self._first_turn(connection.dialect.name, project))

    def usage(self, connection: sa.Connection, project: str) -> Usage:
        """What counts against the limits of a project: take it first, where that decides.

        Of an instance that is being built all that its request asks for counts, and no row that
        was made for it does: such rows come and go with its attempts.
        """
        instances = self._counted_instances(connection, project)
        coming = self._coming(connection, project)
        volumes, volume_gib = self._counted_volumes(connection, project)
        return Usage(
            instances=instances[0],
            cores=instances[1],
            ram=instances[2],
            volumes=volumes + coming[0],
            gigabytes=volume_gib + self._snapshot_gib(connection, project) + coming[1],
            fixed_ips=self._counted_ports(connection, project) + coming[2],
        )

    def _first_turn(self, dialect: str, project: str) -> sa.Executable:
        """Make the project's row, or take it if somebody else has made it meanwhile.

        One statement: on MariaDB an insert that is refused leaves a lock that others have too, and
        with which nobody may write.
        """
        table, first = self._projects, {"id": project, "serial": 1}
        again = {"serial": table.c.serial + 1}
        match dialect:
            case "postgresql":
                from sqlalchemy.dialects import postgresql

                row = postgresql.insert(table).values(first)
                return row.on_conflict_do_update(index_elements=["id"], set_=again)
            case "sqlite":
                from sqlalchemy.dialects import sqlite

                line = sqlite.insert(table).values(first)
                return line.on_conflict_do_update(index_elements=["id"], set_=again)
            case _:
                from sqlalchemy.dialects import mysql

                return mysql.insert(table).values(first).on_duplicate_key_update(again)

    def _take(self, connection: sa.Connection, project: str) -> bool:
        taken = connection.execute(
            sa.update(self._projects)
            .where(self._projects.c.id == project)
            .values(serial=self._projects.c.serial + 1)
        )
        return taken.rowcount == 1

    def _counted_instances(self, connection: sa.Connection, project: str) -> list[int]:
        column = self._instances.c
        return _numbers(
            connection,
            sa.select(sa.func.count(), _sum(column.vcpus), _sum(column.memory_mib)).where(
                column.project_id == project, column.deleted_at.is_(None)
            ),
        )

    def _coming(self, connection: sa.Connection, project: str) -> list[int]:
        """Volumes, GiB and addresses that builds have asked for."""
        column = self._instances.c
        return _numbers(
            connection,
            sa.select(_sum(column.new_volumes), _sum(column.new_gib), _sum(column.new_ips)).where(
                column.project_id == project, self._is_building
            ),
        )

    def _counted_volumes(self, connection: sa.Connection, project: str) -> list[int]:
        column = self._volumes.c
        return _numbers(
            connection,
            sa.select(sa.func.count(), _sum(column.size_gib)).where(
                column.project_id == project,
                column.deleted_at.is_(None),
                ~self._for_a_build(column.made_for),
            ),
        )

    def _snapshot_gib(self, connection: sa.Connection, project: str) -> int:
        column = self._snapshots.c
        (gib,) = _numbers(
            connection,
            sa.select(_sum(column.size_gib)).where(
                column.project_id == project, column.deleted_at.is_(None)
            ),
        )
        return gib

    def _counted_ports(self, connection: sa.Connection, project: str) -> int:
        column = self._ports.c
        (ports,) = _numbers(
            connection,
            sa.select(sa.func.count()).where(
                column.project_id == project,
                column.user_made | ~self._for_a_build(column.instance_id),
            ),
        )
        return ports

    @property
    def _is_building(self) -> sa.ColumnElement[bool]:
        column = self._instances.c
        return (column.vm_state == VmState.BUILDING.value) & column.deleted_at.is_(None)

    def _for_a_build(self, instance: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Whether a row's instance is being built; one without an instance is for none."""
        return sa.exists().where(self._instances.c.id == instance, self._is_building)


def _sum(column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(column), 0)


def _numbers(connection: sa.Connection, query: sa.Executable) -> list[int]:
    """The only row; sums of big integers come as decimals."""
    return [int(number) for number in connection.execute(query).one()]
