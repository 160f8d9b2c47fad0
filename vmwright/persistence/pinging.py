"""Whether a connection of the pool is still one, asked only where its silence does not say it."""

import select
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy import pool

_IDLE = 1.0
"""Seconds after which a connection is asked whatever it looks like: a server may be gone without
a word."""

_SINCE = "vmwright: idle since"


def ping_the_doubtful(engine: sa.Engine) -> None:
    """Have psycopg's connections asked only if they were idle, or if something has come in that
    nobody asked for: mostly that the server hangs up.

    oslo.db has each asked before each transaction, which costs as much as a transaction. The other
    drivers ask for less, and tell nobody what comes in.
    """
    if engine.dialect.driver != "psycopg":
        return
    engine.pool._pre_ping = False

    @sa.event.listens_for(engine, "checkin")
    def _note(_raw: object, record: pool.ConnectionPoolEntry) -> None:
        record.info[_SINCE] = time.monotonic()

    @sa.event.listens_for(engine, "checkout")
    def _ask(raw: Any, record: pool.ConnectionPoolEntry, _proxy: object) -> None:
        now = time.monotonic()
        idle = now - record.info.get(_SINCE, now)
        if _is_in_doubt(raw, idle) and not _answers(engine.dialect, raw):
            raise sa.exc.InvalidatePoolError("the server has ended the connection")


def is_sound(connection: sa.Connection, idle: float) -> bool:
    """Whether one of psycopg's that stayed out of the pool for so many seconds still is one; asked
    only if in doubt."""
    raw: Any = connection.connection.dbapi_connection
    return not _is_in_doubt(raw, idle) or _answers(connection.dialect, raw)


def _is_in_doubt(raw: Any, idle: float) -> bool:
    return idle > _IDLE or _has_word(raw)


def _has_word(raw: Any) -> bool:
    if raw.closed:  # on our side, as once an answer was overdue
        return True
    incoming = select.poll()
    incoming.register(raw.fileno(), select.POLLIN)
    return bool(incoming.poll(0))


def _answers(dialect: sa.Dialect, raw: Any) -> bool:
    try:
        return dialect.do_ping(raw)
    except dialect.loaded_dbapi.Error:
        return False
