"""Has the store itself fail: for a moment, or for so long that every lease ends."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pymysql
from pymysql.constants import ER

from tests.chaos.ground import Undo
from tests.chaos.store import Store

_SECONDS = 0.2
"""How long the lock is waited for: whoever has it may be stopped, and only we can wake him."""

_OTHERS = {
    "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "mysql": "SELECT id FROM information_schema.processlist"
    " WHERE db = database() AND id <> connection_id()",
}


@dataclass(frozen=True)
class Reach:
    """Where controllers reach the store, and where the oracle does."""

    url: str
    direct: str
    take_away: Callable[[], Undo]
    """From controllers, until it is undone."""


def reach_of_file(path: str) -> Reach:
    """An SQLite file: whoever locks it takes it away."""
    url = f"sqlite:///{path}"
    return Reach(url, url, lambda: _locked(path))


def outage_of(store: Store) -> Callable[[], Undo]:
    """What has this store fail until it is undone: a file is locked, a server drops every
    connection at once."""
    if store.kind == "sqlite":
        return lambda: _locked(store.url.partition("///")[2])
    return lambda: _connections_dropped(store)


def _locked(path: str) -> Undo:
    connection = sqlite3.connect(path, timeout=_SECONDS, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        connection.close()  # somebody else has it locked: that is an outage too
        return lambda: None
    return connection.close


def _connections_dropped(store: Store) -> Undo:
    with store.changing() as cursor:
        cursor.execute(_OTHERS[store.kind])
        for (number,) in cursor.fetchall():
            if store.kind == "mysql":
                _dropped(cursor, int(number))
    return lambda: None


def _dropped(cursor: Any, number: int) -> None:
    try:
        cursor.execute(f"KILL CONNECTION {number}")
    except pymysql.err.OperationalError as error:
        if error.args[0] != ER.NO_SUCH_THREAD:  # it has ended by itself meanwhile
            raise
