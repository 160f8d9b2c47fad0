"""Databases for tests: SQLite files, and a PostgreSQL server that lives as long as the session."""

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
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.settings import DatabaseSettings

_ANSWERS = "database system is ready to accept connections"
_READY_DATABASE = "ready"
_TRIES = 5


def missing() -> str:
    """Why no PostgreSQL can be started here, with the remedy; empty if one can."""
    if _programs() is None:
        return "PostgreSQL's programs are missing: apt install postgresql"
    if shutil.which("setpriv") is None:
        return "setpriv is missing: apt install util-linux"
    return ""


class PostgreSQL:
    """A server of our own: private directory, free port, gone with the process that made it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._password = secrets.token_hex(16)
        self._process: subprocess.Popen[str] | None = None
        self._drain = threading.Thread()
        self._port = 0
        self._made = 0
        self._ready = False

    def start(self) -> None:
        """Make the cluster and return once it answers."""
        word = self._directory / "word"
        word.write_text(self._password)
        _give_away(self._directory)
        self._run(
            "initdb",
            *("-D", str(self._directory / "data"), "-U", "vmwright", "-E", "UTF8"),
            *("--locale=C", "--no-sync", "-A", "scram-sha-256", f"--pwfile={word}"),
        )
        for _ in range(_TRIES):
            if self._serve(_free_port()):
                return
        raise RuntimeError("PostgreSQL did not start")

    def stop(self) -> None:
        """End the server by its pid, as an administrator in a hurry does."""
        if self._process:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None
            self._drain.join()

    def start_again(self) -> None:
        """Where it was, with what it had."""
        if not self._serve(self._port):
            raise RuntimeError("PostgreSQL did not start again")

    def fresh(self) -> DatabaseSettings:
        """The settings of a new, empty database."""
        self._made += 1
        return self._settings(self._create(f"test{self._made}"))

    def ready(self) -> DatabaseSettings:
        """The settings of a database with the newest schema and not a row.

        It is the same one each time: whoever had it before is shut out of it.
        """
        settings = self._settings(_READY_DATABASE)
        if self._ready:
            self._empty(_READY_DATABASE)
        else:
            self._create(_READY_DATABASE)
            database = Database.open(settings)
            schema_version.upgrade(database)
            database.close()
            self._ready = True
        return settings

    def _create(self, name: str) -> str:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(create)
        return name

    def _empty(self, name: str) -> None:
        with psycopg.connect(self._address(name)) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            rows = connection.execute(
                "SELECT tablename FROM pg_tables"
                " WHERE schemaname = 'public' AND tablename NOT LIKE '%alembic_version'"
            )
            tables = sql.SQL(", ").join(sql.Identifier(table) for (table,) in rows)
            connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(tables))

    def _settings(self, name: str) -> DatabaseSettings:
        url = self._address(name).replace("postgresql://", "postgresql+psycopg://")
        return DatabaseSettings(connection=url)

    def _address(self, name: str) -> str:
        return f"postgresql://vmwright:{self._password}@127.0.0.1:{self._port}/{name}"

    def _serve(self, port: int) -> bool:
        """Whether it runs on that port now: somebody may have been faster to take it."""
        self._port = port
        self._process = subprocess.Popen(
            self._command(
                "postgres",
                *("-D", str(self._directory / "data"), "-p", str(port), "-F"),
                *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"),
                *("-c", f"unix_socket_directories={self._directory}"),
            ),
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
        )
        assert self._process.stderr
        for line in self._process.stderr:
            if _ANSWERS in line:
                self._drain = threading.Thread(target=_discard, args=[self._process.stderr])
                self._drain.start()
                return True
        self._process.stderr.close()
        self._process.wait()
        return False

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            self._command(*words), check=False, capture_output=True, text=True, cwd="/"
        )
        if done.returncode:
            raise RuntimeError(f"{words[0]}: {done.stderr.strip()}")

    def _command(self, program: str, *words: str) -> list[str]:
        """The server refuses root, and must end when we are killed."""
        programs = _programs()
        assert programs
        identity: list[str] = []
        if os.geteuid() == 0:
            user = _unprivileged()
            identity = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        return ["setpriv", *identity, "--pdeathsig=QUIT", str(programs / program), *words]


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """A running server in a directory that an unprivileged user can reach."""
    directory = Path(tempfile.mkdtemp(prefix="vmwright-postgresql-"))
    server = PostgreSQL(directory)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)


def _discard(stream: IO[str]) -> None:
    with stream:
        for _ in stream:
            pass


def sqlite(directory: Path) -> DatabaseSettings:
    """The settings of an SQLite file that does not exist yet."""
    return DatabaseSettings(connection=f"sqlite:///{directory / 'store.db'}")


def _programs() -> Path | None:
    """Where the newest installed server's programs are."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = sorted(found, key=lambda path: float(path.parts[-3]))
    if newest:
        return newest[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


def _unprivileged() -> pwd.struct_passwd:
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _give_away(directory: Path) -> None:
    if os.geteuid() == 0:
        user = _unprivileged()
        for path in (directory, *directory.iterdir()):
            os.chown(path, user.pw_uid, user.pw_gid)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
