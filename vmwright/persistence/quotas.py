"""Quotas: what a project may have, and what it has. Use is counted from rows, never stored."""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from vmwright.persistence.prepared import Prepared
from vmwright.persistence.tables import Schema
from vmwright.states import VmState

_PROJECT: sa.BindParameter[str] = sa.bindparam("project", type_=sa.String)


@dataclass(frozen=True)
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
        return dict(self._reading.select(connection, {"project": project}))

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
        parts = self._counting.select(connection, {"project": project})
        # Sums of big integers come as decimals.
        return Usage(*(sum(map(int, numbers)) for numbers in zip(*parts, strict=True)))

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
        return self._taking.one(connection, {"project": project}) == 1

    @cached_property
    def _taking(self) -> Prepared:
        column = self._projects.c
        mine = column.id == _PROJECT
        return Prepared(sa.update(self._projects).where(mine).values(serial=column.serial + 1))

    @cached_property
    def _reading(self) -> Prepared:
        column = self._quotas.c
        return Prepared(
            sa.select(column.resource, column.hard_limit)
            .where(column.project_id == _PROJECT)
            .order_by(column.seq)
        )

    @cached_property
    def _counting(self) -> Prepared:
        """All of it in one statement: a row for each kind of thing, to be added up."""
        parts = (
            (self._counted_instances(), self._instances),
            (self._counted_volumes(), self._volumes),
            (self._counted_snapshots(), self._snapshots),
            (self._counted_ports(), self._ports),
        )
        return Prepared(
            sa.union_all(*(part.where(table.c.project_id == _PROJECT) for part, table in parts))
        )

    def _counted_instances(self) -> sa.Select[Any]:
        """Also the volumes, GiB and addresses that builds have asked for."""
        column = self._instances.c
        new_volumes, new_gib, new_ips = (
            _sum(sa.case((self._is_building, amount), else_=0))
            for amount in (column.new_volumes, column.new_gib, column.new_ips)
        )
        return _part(
            instances=sa.func.count(),
            cores=_sum(column.vcpus),
            ram=_sum(column.memory_mib),
            volumes=new_volumes,
            gigabytes=new_gib,
            fixed_ips=new_ips,
        ).where(column.deleted_at.is_(None))

    def _counted_volumes(self) -> sa.Select[Any]:
        column = self._volumes.c
        return _part(volumes=sa.func.count(), gigabytes=_sum(column.size_gib)).where(
            column.deleted_at.is_(None), ~self._for_a_build(column.made_for)
        )

    def _counted_snapshots(self) -> sa.Select[Any]:
        column = self._snapshots.c
        return _part(gigabytes=_sum(column.size_gib)).where(column.deleted_at.is_(None))

    def _counted_ports(self) -> sa.Select[Any]:
        column = self._ports.c
        return _part(fixed_ips=sa.func.count()).where(
            column.user_made | ~self._for_a_build(column.instance_id)
        )

    @property
    def _is_building(self) -> sa.ColumnElement[bool]:
        column = self._instances.c
        return (column.vm_state == VmState.BUILDING.value) & column.deleted_at.is_(None)

    def _for_a_build(self, instance: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        """Whether a row's instance is being built; one without an instance is for none."""
        return sa.exists().where(self._instances.c.id == instance, self._is_building)


def _part(**counted: sa.ColumnElement[int]) -> sa.Select[Any]:
    """What one kind of thing adds to each of the counted resources."""
    nothing: sa.ColumnElement[int] = sa.literal_column("0")
    columns: list[Any] = [counted.get(resource.name, nothing) for resource in fields(Usage)]
    return sa.select(*columns)


def _sum(column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(column), 0)
