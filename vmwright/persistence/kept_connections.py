"""Transactions on connections that stay checked out of their engine's pool in between.

To check one out and in again, and to begin and commit through SQLAlchemy, takes several times as
long as the database does. Wherever somebody listens to commits, transactions go its whole way.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

_MOST = 4
"""Connections that are kept; what more threads need comes from the pool and goes back."""

DRIVERS: dict[sa.Connection, Any] = {}
"""The driver's connections of transactions under way in which nobody listens to executions."""

_ABANDONED: list[object] = []
"""Those of the process that this one was forked from: to give them back would end its sessions."""


class KeptConnections:
    """Of one engine. Thread-safe."""

    def __init__(
        self,
        engine: sa.Engine,
        *,
        begin: str | None = None,
        is_sound: Callable[[sa.Connection, float], bool] | None = None,
    ) -> None:
        """`begin` is how a transaction begins; None if the driver does it. `is_sound` says whether
        a connection may be used after it lay idle for so many seconds; one that may not is
        closed. None: all may."""
        self._engine = engine
        self._begin = begin
        self._is_sound = is_sound
        self._idle: deque[tuple[sa.Connection, float]] = deque()
        self._process = os.getpid()
        self._listeners = len(engine.dispatch.commit)

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction: committed at the end, rolled back on an exception."""
        if len(self._engine.dispatch.commit) != self._listeners:
            with self._engine.begin() as connection:
                yield connection
            return
        connection = self._take()
        try:
            raw: Any = connection.connection.dbapi_connection
            if not is_listened_to(self._engine):
                DRIVERS[connection] = raw
            if self._begin is not None:
                _said(connection, raw.execute, self._begin)
            yield connection
            # One that was needed for statements of SQLAlchemy's ends as it has begun.
            if connection.in_transaction():
                connection.commit()
            else:
                _said(connection, raw.commit)
        except BaseException:
            # Whatever became of it: the pool finds out.
            DRIVERS.pop(connection, None)
            connection.close()
            raise
        DRIVERS.pop(connection, None)
        self._give_back(connection)

    def close(self) -> None:
        """Give back those that nobody uses."""
        while (idle := self._lying_idle()) is not None:
            idle[0].close()

    def _lying_idle(self) -> tuple[sa.Connection, float] | None:
        """One that is now the caller's, and since when it lay here."""
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _take(self) -> sa.Connection:
        if self._process != os.getpid():
            _ABANDONED.extend(self._idle)
            self._idle, self._process = deque(), os.getpid()
        while (idle := self._lying_idle()) is not None:
            connection, since = idle
            if self._is_sound is None or self._is_sound(connection, time.monotonic() - since):
                return connection
            connection.invalidate()
            connection.close()
        return self._engine.connect()

    def _give_back(self, connection: sa.Connection) -> None:
        if len(self._idle) < _MOST:
            self._idle.append((connection, time.monotonic()))
        else:
            connection.close()


def is_listened_to(engine: sa.Engine) -> bool:
    """Whether somebody listens to its executions: nobody does to those of one connection."""
    listened = engine.dispatch
    return bool(
        listened.before_execute or listened.before_cursor_execute or listened.after_cursor_execute
    )


def _said(connection: sa.Connection, say: Callable[..., object], *words: str) -> None:
    """Say it to the driver; an error comes as from SQLAlchemy and oslo.db."""
    try:
        say(*words)
    except connection.dialect.loaded_dbapi.Error as error:
        connection._handle_dbapi_exception(error, " ".join(words) or None, None, None, None)
