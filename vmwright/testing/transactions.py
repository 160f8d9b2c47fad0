"""Telling each commit of an engine, and what the transaction wrote, through SQLAlchemy's events."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy import event, pool

Told = Callable[[str], None]
_Written = tuple[str, Sequence[Mapping[str, Any]]]

_COMMITTED = "vmwright.testing: what was committed"
_SAID_MEANWHILE = ("instance", "progress")
"""Events that accompany others and name no transaction."""

_BEGUN = frozenset({"RUNNING", "REVERTING"})


def watch_transactions(engine: sa.Engine, *, before: Told, after: Told) -> None:
    """Call `before` and `after` around each commit that writes, with the transaction's name.

    After a commit, the thread still holds the connection: nothing else has happened since.
    """

    # Not in `Connection.info`: that of a broken connection cannot be asked for.
    writes: WeakKeyDictionary[sa.Connection, list[_Written]] = WeakKeyDictionary()
    commits: WeakKeyDictionary[sa.Connection, dict[str, str]] = WeakKeyDictionary()

    def note(
        connection: sa.Connection, statement: Any, many: Any, one: Any, _options: object
    ) -> None:
        if isinstance(statement, sa.Insert | sa.Update | sa.Delete):
            rows = [*many, *([one] if one else [])]
            table = str(getattr(statement.table, "name", ""))
            writes.setdefault(connection, []).append((table, rows))

    def commit(connection: sa.Connection) -> None:
        written = writes.pop(connection, None)
        if written:
            name = _name_of(written)
            before(name)
            connection.info[_COMMITTED] = name
            commits[connection] = connection.info

    def forget(connection: sa.Connection) -> None:
        writes.pop(connection, None)
        commits.pop(connection, {}).pop(_COMMITTED, None)

    def failed(context: sa.ExceptionContext) -> None:
        if context.connection is not None:
            forget(context.connection)

    def given_back(_raw: object, record: pool.ConnectionPoolEntry) -> None:
        name = record.info.pop(_COMMITTED, None)
        if name is not None:
            after(name)

    event.listen(engine, "before_execute", note)
    event.listen(engine, "commit", commit)
    event.listen(engine, "rollback", forget)
    event.listen(engine, "handle_error", failed)
    event.listen(engine.pool, "checkin", given_back)


def _name_of(written: Sequence[_Written]) -> str:
    """The task that begins, or else the last event that says what happens, or else the tables."""
    events = [row for table, rows in written if table.endswith("events") for row in rows]
    begun = [row for row in events if row["kind"] == "task" and row["state"] in _BEGUN]
    for row in [*begun, *reversed(events)]:
        if row["kind"] not in _SAID_MEANWHILE:
            return " ".join(filter(None, [row["kind"], row.get("task"), row["state"]]))
    return "+".join(sorted({table for table, _ in written}))
