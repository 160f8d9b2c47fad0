"""A PostgreSQL of our own, as durable as it comes: it waits for the disk at each commit."""

import itertools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

_ANSWERS = "database system is ready to accept connections"
_TICKS = os.sysconf("SC_CLK_TCK")


class Missing(Exception):
    """Its programs are not here."""


@dataclass(frozen=True, kw_only=True)
class Counters:
    """What the server counts of itself, since it began."""

    commits: int
    """Of a database's transactions, also of those that only read."""
    syncs: int
    """Of its write-ahead log: transactions that commit at the same moment share one."""
    cpu_seconds: float
    """Of all its processes."""


class PostgreSQL:
    """Serves databases that are empty, until it is stopped."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._password = secrets.token_hex(16)
        self._programs = programs()
        self._numbers = itertools.count(1)
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        self._drain = threading.Thread()

    @property
    def version(self) -> str:
        with self._connected("postgres") as connection:
            return str(connection.execute("SHOW server_version").fetchone()[0])  # type: ignore[index]

    def start(self) -> None:
        word = self._place / "word"
        word.write_text(self._password)
        if os.geteuid() == 0:
            for path in (self._place, word):
                shutil.chown(path, _account())
        self._run(
            *("initdb", "-D", self._data, "-U", "bench", "-E", "UTF8", "--locale=C"),
            *("-A", "scram-sha-256", f"--pwfile={word}"),
        )
        self.port = _free_port()
        options = ["listen_addresses=127.0.0.1", "max_connections=200"]
        options.append(f"unix_socket_directories={self._place}")
        words = ["-D", self._data, "-p", str(self.port)]
        self._process = process = subprocess.Popen(
            [str(self._programs / "postgres"), *words, *(f"-c{option}" for option in options)],
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            **_as_its_user(),
        )
        assert process.stderr
        is_ready = any(_ANSWERS in line for line in process.stderr)
        self._drain = threading.Thread(target=process.stderr.read, daemon=True)
        self._drain.start()
        if not is_ready:
            raise Missing(f"PostgreSQL does not start on port {self.port}")

    def stop(self) -> None:
        if self._process is not None:
            # SIGTERM would wait for whoever is connected, SIGQUIT leaves its shared memory behind.
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            self._drain.join()
            assert self._process.stderr
            self._process.stderr.close()

    def database(self) -> str:
        """The URL of a new one."""
        name = f"bench{next(self._numbers)}"
        with self._connected("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return self._url(name)

    def drop(self, url: str) -> None:
        """Give its space back."""
        with self._connected("postgres") as connection:
            connection.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def counters(self, url: str) -> Counters:
        """Of a database that nobody is connected to: what its processes counted is then told."""
        assert self._process is not None
        name = url.rpartition("/")[2]
        with self._connected("postgres") as connection:
            _wait_for_nobody(connection, name)
            row = connection.execute(
                "SELECT xact_commit, (SELECT wal_sync FROM pg_stat_wal)"
                " FROM pg_stat_database WHERE datname = %s",
                [name],
            ).fetchone()
        assert row is not None
        return Counters(commits=row[0], syncs=row[1], cpu_seconds=_cpu_of_tree(self._process.pid))

    @property
    def _data(self) -> str:
        return str(self._place / "data")

    def _url(self, name: str) -> str:
        return f"postgresql://bench:{self._password}@127.0.0.1:{self.port}/{name}"

    def _connected(self, name: str) -> "psycopg.Connection[Any]":
        return psycopg.connect(self._url(name), autocommit=True)

    def _run(self, program: str, *words: str) -> None:
        command = [str(self._programs / program), *words]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **_as_its_user())


@contextmanager
def serving() -> Iterator[PostgreSQL]:
    """A server for the block; `Missing` where there are no programs."""
    programs()
    place = Path(tempfile.mkdtemp(prefix="vmwright-bench-pg-"))
    server = PostgreSQL(place)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(place)


def programs() -> Path:
    """Where the newest installed server's programs are."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = sorted(found, key=lambda path: float(path.parts[-3]))
    if newest:
        return newest[-1].parent
    initdb = shutil.which("initdb")
    if initdb is None:
        raise Missing("PostgreSQL's programs are missing: apt install postgresql")
    return Path(initdb).resolve().parent


def _wait_for_nobody(connection: "psycopg.Connection[Any]", name: str) -> None:
    """A process of the server tells what it counted when it ends, a moment after its client."""
    pause, query = threading.Event(), "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
    while connection.execute(query, [name]).fetchone() != (0,):
        pause.wait(0.02)


def _cpu_of_tree(process: int) -> float:
    """Of the postmaster, of those of its children that live, and of those that have ended."""
    ticks = sum(_stat(process)[11:15])
    for child in Path("/proc").glob("[0-9]*"):
        try:
            known = _stat(int(child.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
        if known[1] == process:
            ticks += sum(known[11:13])
    return ticks / _TICKS


def _stat(process: int) -> list[int]:
    """The fields after the name; the state, which comes first, as 0."""
    text = Path(f"/proc/{process}/stat").read_text()
    return [0, *map(int, text.rpartition(")")[2].split()[1:])]


def _as_its_user() -> dict[str, Any]:
    """It refuses to be run by root."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(_account())
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _account() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
