"""Has the store itself fail for a moment."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing

from tests.chaos.store import Store

_SECONDS = 0.5
_OTHERS = {
    "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "mysql": "SELECT id FROM information_schema.processlist"
    " WHERE db = database() AND id <> connection_id()",
}


def outage_of(store: Store) -> Callable[[], None]:
    """What has this store fail: a file is locked, a server drops every connection."""
    if store.kind == "sqlite":
        return lambda: _lock(store.url.partition("///")[2])
    return lambda: _drop_connections(store)


def _lock(path: str) -> None:
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        threading.Event().wait(_SECONDS)
        connection.execute("ROLLBACK")


def _drop_connections(store: Store) -> None:
    with store.changing() as cursor:
        cursor.execute(_OTHERS[store.kind])
        for (number,) in cursor.fetchall():
            if store.kind == "mysql":
                cursor.execute(f"KILL CONNECTION {int(number)}")
