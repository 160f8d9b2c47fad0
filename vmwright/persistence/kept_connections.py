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

_Idle = deque[tuple[sa.Connection, float]]
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
        self._idle: _Idle = deque()
        self._asking: deque[None] = deque()
        """One for each thread that asks the pool: it may have to wait for what others give back,
        and none of that is kept from it."""
        self._process = os.getpid()
        self._listeners = len(engine.dispatch.commit)

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction: committed at the end, rolled back on an exception."""
        if len(self._engine.dispatch.commit) != self._listeners:
            with self._engine.begin() as connection:
                yield connection
            return
        connection, home = self._take()
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
        self._give_back(connection, home)

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

    def _take(self) -> tuple[sa.Connection, _Idle]:
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

    def _give_back(self, connection: sa.Connection, home: _Idle) -> None:
        if home is not self._idle:
            _end(connection)
        elif self._asking or len(home) >= _MOST:
            connection.close()
        else:
            home.append((connection, time.monotonic()))


def _next(idle: _Idle) -> tuple[sa.Connection, float] | None:
    """One that is now the caller's, and since when it lay there."""
    try:
        return idle.pop()
    except IndexError:
        return None


def _give_to_pool(idle: _Idle) -> None:
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


def _said(connection: sa.Connection, say: Callable[..., object], *words: str) -> None:
    """Say it to the driver; an error comes as from SQLAlchemy and oslo.db."""
    try:
        say(*words)
    except connection.dialect.loaded_dbapi.Error as error:
        connection._handle_dbapi_exception(error, " ".join(words) or None, None, None, None)
