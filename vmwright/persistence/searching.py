"""Finding operations by what is known of them, and counting them.

However long the history is, a look reads no more than a window of it, and says where to go on.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from vmwright.ids import HostId, InstanceId, OperationId
from vmwright.persistence.held_operations import by_no_index
from vmwright.persistence.lists import Lists
from vmwright.persistence.operations import OperationStore
from vmwright.persistence.records import Operation
from vmwright.persistence.tables import Schema
from vmwright.states import ENDED, OperationState, VmState

WINDOW = 10_000
"""Operations that one look reads at most."""

_UNFINISHED = tuple(sorted(set(OperationState) - ENDED))


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What operations must have; None is anything."""

    project: str | None = None
    states: Iterable[OperationState] = tuple(OperationState)
    kind: str | None = None
    instance: InstanceId | None = None
    text: str | None = None
    """Part of the name of the instance, in capitals or not; or the whole id of either."""
    host: HostId | None = None
    """That of the latest attempt."""

    @property
    def is_rare(self) -> bool:
        """Whether no index finds them."""
        return any((self.kind, self.text, self.host))


@dataclass(frozen=True, kw_only=True)
class Found:
    """A page of operations, oldest first."""

    operations: Sequence[Operation]
    before: OperationId | None
    """The next page has those that were submitted before this one; None: there are no more. A
    page may be short, or empty, and another one follow."""


class Search:
    """Reads the newest that fit first."""

    def __init__(
        self, schema: Schema, lists: Lists, operations: OperationStore, window: int = WINDOW
    ) -> None:
        self._size = window
        self._schema = schema
        self._lists = lists
        self._operations = operations

    def operations(
        self, connection: sa.Connection, wanted: Wanted, *, before: int | None, limit: int
    ) -> Found:
        """The latest `limit` that are wanted, of those before this `seq`."""
        size = self._size if wanted.is_rare else limit + 1
        window = self._window(wanted, before, size)
        column = window.c
        query = sa.select(column.id).where(*self._conditions(window, wanted))
        found = connection.execute(query.order_by(column.seq.desc()).limit(limit + 1)).scalars()
        ids = [OperationId(one) for one in found]
        goes_on: OperationId | None = None
        if len(ids) > limit:
            ids = ids[:limit]
            goes_on = ids[-1]
        elif wanted.is_rare:
            goes_on = self._edge(connection, window, size)
        known = self._operations.several(connection, ids) if ids else {}
        page = [known[one] for one in reversed(ids) if one in known]
        return Found(operations=page, before=goes_on)

    def counts(
        self, connection: sa.Connection, project: str | None
    ) -> Mapping[OperationState, int]:
        """How many are in each state; of those that have ended, among the newest `WINDOW` only."""
        column = self._schema.operations.c
        ours = sa.true() if project is None else column.project_id == project
        newest = (
            sa.select(column.state).where(ours).order_by(column.seq.desc()).limit(WINDOW).subquery()
        )
        looks = (
            sa.select(column.state, sa.func.count().label("number"))
            .where(column.state.in_(_UNFINISHED), ours)
            .group_by(column.state),
            sa.select(newest.c.state, sa.func.count().label("number"))
            .where(by_no_index(newest.c.state).in_(sorted(ENDED)))
            .group_by(newest.c.state),
        )
        counted: Counter[str] = Counter()
        for look in looks:
            counted.update({row.state: row.number for row in connection.execute(look)})
        return {state: counted[state] for state in OperationState}

    def instances_like(
        self, *, text: str | None, vm_state: VmState | None, host: HostId | None
    ) -> Iterator[sa.ColumnElement[bool]]:
        """Conditions for a page of living instances; None is anything. `text` is part of the name,
        in capitals or not, or the whole id."""
        column = self._schema.instances.c
        if text is not None:
            yield sa.or_(_holds(column.name, text), column.id == text)
        if vm_state is not None:
            yield column.vm_state == vm_state
        if host is not None:
            yield column.host_id == host

    def _window(self, wanted: Wanted, before: int | None, size: int) -> sa.Subquery:
        """The newest that an index finds."""
        column = self._schema.operations.c
        part = sa.true() if before is None else column.seq < before
        states = frozenset(wanted.states)
        if wanted.instance is None:
            ways = self._lists.ways(wanted.project, states)
        else:
            ours = sa.true() if wanted.project is None else column.project_id == wanted.project
            in_state = by_no_index(column.state).in_(sorted(states))
            ways = [sa.and_(column.instance_id == wanted.instance, ours, in_state)]
        looks = [
            sa.select(column.seq, column.id, column.kind, column.instance_id, column.attempt)
            .where(way, part)
            .order_by(column.seq.desc())
            .limit(size)
            .subquery()
            for way in ways
        ]
        every = sa.union_all(*(sa.select(look) for look in looks)).subquery()
        return sa.select(every).order_by(every.c.seq.desc()).limit(size).subquery("window_")

    def _conditions(self, window: sa.Subquery, wanted: Wanted) -> Iterable[sa.ColumnElement[bool]]:
        column = window.c
        if wanted.kind is not None:
            yield column.kind == wanted.kind
        if wanted.text is not None:
            instances = self._schema.instances.c
            named = sa.exists().where(
                instances.id == column.instance_id,
                _holds(instances.name, wanted.text),
            )
            yield sa.or_(named, column.id == wanted.text, column.instance_id == wanted.text)
        if wanted.host is not None:
            attempts = self._schema.attempts.c
            yield sa.exists().where(
                attempts.operation_id == column.id,
                attempts.number == column.attempt,
                attempts.host_id == wanted.host,
            )

    def _edge(
        self, connection: sa.Connection, window: sa.Subquery, size: int
    ) -> OperationId | None:
        """The oldest of a window that is full: there may be more beyond it."""
        rows = connection.execute(sa.select(window.c.id).order_by(window.c.seq)).scalars().all()
        return OperationId(rows[0]) if len(rows) == size else None


def _holds(column: sa.ColumnElement[str], text: str) -> sa.ColumnElement[bool]:
    return sa.func.lower(column).contains(text.lower(), autoescape=True)
