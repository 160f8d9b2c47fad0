"""The store's engines, built by oslo.db: one that writes and one that reads."""

import functools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
import sqlalchemy.ext.compiler
from oslo_db.sqlalchemy import enginefacade, exc_filters
from oslo_serialization import jsonutils
from sqlalchemy import pool

from vmwright.errors import InvalidRequest, PackageMissing, StoreUnavailable
from vmwright.persistence.deadlines import limit_waiting
from vmwright.persistence.durations import Durations
from vmwright.persistence.failures import refuse
from vmwright.persistence.kept_connections import KeptConnections
from vmwright.persistence.pinging import is_sound, ping_the_doubtful
from vmwright.persistence.tables import Schema, schema_of
from vmwright.private_files import make_directories, new_file
from vmwright.settings import DatabaseSettings

_BUSY_SECONDS = 30

_TO_READ = "BEGIN"
_TO_WRITE = "BEGIN IMMEDIATE"
"""Deferred, a read that later writes fails with "database is locked", and no timeout helps."""

_WE_BEGIN = "in_transaction"

_AT_ONCE = nullcontext()
"""Instead of a turn, for who need not wait for one."""

_ISOLATION: Literal["READ COMMITTED"] = "READ COMMITTED"
"""What the stores promise holds where each statement sees what others have committed: also on
MariaDB, whose transactions otherwise keep to their first read."""


class Database:
    """Transactions on the store. Thread-safe.

    Database errors leave it as `StoreUnavailable`, or as oslo.db's own exceptions where a
    store knows what they mean (`DBDuplicateEntry`).
    """

    def __init__(self, writer: sa.Engine, reader: sa.Engine, schema: Schema) -> None:
        self.writer = writer
        self.reader = reader
        self.schema = schema
        # SQLite has one writer at a time: queueing here is fairer than its busy polling.
        is_sqlite = writer.dialect.name == "sqlite"
        self._turn = threading.Lock() if is_sqlite else _AT_ONCE
        self._owned = [writer, reader]
        self.reads, self.writes = Durations(), Durations()
        """How long transactions took, from the wait for their turn to the answer of the commit."""
        self._kept: dict[sa.Engine, KeptConnections] = {}
        self._file = _SqliteFile.of(writer.url) if is_sqlite else None
        self._driver = writer.dialect.loaded_dbapi

    @classmethod
    def open(cls, settings: DatabaseSettings, *, patient: bool = False) -> "Database":
        """Engines for the configured URL. Nothing is connected yet.

        `patient` ones wait for a server as long as it takes, as changes of the schema must.
        """
        url = _checked_url(settings.connection)
        schema = schema_of(settings.table_prefix)
        if url.get_backend_name() != "sqlite":
            timeout = None if patient else settings.timeout
            engine = _server_engine(url, timeout)
            database = cls(engine, engine, schema)
            if engine.dialect.driver == "psycopg":
                database._kept[engine] = KeptConnections(engine, is_sound=is_sound)
            return database
        _prepare_sqlite_file(Path(str(url.database)))
        ways = (_TO_WRITE, _TO_READ)
        writer, reader = (_engine(url, functools.partial(_tune_sqlite, begin=way)) for way in ways)
        database = cls(writer, reader, schema)
        database._kept = {
            writer: KeptConnections(writer, begin=_TO_WRITE),
            reader: KeptConnections(reader, begin=_TO_READ),
        }
        return database

    @classmethod
    def around(cls, engine: sa.Engine, settings: DatabaseSettings) -> "Database":
        """The store in an engine that the caller made, owns and closes."""
        if engine.dialect.name == "sqlite":
            raise InvalidRequest(
                "an engine of one's own cannot be SQLite: it needs settings that only we can make",
                hint="give [database] connection instead",
            )
        exc_filters.register_engine(engine)
        # Theirs: what we need of its connections is undone when each is given back.
        engine = engine.execution_options(isolation_level=_ISOLATION)
        database = cls(engine, engine, schema_of(settings.table_prefix))
        database._owned = []
        return database

    def write(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that may write: committed at the end, rolled back on an exception."""
        return self._transaction(self.writer, self._turn, self.writes)

    def read(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that only reads, on one snapshot where the database has them."""
        return self._transaction(self.reader, _AT_ONCE, self.reads)

    @contextmanager
    def _transaction(
        self, engine: sa.Engine, turn: AbstractContextManager[Any], took: Durations
    ) -> Iterator[sa.Connection]:
        # One generator for all of it: each one more costs as much as a statement.
        began = time.perf_counter()
        with turn:
            if self._file is not None:
                self._file.refuse_another()
            kept = self._kept.get(engine)
            try:
                taken = None if kept is None else kept.begun()
                if kept is None or taken is None:
                    with engine.begin() as connection:
                        yield connection
                    return
                connection, home = taken
                try:
                    yield connection
                    kept.end(connection)
                except BaseException:
                    kept.give_up(connection)
                    raise
                kept.keep(connection, home)
            except Exception as error:
                refuse(error, self._driver)
                raise
            finally:
                took.note(time.perf_counter() - began)

    def close(self) -> None:
        """Close the engines that we made."""
        for kept in self._kept.values():
            kept.close()
        for engine in self._owned:
            engine.dispose()


def shown_url(settings: DatabaseSettings) -> str:
    """Where the store is, for people: without its password."""
    return _checked_url(settings.connection).render_as_string(hide_password=True)


@dataclass(frozen=True)
class _SqliteFile:
    """The file that an engine has open. Removed or replaced, it takes writes that nobody sees."""

    path: str
    known: tuple[int, int]

    @classmethod
    def of(cls, url: sa.URL) -> "_SqliteFile":
        path = str(url.database)
        try:
            found = os.stat(path)
        except OSError:
            return cls(path, (0, 0))
        return cls(path, (found.st_dev, found.st_ino))

    def refuse_another(self) -> None:
        try:
            found = os.stat(self.path)
            is_known, what = (found.st_dev, found.st_ino) == self.known, "is another file now"
        except OSError:
            is_known, what = False, "is gone"
        if not is_known:
            raise StoreUnavailable(
                f"the database {self.path} {what}",
                hint="stop every vmwright, put the file back or restore a backup, and start again",
            )


def now() -> sa.ColumnElement[float]:
    """The database's clock, in seconds since the epoch, as an expression of any dialect."""
    return _Now()


class _Now(sa.sql.functions.FunctionElement[float]):
    type = sa.Double()
    inherit_cache = True


@sa.ext.compiler.compiles(_Now)
def _now_of_postgresql(_element: _Now, _compiler: object, **_: object) -> str:
    return "extract(epoch from clock_timestamp())::double precision"


@sa.ext.compiler.compiles(_Now, "sqlite")
def _now_of_sqlite(_element: _Now, _compiler: object, **_: object) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@sa.ext.compiler.compiles(_Now, "mysql")
@sa.ext.compiler.compiles(_Now, "mariadb")
def _now_of_mysql(_element: _Now, _compiler: object, **_: object) -> str:
    return "(unix_timestamp(sysdate(6)) + 0e0)"


def _checked_url(connection: str) -> sa.URL:
    try:
        url = sa.make_url(connection)
    except (sa.exc.ArgumentError, ValueError):  # its own, and a port that is no number
        raise InvalidRequest(
            "[database] connection is not a database URL",
            hint="write it as postgresql+psycopg://user@host/name or sqlite:////path/to/file",
        ) from None
    name = url.get_backend_name()
    if name not in ("sqlite", "postgresql", "mysql", "mariadb"):
        raise InvalidRequest(
            f"[database] connection: {name!r} is not supported",
            hint="use sqlite, postgresql+psycopg or mysql+pymysql",
        )
    if name == "sqlite" and (url.database or ":memory:").startswith((":memory:", "file:")):
        raise InvalidRequest(
            "[database] connection: SQLite in memory would be lost with the process",
            hint="name a file: sqlite:////path/to/vmwright.db",
        )
    if name in ("mysql", "mariadb"):
        url = url.update_query_dict({"charset": "utf8mb4"})
    _check_driver(url)
    return url


def _check_driver(url: sa.URL) -> None:
    try:
        url.get_dialect().import_dbapi()
    except sa.exc.NoSuchModuleError:
        raise InvalidRequest(
            f"[database] connection: no driver {url.drivername!r} is known",
            hint="use sqlite, postgresql+psycopg or mysql+pymysql",
        ) from None
    except ImportError as error:
        raise PackageMissing(
            f"the driver of {url.drivername!r} is not installed",
            hint="pip install 'vmwright[postgresql]' or 'vmwright[mysql]'",
        ) from error


def _prepare_sqlite_file(path: Path) -> None:
    """Make the file ours alone before SQLite could make it with the umask's mode."""
    try:
        make_directories(path.parent)
        if not path.exists():
            with suppress(FileExistsError):  # another process was faster
                os.close(new_file(path))
            path.stat()  # a link to nothing would have SQLite make what it points to
    except OSError as error:
        raise StoreUnavailable(
            f"the database {path} cannot be made: {error.strerror}",
            hint="let [database] connection name a file in a directory that this user may write",
        ) from error


def _server_engine(url: sa.URL, timeout: float | None) -> sa.Engine:
    # Who waits for a connection of the pool waits for the server too.
    engine = _engine(url, _impatient(timeout), pool_timeout=timeout)
    ping_the_doubtful(engine)
    return engine


def _impatient(timeout: float | None) -> Callable[[sa.Engine], None]:
    def tune(engine: sa.Engine) -> None:
        if timeout is not None:
            limit_waiting(timeout)(engine)

        # Once and for all: as an option of the engine it takes MariaDB four more round trips for
        # each transaction.
        @sa.event.listens_for(engine, "connect")
        def _isolate(raw: Any, _record: object) -> None:
            engine.dialect.set_isolation_level(raw, _ISOLATION)

    return tune


def _engine(
    url: sa.URL, tune: Callable[[sa.Engine], None], *, pool_timeout: float | None = None
) -> sa.Engine:
    facade = enginefacade.transaction_context()
    facade.configure(
        connection=url.render_as_string(hide_password=False),
        sqlite_fk=True,
        max_retries=0,
        # For greenlets: each connection that is given back would offer the processor to others.
        thread_checkin=False,
        json_serializer=jsonutils.dumps,
        pool_timeout=pool_timeout,
    )
    facade.append_on_engine_create(tune)
    engine = facade.writer.get_engine()
    assert isinstance(engine, sa.Engine)
    # oslo.db hands it on to PostgreSQL alone, which lets no such text in.
    setattr(engine.dialect, "_json_deserializer", json_or_text)  # noqa: B010
    return engine


def json_or_text(stored: str) -> object:
    """What a column of JSON holds. Text that is none is handed on as it is, so that one damaged
    row does not hide those that are read with it: whoever needs an object sees that it is none."""
    try:
        return json.loads(stored)
    except ValueError:
        return stored


def _begin_with(engine: sa.Engine, begin: str) -> None:
    """Begin transactions so, unless that was said already, and say it to the driver: it is every
    one's first word, and takes as long as a statement if it goes through SQLAlchemy."""

    # oslo.db's listeners would begin as well: their own flag, which they take away at each end,
    # tells them that we do.
    @sa.event.listens_for(engine, "checkout")
    def _announce(_connection: object, record: pool.ConnectionPoolEntry, _proxy: object) -> None:
        record.info[_WE_BEGIN] = True

    @sa.event.listens_for(engine, "commit")
    @sa.event.listens_for(engine, "rollback")
    def _announce_next(connection: sa.Connection) -> None:
        if not connection.invalidated:
            connection.info[_WE_BEGIN] = True

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        raw: Any = connection.connection.dbapi_connection
        if not raw.in_transaction:
            raw.execute(begin)


def _tune_sqlite(engine: sa.Engine, *, begin: str) -> None:
    # oslo.db gives SQLite files no pool: each transaction would open the file anew.
    engine.pool = pool.QueuePool(
        engine.pool._creator,
        pool_size=8,
        max_overflow=8,
        pre_ping=False,
        dialect=engine.dialect,
        _dispatch=engine.pool.dispatch,
    )
    _begin_with(engine, begin)

    @sa.event.listens_for(engine, "connect")
    def _pragmas(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in (
            f"busy_timeout = {_BUSY_SECONDS * 1000}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
