"""How long a database server may keep us waiting: one that hangs would else hold us for ever."""

import functools
import math
import time
from collections.abc import Callable, Generator
from typing import Any

import sqlalchemy as sa

_LEAST = 2
"""Seconds; libpq takes less for this much."""


def limit_waiting(seconds: float) -> Callable[[sa.Engine], None]:
    """What has every connection of an engine give up after so many seconds without an answer.

    Also the server is told: it ends what waits longer for a lock, and the transaction of somebody
    who went away, so that rows which a dead machine held are free again soon.
    """

    def tune(engine: sa.Engine) -> None:
        @sa.event.listens_for(engine, "do_connect")
        def _connect(
            dialect: sa.Dialect, _record: object, arguments: list[Any], options: dict[str, Any]
        ) -> Any:
            postgresql = dialect.name == "postgresql"
            limits = _postgresql(seconds) if postgresql else _mariadb(seconds)
            for name, value in limits.items():
                options.setdefault(name, value)
            if dialect.driver == "psycopg":
                return _impatient(seconds).connect(*arguments, **options)
            return None

    return tune


def _postgresql(seconds: float) -> dict[str, Any]:
    limits = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    return {
        "connect_timeout": max(_LEAST, math.ceil(seconds)),
        "options": " ".join(f"-c {name}={int(seconds * 1000)}" for name in limits),
    }


def _mariadb(seconds: float) -> dict[str, Any]:
    whole = math.ceil(seconds)
    return {
        "connect_timeout": whole,
        "read_timeout": whole,
        "write_timeout": whole,
        # The comment is read by MariaDB alone: MySQL has no such setting.
        "init_command": f"SET SESSION innodb_lock_wait_timeout = {whole}"
        f" /*M! , idle_transaction_timeout = {whole} */",
    }


@functools.cache
def _impatient(seconds: float) -> Any:
    """psycopg's connection, which would wait for an answer as long as the server's machine says
    that it lives."""
    import psycopg

    class Overdue(psycopg.OperationalError):
        """The server has not answered in time."""

    def until(ends: float, waiting: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        try:
            wants = next(waiting)
            while True:
                ready = yield wants
                if not ready and time.monotonic() > ends:
                    raise Overdue(f"no answer within {seconds:g} seconds")
                wants = waiting.send(ready)
        except StopIteration as end:
            return end.value

    class Connection(psycopg.Connection[Any]):
        def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
            try:
                return super().wait(until(time.monotonic() + seconds, gen), *arguments, **options)
            except Overdue:
                # The answer may still come: nobody may take it for that of another question.
                self.close()
                raise

    return Connection
