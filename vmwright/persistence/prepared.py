"""Statements that every run executes again and again, compiled once.

SQLAlchemy makes their SQL and says how values are converted, as always. What is left out is what it
does anew for each execution: it takes several times as long as the database does. Wherever
somebody listens to executions, they go SQLAlchemy's whole way.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

Row = Mapping[str, Any]
_Convert = Callable[[Any], Any]


class Prepared:
    """One statement. Thread-safe.

    Its parameters are `bindparam`s by name, or the columns of an insert that are named here. What
    it selects is handed on as the driver gives it.
    """

    def __init__(self, statement: sa.Executable, *columns: str) -> None:
        self._statement = statement
        self._columns = columns
        self._compiled: dict[sa.Dialect, _Compiled] = {}

    def one(self, connection: sa.Connection, values: Row) -> int:
        """Execute it with these values; how many rows it met."""
        if _is_watched(connection):
            return int(connection.execute(self._statement, values).rowcount)
        compiled = self._of(connection)
        return int(compiled.execute(connection, compiled.parameters(values)).rowcount)

    def many(self, connection: sa.Connection, rows: Sequence[Row]) -> None:
        """Execute it with each of these."""
        if len(rows) == 1:
            self.one(connection, rows[0])
        elif _is_watched(connection):
            connection.execute(self._statement, rows)
        else:
            compiled = self._of(connection)
            compiled.execute_many(connection, [compiled.parameters(row) for row in rows])

    def select(self, connection: sa.Connection, values: Row) -> Sequence[tuple[Any, ...]]:
        """All rows that it finds."""
        if _is_watched(connection):
            return [tuple(row) for row in connection.execute(self._statement, values)]
        compiled = self._of(connection)
        found: Sequence[tuple[Any, ...]] = compiled.execute(
            connection, compiled.parameters(values)
        ).fetchall()
        return found

    def _of(self, connection: sa.Connection) -> "_Compiled":
        dialect = connection.dialect
        compiled = self._compiled.get(dialect)
        if compiled is None:
            compiled = self._compiled[dialect] = _Compiled(self._statement, self._columns, dialect)
        return compiled


class _Compiled:
    """The SQL of one dialect, and how its parameters are made."""

    def __init__(
        self, statement: sa.Executable, columns: Sequence[str], dialect: sa.Dialect
    ) -> None:
        compiled: Any = statement.compile(  # type: ignore[attr-defined]
            dialect=dialect, column_keys=list(columns) or None
        )
        self._sql = str(compiled)
        self._convert: Mapping[str, _Convert] = compiled._bind_processors
        self._fixed = {
            name: self._converted(name, bound.effective_value)
            for bound, name in compiled.bind_names.items()
            if not bound.required
        }
        self._order: Sequence[str] | None = compiled.positiontup if compiled.positional else None
        self._in_order = itemgetter(*self._order) if self._order else None
        types = {name: bound.type for bound, name in compiled.bind_names.items()}
        self._converted_ones = [
            (name, _of_few(convert) if isinstance(types[name], sa.Enum) else convert, convert(None))
            for name, convert in self._convert.items()
            if name in types and name not in self._fixed
        ]
        prefetched = [*compiled.insert_prefetch, *compiled.update_prefetch]
        if prefetched or compiled.post_compile_params or compiled.literal_execute_params:
            raise ValueError(f"not to be prepared: {self._sql}")

    def parameters(self, values: Row) -> Any:
        """As the driver wants them."""
        ready = {**values, **self._fixed}
        for name, convert, of_none in self._converted_ones:
            value = values[name]
            ready[name] = of_none if value is None else convert(value)
        if self._in_order is None:
            return ready if self._order is None else ()
        found = self._in_order(ready)
        return found if len(self._order or ()) > 1 else (found,)

    def execute(self, connection: sa.Connection, parameters: Any) -> Any:
        """The driver's cursor."""
        cursor = _cursor(connection)
        try:
            cursor.execute(self._sql, parameters)
        except connection.dialect.loaded_dbapi.Error as error:
            self._failed(connection, error, parameters, cursor)
        return cursor

    def execute_many(self, connection: sa.Connection, parameters: Sequence[Any]) -> None:
        cursor = _cursor(connection)
        try:
            cursor.executemany(self._sql, parameters)
        except connection.dialect.loaded_dbapi.Error as error:
            self._failed(connection, error, parameters, cursor)

    def _failed(
        self, connection: sa.Connection, error: BaseException, parameters: Any, cursor: Any
    ) -> None:
        """Let it out as SQLAlchemy and oslo.db do."""
        connection._handle_dbapi_exception(error, self._sql, parameters, cursor, None)

    def _converted(self, name: str, value: Any) -> Any:
        convert = self._convert.get(name)
        return value if convert is None else convert(value)


class _Converted(dict[Any, Any]):
    """What values were converted to."""

    def __init__(self, convert: _Convert) -> None:
        super().__init__()
        self._convert = convert

    def __missing__(self, value: Any) -> Any:
        converted = self[value] = self._convert(value)
        return converted


def _of_few(convert: _Convert) -> _Convert:
    """The same for a type that has few values: each is converted once."""
    return _Converted(convert).__getitem__


def _cursor(connection: sa.Connection) -> Any:
    raw: Any = connection.connection.dbapi_connection
    return raw.cursor()


def _is_watched(connection: sa.Connection) -> bool:
    # Those of its engine: nobody listens to one connection alone.
    listened = connection.engine.dispatch
    return bool(
        listened.before_execute or listened.before_cursor_execute or listened.after_cursor_execute
    )
