"""What the database's errors mean to us: the one place that maps them."""

from typing import Any

import sqlalchemy as sa
from oslo_db import exception as db

from vmwright.errors import (
    InvalidRequest,
    SchemaMismatch,
    StoreUnavailable,
    TransactionGivenUp,
    VmwrightError,
)

Duplicate = db.DBDuplicateEntry
"""A unique constraint refused a row; `columns` names it."""

Dangling = db.DBReferenceError
"""A row that another one refers to is not there, or is about to go."""

_UNDEFINED_TABLE_POSTGRESQL, _UNDEFINED_TABLE_MYSQL = "42P01", 1146
_READ_ONLY_POSTGRESQL = "25006"
"""A server that has become a standby says so; the others call it an operational error."""
_LOST = (db.DBConnectionError, sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)


def refuse(error: Exception, driver: Any) -> None:
    """Raise `StoreUnavailable` for anything that says that the database cannot be asked, and what
    else it means to us; return if it is no word of the database, or one that the stores know.

    `driver` is the DBAPI module: where a transaction begins, its errors come bare.
    """
    if isinstance(error, db.DBNonExistentTable) or _says_no_table(error):
        raise _no_tables() from error
    if isinstance(error, (*_LOST, driver.OperationalError, driver.InterfaceError)):
        raise StoreUnavailable(
            f"the database does not answer ({_first_line(error)})",
            hint="check [database] connection and that the server runs",
        ) from error
    if isinstance(error, db.DBInvalidUnicodeParameter | UnicodeEncodeError):  # oslo.db's, or bare
        raise _unfit() from None
    if isinstance(error, db.DBError):
        _refuse_wrapped(error)
    elif isinstance(error, driver.DatabaseError):
        raise _unreadable(error) from error


def _refuse_wrapped(error: db.DBError) -> None:
    if isinstance(error, Duplicate | Dangling):
        return
    if isinstance(error.inner_exception, sa.exc.DataError):
        raise _unfit() from None
    meaning = _meaning_of(error)
    if meaning is not None:
        raise meaning from error


def _meaning_of(error: db.DBError) -> VmwrightError | None:
    inner = error.inner_exception
    if _says_no_table(inner):
        return _no_tables()
    if type(inner) is sa.exc.DatabaseError:
        return _unreadable(error)
    if isinstance(error, db.DBDeadlock):
        return TransactionGivenUp(f"the database gave up ({_first_line(error)})", hint="try again")
    if isinstance(inner, _LOST) or _is_read_only(inner):
        return StoreUnavailable(f"the database gave up ({_first_line(error)})", hint="try again")
    return None


def _unreadable(error: Exception) -> StoreUnavailable:
    """SQLite: the file is damaged, or no database."""
    return StoreUnavailable(
        f"the database cannot be read ({_first_line(error)})",
        hint="check [database] connection; a damaged file must come back from a backup",
    )


def _says_no_table(error: Exception | None) -> bool:
    """oslo.db knows this of SQLite only."""
    if _sqlstate(error) == _UNDEFINED_TABLE_POSTGRESQL:
        return True
    arguments: tuple[object, ...] = getattr(getattr(error, "orig", None), "args", ())
    return bool(arguments) and arguments[0] == _UNDEFINED_TABLE_MYSQL


def _is_read_only(error: Exception | None) -> bool:
    return _sqlstate(error) == _READ_ONLY_POSTGRESQL


def _sqlstate(error: Exception | None) -> object:
    """PostgreSQL's word for what went wrong; None from the other drivers."""
    return getattr(getattr(error, "orig", None), "sqlstate", None)


def _unfit() -> InvalidRequest:
    """Without its cause, which repeats what was given."""
    return InvalidRequest(
        "a text or number that was given is none that the database can hold",
        hint="leave out NUL and what is not Unicode, and say it shorter",
    )


def _no_tables() -> SchemaMismatch:
    return SchemaMismatch("the database has no vmwright tables", hint="run: vmwright db upgrade")


def _first_line(error: Exception) -> str:
    """The driver's own words: statements and their parameters could hold what we must not show."""
    inner = getattr(error, "inner_exception", None) or error
    original = getattr(inner, "orig", None) or inner
    lines = str(original).strip().splitlines()
    return lines[0] if lines else type(original).__name__
