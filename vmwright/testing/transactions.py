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
    """Call `before` and `after` around each commit that writes, with the transaction's name; with
    each of its names, if it says that several tasks begin.

    After a commit, the thread still holds the connection: nothing else has happened since.
    """

    # Not in `Connection.info`: that of a broken connection cannot be asked for.
    writes: WeakKeyDictionary[sa.Connection, list[_Written]] = WeakKeyDictionary()
    commits: WeakKeyDictionary[sa.Connection, dict[str, Any]] = WeakKeyDictionary()

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
            names = _names_of(written)
            for name in names:
                before(name)
            connection.info[_COMMITTED] = names
            commits[connection] = connection.info

    def forget(connection: sa.Connection) -> None:
        writes.pop(connection, None)
        commits.pop(connection, {}).pop(_COMMITTED, None)

    def failed(context: sa.ExceptionContext) -> None:
        if context.connection is not None:
            forget(context.connection)

    def given_back(_raw: object, record: pool.ConnectionPoolEntry) -> None:
        for name in record.info.pop(_COMMITTED, ()):
            after(name)

    event.listen(engine, "before_execute", note)
    event.listen(engine, "commit", commit)
    event.listen(engine, "rollback", forget)
    event.listen(engine, "handle_error", failed)
    event.listen(engine.pool, "checkin", given_back)


def _names_of(written: Sequence[_Written]) -> Sequence[str]:
    """The tasks that it says begin, and the end of the operation if that is its last word; or else
    the last event that says what happens, or else the tables."""
    events = [row for table, rows in written if table.endswith("events") for row in rows]
    begun = [row for row in events if row["kind"] == "task" and row["state"] in _BEGUN]
    last = [row for row in events if row["kind"] not in _SAID_MEANWHILE][-1:]
    if not last:
        return ["+".join(sorted({table for table, _ in written}))]
    told = begun + [row for row in last if not begun or row["kind"] == "operation"]
    return [" ".join(filter(None, [row["kind"], row.get("task"), row["state"]])) for row in told]
