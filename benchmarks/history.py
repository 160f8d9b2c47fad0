"""Gives a store a long history, or many interrupted operations, in little time.

One instance is really built and deleted (or really submitted); its rows are then multiplied by
INSERT ... SELECT with ids of their own: each finished operation has as many events, tasks,
attempts and secrets as a real one.

    python benchmarks/history.py URL|CONFIG [--finished N] [--interrupted N] [--state-dir DIR]

Prints one JSON line. `URL` is a database URL, `CONFIG` a vmwright.conf; the schema is made if the
store has none. Whatever runs on the store meanwhile is not minded: use it before a measurement.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from vmwright import Caller, Controller, CreateRequest
from vmwright.errors import Conflict
from vmwright.ids import InstanceId, new_id
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.persistence.tables import Schema
from vmwright.settings import DatabaseSettings, Settings, SimulatedSettings
from vmwright.waiting import Wait

_AT_ONCE = 50_000
"""Copies in one transaction."""
_KEPT = 24
"""Characters of an id that its copies share; their number follows."""

CALLER = Caller(project="history", user="history", roles=frozenset({"admin", "member", "reader"}))
_NAMES = ("old-", "cut-")
_REQUEST = {
    "image": "history",
    "flavor": "history",
    "networks": [{"network": "history"}],
    "volumes": [{"size": 1, "delete_on_termination": True}],
}


def settings_of(url: str, state_dir: Path) -> Settings:
    """Simulated hosts, and the store there."""
    return Settings(
        backend="simulated",
        state_dir=state_dir,
        database=DatabaseSettings(connection=url),
        simulated=SimulatedSettings(world_dir=state_dir / "world"),
    )


def add_finished(settings: Settings, count: int) -> None:
    """Builds and deletes of instances that are gone, `count` operations in all (an even number)."""
    with _opened(settings) as controller:
        built = controller.create(_request(controller, f"old-{new_id()[:8]}"))
        controller.wait(built.id, 60)
        controller.wait(controller.delete(built.instance_id).id, 60)
        sample = _Sample.of(controller, built.instance_id)
    with _hasty(settings) as connection:
        _multiply(connection, sample, count // 2 - 1)


def add_interrupted(settings: Settings, count: int, state: str = "running") -> None:
    """Builds that were submitted and claimed by a process that nobody remembers (`running`), or
    that were put down (`interrupted`), or that nobody has begun (`queued`)."""
    with _opened(settings) as controller:
        known = controller.submit(_request(controller, f"cut-{new_id()[:8]}"))
        sample = _Sample.of(controller, known.instance_id)
    with _hasty(settings) as connection:
        operations = sample.schema.operations
        values: dict[str, Any] = {"state": state}
        if state != "queued":
            values |= {"epoch": 1, "started_at": operations.c.created_at}
        if state == "running":
            values["owner_id"] = new_id()
        connection.execute(sa.update(operations).where(operations.c.id == known.id).values(values))
        connection.commit()
        _multiply(connection, sample, count - 1)


@dataclass(frozen=True)
class _Sample:
    """The rows of one instance, by table."""

    schema: Schema
    rows: Sequence[tuple[sa.Table, list[dict[str, Any]]]] = field(default_factory=list)
    """In an order that foreign keys allow."""
    ids: frozenset[str] = frozenset()

    @classmethod
    def of(cls, controller: Controller, instance: InstanceId) -> "_Sample":
        stores = controller._stores
        taken = _Taken(stores.database.schema)
        with stores.database.read() as connection:
            taken.take_all(connection, instance)
            asked = stores.instances.get(connection, instance).request
        # What is made only later has its id in the request.
        taken.ids |= {nic["port"] for nic in asked["nics"]}
        taken.ids |= {volume["volume"] for volume in asked["volumes"]}
        return cls(taken.schema, taken.rows, frozenset(taken.ids))


class _Taken:
    """Rows that were read, and the ids in them."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.rows: list[tuple[sa.Table, list[dict[str, Any]]]] = []
        self.ids: set[str] = set()

    def take_all(self, connection: sa.Connection, instance: InstanceId) -> None:
        schema, book = self.schema, self.schema.logbook
        self._take(connection, schema.instances, "id", [instance], "id")
        operations = self._take(connection, schema.operations, "instance_id", [instance], "id")
        runs = [row["id"] for row in operations]
        flows = [row["flow_detail_id"] for row in operations]
        books = connection.execute(
            sa.select(book.flowdetails.c.parent_uuid).where(book.flowdetails.c.uuid.in_(flows))
        ).scalars()
        self._take(connection, book.logbooks, "uuid", list(books), "uuid")
        self._take(connection, book.flowdetails, "uuid", flows, "uuid")
        self._take(connection, book.atomdetails, "parent_uuid", flows, "uuid")
        self._take(connection, schema.attempts, "operation_id", runs)
        self._take(connection, schema.events, "operation_id", runs)
        self._take(connection, schema.secrets, "instance_id", [instance], "id")
        self._take(connection, schema.volumes, "made_for", [instance], "id")

    def _take(
        self,
        connection: sa.Connection,
        table: sa.Table,
        column: str,
        values: list[Any],
        *ids: str,
    ) -> list[dict[str, Any]]:
        key = next(iter(table.primary_key.columns))
        query = sa.select(table).where(table.c[column].in_(values)).order_by(key)
        rows = [dict(row) for row in connection.execute(query).mappings()]
        self.rows.append((table, rows))
        self.ids.update(row[name] for row in rows for name in ids)
        return rows


def _multiply(connection: sa.Connection, sample: _Sample, copies: int) -> None:
    for first in range(0, copies, _AT_ONCE):
        last = min(first + _AT_ONCE, copies)
        for table, rows in sample.rows:
            if rows:
                connection.execute(
                    _copies(connection.dialect.name, sample, table, rows, first, last)
                )
        connection.commit()


def _copies(
    dialect: str,
    sample: _Sample,
    table: sa.Table,
    rows: list[dict[str, Any]],
    first: int,
    last: int,
) -> sa.Insert:
    """Copies of these rows with the numbers `first` + 1 to `last`."""
    number = _numbers(first + 1, last)
    digits = _hex(dialect, number.c.n)
    key = next(iter(table.primary_key.columns))
    names = [column.name for column in table.columns if column.name != "seq"]
    row = table.alias("sample")
    values = [
        _copied(sample.ids, row.c[name], {one[name] for one in rows}, digits)
        if isinstance(row.c[name].type, sa.String)
        else _asked(dialect, sample.ids, row.c[name], digits)
        if name == "request"
        else row.c[name]
        for name in names
    ]
    query = (
        sa.select(*values)
        .select_from(number.join(row, row.c[key.name].in_([one[key.name] for one in rows])))
        .order_by(number.c.n, row.c[key.name])
    )
    return sa.insert(table).from_select(names, query)


def _copied(
    ids: frozenset[str],
    column: sa.ColumnElement[Any],
    values: set[str | None],
    digits: sa.ColumnElement[str],
) -> sa.ColumnElement[Any]:
    """A text of a copy: what names one of the sample's rows names the copy's."""
    name = column.name
    if name == "idempotency_key":
        return sa.func.substr(column, 1, 5 + _KEPT).concat(digits)
    if name == "reservation_id":
        return sa.literal("r-").concat(digits)
    if name == "hostname" or (name == "name" and any((one or "")[:4] in _NAMES for one in values)):
        return column.concat("-").concat(digits)
    known = sorted(ids & values)
    if not known:
        return column
    copy = sa.func.substr(column, 1, _KEPT).concat(digits)
    return sa.case((column.in_(known), copy), else_=column)


def _asked(
    dialect: str, ids: frozenset[str], column: sa.ColumnElement[Any], digits: sa.ColumnElement[str]
) -> sa.ColumnElement[Any]:
    """The request of a copy, with ids of its own in it."""
    on_server = dialect == "postgresql"
    text: sa.ColumnElement[Any] = sa.cast(column, sa.Text) if on_server else column
    for known in sorted(ids):
        text = sa.func.replace(text, known, sa.literal(known[:_KEPT]).concat(digits))
    return sa.cast(text, sa.JSON) if on_server else text


def _numbers(first: int, last: int) -> Any:
    start = sa.select(sa.literal(first).label("n")).cte("numbers", recursive=True)
    return start.union_all(sa.select(start.c.n + 1).where(start.c.n < last))


def _hex(dialect: str, number: sa.ColumnElement[int]) -> sa.ColumnElement[str]:
    match dialect:
        case "sqlite":
            return sa.func.printf("%012x", number)
        case "postgresql":
            return sa.func.lpad(sa.func.to_hex(number), 12, "0")
        case _:
            return sa.func.lpad(sa.func.lower(sa.func.hex(number)), 12, "0")


def _request(controller: Controller, name: str) -> CreateRequest:
    """A plain build, of what is registered for it."""
    inventory = controller.inventory
    inventory.ensure_default_host()
    source = Path(controller.settings.state_dir) / "history.raw"
    try:
        source.write_bytes(b"\0" * 4096)
        inventory.create_image("history", source, "raw", wait=Wait(10))
        inventory.create_flavor("history", 1, 64, 1)
        inventory.create_network("history", "10.128.0.0/16")
    except Conflict:
        pass  # as an earlier call has left it
    finally:
        source.unlink()
    return CreateRequest.parse(name=name, **_REQUEST)


@contextmanager
def _opened(settings: Settings) -> Iterator[Controller]:
    database = Database.open(settings.database)
    try:
        if schema_version.current_version(database) is None:
            schema_version.upgrade(database)
    finally:
        database.close()
    with Controller(settings, caller=CALLER) as controller:
        yield controller


@contextmanager
def _hasty(settings: Settings) -> Iterator[sa.Connection]:
    """A connection that waits for no disk and checks no reference: all of them are right."""
    engine = sa.create_engine(settings.database.connection)
    with engine.connect() as connection:
        match engine.dialect.name:
            case "sqlite":
                hints = ["PRAGMA synchronous = OFF", "PRAGMA cache_size = -500000"]
            case "postgresql":
                hints = ["SET synchronous_commit = off", "SET session_replication_role = replica"]
            case _:
                hints = ["SET foreign_key_checks = 0", "SET max_recursive_iterations = 100000"]
        for hint in hints:
            connection.exec_driver_sql(hint)
        connection.commit()
        yield connection
        _look_again(connection)
    engine.dispose()


def _look_again(connection: sa.Connection) -> None:
    """Have the planner know what there is, as it does in a store that has grown slowly."""
    dialect = connection.dialect.name
    if dialect == "sqlite":
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    elif dialect == "postgresql":
        connection.commit()
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("VACUUM ANALYZE")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("where", metavar="URL|CONFIG")
    parser.add_argument("--finished", type=int, default=0, metavar="N")
    parser.add_argument("--interrupted", type=int, default=0, metavar="N")
    parser.add_argument("--state", choices=("running", "interrupted", "queued"), default="running")
    parser.add_argument("--state-dir", type=Path, help="with a URL; a temporary one else")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        if "://" in arguments.where:
            settings = settings_of(arguments.where, arguments.state_dir or Path(directory))
        else:
            settings = replace(Settings.from_files(arguments.where), backend="simulated")
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        if arguments.finished:
            add_finished(settings, arguments.finished)
        if arguments.interrupted:
            add_interrupted(settings, arguments.interrupted, arguments.state)
        seconds = round(time.perf_counter() - began, 1)
    made = {"finished": arguments.finished, "interrupted": arguments.interrupted}
    print(json.dumps(made | {"seconds": seconds}))


if __name__ == "__main__":
    main()
