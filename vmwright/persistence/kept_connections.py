"""Transactions on connections that stay checked out of their engine's pool in between.

To check one out and in again, and to begin and commit through SQLAlchemy, takes several times as
long as the database does. Wherever somebody listens to commits, transactions go its whole way.
"""

import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

_MOST = 4
"""Connections that are kept; what more threads need comes from the pool and goes back."""

DRIVERS: dict[sa.Connection, Any] = {}
"""The driver's connections of transactions under way in which nobody listens to executions."""

Idle = deque[tuple[sa.Connection, float]]
"""Connections, each with since when it lies there."""

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
        self._idle: Idle = deque()
        self._asking: deque[None] = deque()
        """One for each thread that asks the pool: it may have to wait for what others give back,
        and none of that is kept from it."""
        self._process = os.getpid()
        self._listeners = len(engine.dispatch.commit)

    def begun(self) -> tuple[sa.Connection, Idle] | None:
        """One with a transaction on it, for `end` and `give_up`, and for `keep` where it is to lie
        afterwards. None if the transaction is to be the engine's own: somebody listens to its
        commits."""
        if len(self._engine.dispatch.commit) != self._listeners:
            return None
        connection, home = self._take()
        try:
            raw: Any = connection.connection.dbapi_connection
            if not is_listened_to(self._engine):
                DRIVERS[connection] = raw
            if self._begin is not None:
                try:
                    raw.execute(self._begin)
                except connection.dialect.loaded_dbapi.Error as error:
                    _refuse(connection, error, self._begin)
        except BaseException:
            self.give_up(connection)
            raise
        return connection, home

    def end(self, connection: sa.Connection) -> None:
        """Commit. Whoever gets an exception from here gives it up."""
        # One that was needed for statements of SQLAlchemy's ends as it has begun.
        if connection.in_transaction():
            connection.commit()
        else:
            raw: Any = DRIVERS.get(connection) or connection.connection.dbapi_connection
            try:
                raw.commit()
            except connection.dialect.loaded_dbapi.Error as error:
                _refuse(connection, error, None)

    def keep(self, connection: sa.Connection, home: Idle) -> None:
        """For the next transaction; that of this one has ended."""
        DRIVERS.pop(connection, None)
        if home is not self._idle:
            _end(connection)
        elif self._asking or len(home) >= _MOST:
            connection.close()
        else:
            home.append((connection, time.monotonic()))

    def give_up(self, connection: sa.Connection) -> None:
        """Whatever became of its transaction: the pool finds out, and rolls back."""
        DRIVERS.pop(connection, None)
        connection.close()

    def close(self) -> None:
        """Give back those that nobody uses, and from now on those that are in use."""
        idle, self._idle = self._idle, deque()
        if self._process == os.getpid():
            _give_to_pool(idle)
        else:
            # Nobody of those who asked there is here.
            self._asking = deque()
            _ABANDONED.extend(idle)
            self._process = os.getpid()

    def _take(self) -> tuple[sa.Connection, Idle]:
        """A connection, and where it is to lie afterwards."""
        if self._process != os.getpid():
            self.close()
        home = self._idle
        while (idle := _next(home)) is not None:
            connection, since = idle
            if self._is_sound is None or self._is_sound(connection, time.monotonic() - since):
                return connection, home
            _end(connection)
        self._asking.append(None)
        try:
            return self._engine.connect(), home
        finally:
            self._asking.pop()


def _next(idle: Idle) -> tuple[sa.Connection, float] | None:
    """One that is now the caller's, and since when it lay there."""
    try:
        return idle.pop()
    except IndexError:
        return None


def _give_to_pool(idle: Idle) -> None:
    while (known := _next(idle)) is not None:
        known[0].close()


def _end(connection: sa.Connection) -> None:
    """End its session: the pool is to have nothing of it."""
    connection.invalidate()
    connection.close()


def is_listened_to(engine: sa.Engine) -> bool:
    """Whether somebody listens to its executions: nobody does to those of one connection."""
    listened = engine.dispatch
    return bool(
        listened.before_execute or listened.before_cursor_execute or listened.after_cursor_execute
    )


def _refuse(connection: sa.Connection, error: Exception, words: str | None) -> None:
    """Raise what the driver did as it comes from SQLAlchemy and oslo.db."""
    connection._handle_dbapi_exception(error, words, None, None, None)
