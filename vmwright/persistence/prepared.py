"""Statements that every run executes again and again, compiled once.

SQLAlchemy makes their SQL and says how values are converted, as always. What is left out is what it
does anew for each execution: it takes several times as long as the database does. Wherever
somebody listens to executions, they go SQLAlchemy's whole way.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from vmwright.persistence.kept_connections import DRIVERS, is_listened_to

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
        raw = DRIVERS.get(connection) or _driver_of(connection)
        if raw is None:
            return int(connection.execute(self._statement, values).rowcount)
        compiled = self._compiled.get(connection.dialect) or self._of(connection.dialect)
        return int(compiled.execute(connection, raw, values).rowcount)

    def many(self, connection: sa.Connection, rows: Sequence[Row]) -> None:
        """Execute it with each of these."""
        raw = DRIVERS.get(connection) or _driver_of(connection)
        if raw is None:
            connection.execute(self._statement, rows)
            return
        compiled = self._compiled.get(connection.dialect) or self._of(connection.dialect)
        if len(rows) == 1:
            compiled.execute(connection, raw, rows[0])
        else:
            compiled.execute(connection, raw, rows, many=True)

    def select(self, connection: sa.Connection, values: Row) -> Sequence[tuple[Any, ...]]:
        """All rows that it finds."""
        raw = DRIVERS.get(connection) or _driver_of(connection)
        if raw is None:
            return [tuple(row) for row in connection.execute(self._statement, values)]
        compiled = self._compiled.get(connection.dialect) or self._of(connection.dialect)
        cursor = compiled.execute(connection, raw, values)
        found: Sequence[tuple[Any, ...]] = cursor.fetchall()
        return found

    def _of(self, dialect: sa.Dialect) -> "_Compiled":
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
        types = {name: bound.type for bound, name in compiled.bind_names.items()}
        self._converted_ones = [
            (name, _of_few(convert) if isinstance(types[name], sa.Enum) else convert, convert(None))
            for name, convert in self._convert.items()
            if name in types and name not in self._fixed
        ]
        self._parameters = self._way_to_parameters()
        prefetched = [*compiled.insert_prefetch, *compiled.update_prefetch]
        if prefetched or compiled.post_compile_params or compiled.literal_execute_params:
            raise ValueError(f"not to be prepared: {self._sql}")

    def _way_to_parameters(self) -> Callable[[Row], Any]:
        """What makes of values what the driver wants: nothing but their order, if it can."""
        if self._fixed or self._converted_ones:
            return self._made
        if self._order is None:
            return dict
        return itemgetter(*self._order) if len(self._order) > 1 else self._made

    def _made(self, values: Row) -> Any:
        ready = {**values, **self._fixed}
        for name, convert, of_none in self._converted_ones:
            value = values[name]
            ready[name] = of_none if value is None else convert(value)
        if self._order is None:
            return ready
        return tuple(map(ready.__getitem__, self._order))

    def execute(
        self, connection: sa.Connection, raw: Any, values: Any, *, many: bool = False
    ) -> Any:
        """The driver's cursor, which has executed it with these; `many` with each of several."""
        make = self._parameters
        parameters = list(map(make, values)) if many else make(values)
        cursor = raw.cursor()
        try:
            if many:
                cursor.executemany(self._sql, parameters)
            else:
                cursor.execute(self._sql, parameters)
        except connection.dialect.loaded_dbapi.Error as error:
            # Let it out as SQLAlchemy and oslo.db do.
            connection._handle_dbapi_exception(error, self._sql, parameters, cursor, None)
        return cursor

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


def _driver_of(connection: sa.Connection) -> Any:
    """Its driver's connection, unless somebody listens to what is executed."""
    if is_listened_to(connection.engine):
        return None
    return connection.connection.dbapi_connection
