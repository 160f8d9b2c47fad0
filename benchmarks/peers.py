"""Six no-op durable steps per workflow on another engine.

    python -m benchmarks.peers dbos|dbos-wal|taskflow URL [ALONE] [CONCURRENT]

Prints one JSON line per mode: one at a time, and 50 at once; 0 leaves a mode out. Each commit is on
the disk before it returns: DBOS leaves SQLite as it comes, with a rollback journal that is synced;
`dbos-wal` and stock TaskFlow get what vmwright gives it, a write-ahead log that is. It runs in
the environment that `benchmarks.peers_venv` makes, and imports nothing of vmwright.
"""

import contextlib
import json
import sqlite3
import sys
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from benchmarks.meter import CROWD, WARMING, measure

Workflow = Callable[[int], object]


def write_ahead() -> None:
    """Have each SQLite file of this process kept as vmwright keeps its own."""

    @sa.event.listens_for(sa.Engine, "connect")
    def _pragmas(connection: Any, _record: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
            # So that fifty at once wait for each other instead of failing.
            cursor.execute("PRAGMA busy_timeout = 120000")
            cursor.close()


def dbos_in_wal(url: str) -> Workflow:
    """Faster than its users have it."""
    write_ahead()
    return dbos(url)


def dbos(url: str) -> Workflow:
    from dbos import DBOS

    DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR"})

    def make(number: int) -> Callable[[Any], Any]:
        @DBOS.step(name=f"s{number}")  # type: ignore[untyped-decorator]
        def step(_: Any) -> Any:
            return {"ok": number}

        return step  # type: ignore[no-any-return]

    steps = [make(number) for number in range(1, 7)]

    @DBOS.workflow()  # type: ignore[untyped-decorator]
    def workflow(value: Any) -> Any:
        for step in steps:
            step(value)
        return "done"

    DBOS.launch()
    return lambda _: workflow({"a": 1})


def taskflow(url: str) -> Workflow:
    """As its manual has it: a logbook and an engine for each flow."""
    write_ahead()
    from oslo_utils import uuidutils
    from taskflow import engines, task
    from taskflow.patterns import linear_flow, unordered_flow
    from taskflow.persistence import backends, models

    backend = backends.fetch({"connection": url.replace("postgresql:", "postgresql+psycopg:")})
    with contextlib.closing(backend.get_connection()) as connection:
        connection.upgrade()

    class NoOp(task.Task):  # type: ignore[misc]  # TaskFlow is untyped
        def execute(self) -> Any:
            return {"ok": self.name}

        def revert(self, *_: Any, **__: Any) -> None:
            return None

    def workflow(_: int) -> None:
        flow = linear_flow.Flow("bench").add(
            NoOp("s1"),
            NoOp("s2"),
            unordered_flow.Flow("both").add(NoOp("s3"), NoOp("s4")),
            NoOp("s5"),
            NoOp("s6"),
        )
        book = models.LogBook("bench")
        detail = models.FlowDetail("bench", uuidutils.generate_uuid())
        book.add(detail)
        with contextlib.closing(backend.get_connection()) as connection:
            connection.save_logbook(book)
        engine = engines.load(flow, flow_detail=detail, backend=backend, book=book, engine="serial")
        engine.run()
        if engine.storage.get_flow_state() != "SUCCESS":
            raise SystemExit("a workflow did not succeed")

    return workflow


ENGINES = {"dbos": dbos, "dbos-wal": dbos_in_wal, "taskflow": taskflow}


def main(name: str, url: str, alone: int = 100, concurrent: int = 300) -> None:
    workflow = ENGINES[name](url)
    for number in range(WARMING):
        workflow(number)
    for count, threads in ((alone, 1), (concurrent, CROWD)):
        if not count:
            continue
        print(json.dumps({"engine": name, **measure(workflow, count, threads)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:5]))
