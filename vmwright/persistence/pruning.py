"""Removing the history of what is long gone. Of a deleted thing its id stays, as a tombstone:
whoever finds it somewhere can tell that it was ours, and that it was deleted."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from vmwright.ids import InstanceId
from vmwright.persistence.tables import Schema
from vmwright.states import ENDED


@dataclass(frozen=True, kw_only=True)
class Grave:
    """A deleted thing, and its place in the order in which things were deleted."""

    deleted_at: float
    seq: int
    id: str


BEFORE_ALL = Grave(deleted_at=0.0, seq=0, id="")


class PruneStore:
    """Deleted instances, volumes and snapshots, and all that only they had."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.nouns = {
            "instance": schema.instances,
            "volume": schema.volumes,
            "snapshot": schema.snapshots,
        }

    def page(
        self, connection: sa.Connection, noun: str, *, until: float, after: Grave, limit: int
    ) -> Sequence[Grave]:
        """Those that were deleted before `until`, seconds since the epoch, and after that one."""
        column = self.nouns[noun].c
        later = (column.deleted_at > after.deleted_at) | (
            (column.deleted_at == after.deleted_at) & (column.seq > after.seq)
        )
        rows = connection.execute(
            sa.select(column.deleted_at, column.seq, column.id)
            # The first says again what `later` does, so that an index is gone along from there.
            .where(column.deleted_at >= after.deleted_at, later)
            .where(column.deleted_at < until)
            .order_by(column.deleted_at, column.seq)
            .limit(limit)
        )
        return [Grave(**row._mapping) for row in rows]

    def prune(
        self, connection: sa.Connection, noun: str, graves: Collection[Grave], *, until: float
    ) -> int:
        """Remove all of these that nothing needs any more; returns how many."""
        table = self.nouns[noun]
        found = sorted(grave.id for grave in graves)
        query = sa.select(table.c.id).where(table.c.id.in_(found), *self._spared(noun, until))
        # What another process prunes in this moment is left to it.
        doomed = list(connection.execute(query.with_for_update(skip_locked=True)).scalars())
        if not doomed:
            return 0
        if noun == "instance":
            self._remove_runs(connection, [InstanceId(one) for one in doomed])
        self._delete(connection, table, "id", doomed)
        chosen = set(doomed)
        connection.execute(
            sa.insert(self._schema.tombstones),
            [
                {"id": grave.id, "kind": noun, "deleted_at": grave.deleted_at}
                for grave in graves
                if grave.id in chosen
            ],
        )
        return len(doomed)

    def _spared(self, noun: str, until: float) -> Iterable[sa.ColumnElement[bool]]:
        """What must be so, in the transaction that removes it."""
        schema, column = self._schema, self.nouns[noun].c
        yield column.deleted_at < until
        if noun == "instance":
            yield column.operation_id.is_(None)
            yield ~_any(schema.operations, "instance_id", column.id, _unfinished(schema))
            for table in (schema.debts, schema.claims, schema.ports, schema.attachments):
                yield ~_any(table, "instance_id", column.id)
            yield ~_any(schema.server_group_members, "instance_id", column.id)
            yield ~self._is_answered_for(until)
            yield column.id != self._latest()
        if noun == "volume":
            # While its maker has a row, that says what became of it.
            yield ~_any(schema.instances, "id", column.made_for)
            yield ~_any(schema.attachments, "volume_id", column.id)
            yield ~_any(schema.snapshots, "volume_id", column.id)

    def _is_answered_for(self, until: float) -> sa.ColumnElement[bool]:
        """Whether another instance of its request stays: whoever asks again is told all of them."""
        column, other = self._schema.instances.c, self._schema.instances.alias("other").c
        stays = other.deleted_at.is_(None) | (other.deleted_at >= until)
        return sa.exists().where(other.reservation_id == column.reservation_id, stays)

    def _latest(self) -> sa.ScalarSelect[str]:
        """Whose the latest event is: by it others see that the store is the one they know."""
        column = self._schema.events.c
        latest = sa.select(column.instance_id).order_by(column.seq.desc()).limit(1)
        # MariaDB takes no limit in a subquery that it compares with.
        one = latest.subquery("latest")
        return sa.func.coalesce(sa.select(one.c.instance_id).scalar_subquery(), "")  # type: ignore[return-value]

    def _remove_runs(self, connection: sa.Connection, instances: Sequence[InstanceId]) -> None:
        schema, book = self._schema, self._schema.logbook
        operations = schema.operations.c
        rows = connection.execute(
            sa.select(operations.id, operations.flow_detail_id).where(
                operations.instance_id.in_(instances)
            )
        ).all()
        runs, flows = [row.id for row in rows], [row.flow_detail_id for row in rows]
        books = set(
            connection.execute(
                sa.select(book.flowdetails.c.parent_uuid).where(book.flowdetails.c.uuid.in_(flows))
            ).scalars()
        )
        self._note_pruned(connection, runs)
        for table, column, values in (
            (schema.events, "operation_id", runs),
            (schema.attempts, "operation_id", runs),
            (book.atomdetails, "parent_uuid", flows),
            (book.flowdetails, "uuid", flows),
            (book.logbooks, "uuid", sorted(books)),
            (schema.operations, "id", runs),
            (schema.secrets, "instance_id", instances),
        ):
            self._delete(connection, table, column, values)

    def _note_pruned(self, connection: sa.Connection, runs: Sequence[str]) -> None:
        """Up to which event some may be missing; see `History`."""
        event, deployment = self._schema.events.c, self._schema.deployment
        # Of each: for one of all, PostgreSQL may go back through every event since.
        highest = connection.execute(
            sa.select(sa.func.max(event.seq))
            .where(event.operation_id.in_(runs))
            .group_by(event.operation_id)
        ).scalars()
        latest, known = max(highest, default=0), sa.func.coalesce(deployment.c.pruned_to, 0)
        connection.execute(sa.update(deployment).where(known < latest).values(pruned_to=latest))

    def _delete(
        self, connection: sa.Connection, table: sa.Table, column: str, values: Sequence[str]
    ) -> None:
        if values:
            connection.execute(sa.delete(table).where(table.c[column].in_(values)))


def _any(
    table: sa.Table, column: str, value: sa.ColumnElement[str], *more: sa.ColumnElement[bool]
) -> sa.ColumnElement[bool]:
    return sa.exists().where(table.c[column] == value, *more)


def _unfinished(schema: Schema) -> sa.ColumnElement[bool]:
    return schema.operations.c.state.not_in(sorted(ENDED))
