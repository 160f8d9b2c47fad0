"""What the disk and the databases can do at most: commits, each on the disk before the next.

    python -m benchmarks.disk DIRECTORY [POSTGRESQL_URL]

Prints one JSON line per way to commit. Nothing can be durable more often than this.
"""

import json
import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.meter import Figures, measure

_TIMES = 1500
_CROWD = 50
_BLOCK = b"\0" * 4096


def main(place: Path, url: str | None, count: int = _TIMES) -> Iterator[Figures]:
    yield {"what": "fdatasync", **_synced(place / "block", count)}
    yield {"what": "sqlite", **_sqlite(place / "floor.db", count)}
    if url is not None:
        for clients in (1, _CROWD):
            yield {"what": "postgresql", **_postgresql(url, clients, count)}


def _synced(path: Path, count: int) -> Figures:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)

    def work(number: int) -> None:
        os.pwrite(descriptor, _BLOCK, number % 64 * len(_BLOCK))
        os.fdatasync(descriptor)

    try:
        return measure(work, count, 1)
    finally:
        os.close(descriptor)


def _sqlite(path: Path, count: int) -> Figures:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE commits (number INTEGER)")

        def work(number: int) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO commits VALUES (?)", [number])
            connection.execute("COMMIT")

        return measure(work, count, 1)


def _postgresql(url: str, clients: int, count: int) -> Figures:
    import psycopg

    local = threading.local()
    opened: list[psycopg.Connection[tuple[object, ...]]] = []

    def connected() -> "psycopg.Connection[tuple[object, ...]]":
        if not hasattr(local, "connection"):
            local.connection = psycopg.connect(url, autocommit=True)
            opened.append(local.connection)
        return local.connection  # type: ignore[no-any-return]

    def work(number: int) -> None:
        connected().execute("INSERT INTO commits VALUES (%s)", [number])

    connected().execute("CREATE TABLE IF NOT EXISTS commits (number bigint)")
    try:
        return measure(work, count, clients)
    finally:
        for connection in opened:
            connection.close()


if __name__ == "__main__":
    for line in main(Path(sys.argv[1]), sys.argv[2] if sys.argv[2:] else None):
        print(json.dumps(line))
