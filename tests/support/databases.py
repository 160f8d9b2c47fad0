"""Databases for tests: SQLite files, and servers that live as long as the session."""

import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
import pymysql
from psycopg import sql

from tests.support.servers import Server
from vmwright.settings import DatabaseSettings


class PostgreSQL(Server):
    """PostgreSQL, of the newest version that is installed."""

    name = "postgresql"
    answers = "database system is ready to accept connections"
    accounts = ("postgres",)

    def _make(self) -> None:
        word = self.directory / "word"
        word.write_text(self.password)
        self.give_away()
        self.run(
            self._program("initdb"),
            *("-D", str(self.directory / "data"), "-U", "vmwright", "-E", "UTF8"),
            *("--locale=C", "--no-sync", "-A", "scram-sha-256", f"--pwfile={word}"),
        )

    def _serving(self) -> list[str]:
        return [
            self._program("postgres"),
            *("-D", str(self.directory / "data"), "-p", str(self.port), "-F"),
            *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"),
            *("-c", f"unix_socket_directories={self.directory}"),
        ]

    def stop(self) -> None:
        """As an administrator in a hurry does: its children end with it."""
        if self._process:
            self._process.send_signal(signal.SIGQUIT)
        super().stop()

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
                " AND tablename NOT LIKE '%schema_revision'"
            )
            tables = sql.SQL(", ").join(sql.Identifier(table) for (table,) in rows)
            connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(tables))

    def url(self, name: str, port: int | None = None) -> str:
        return self._address(name, port).replace("postgresql://", "postgresql+psycopg://")

    def _address(self, name: str, port: int | None = None) -> str:
        return f"postgresql://vmwright:{self.password}@127.0.0.1:{port or self.port}/{name}"

    def _program(self, name: str) -> str:
        programs = _postgresql_programs()
        assert programs
        return str(programs / name)


class MariaDB(Server):
    """MariaDB, without the service that its package `mariadb-server` would start."""

    name = "mariadb"
    answers = "ready for connections"
    accounts = ("mysql",)

    def _make(self) -> None:
        account = self.directory / "account.sql"
        account.write_text(
            f"CREATE OR REPLACE USER vmwright@'%' IDENTIFIED BY '{self.password}';\n"
            "GRANT ALL ON *.* TO vmwright@'%' WITH GRANT OPTION;\n"
        )
        self.give_away()
        self.run(
            _program("mariadb-install-db"),
            *("--no-defaults", f"--datadir={self._data}", f"--tmpdir={self.directory}"),
            "--skip-test-db",
            *("--auth-root-authentication-method=normal", "--innodb-flush-log-at-trx-commit=0"),
        )

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _serving(self) -> list[str]:
        return [
            _program("mariadbd"),
            *("--no-defaults", f"--datadir={self._data}", f"--tmpdir={self.directory}"),
            f"--init-file={self.directory}/account.sql",
            *(f"--socket={self.directory}/socket", f"--pid-file={self.directory}/pid"),
            *("--bind-address=127.0.0.1", f"--port={self.port}", "--skip-name-resolve"),
            *("--max-connections=200", "--innodb-flush-log-at-trx-commit=2"),
            *("--innodb-buffer-pool-size=64M", "--skip-innodb-doublewrite"),
        ]

    def _create(self, name: str) -> str:
        with self._connected() as connection, connection.cursor() as cursor:
            # As it comes to hand on many machines: our tables must not rely on the default.
            cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET latin1")
        return name

    def _empty(self, name: str) -> None:
        with self._connected(name) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM information_schema.processlist"
                " WHERE db = %s AND id <> connection_id()",
                [name],
            )
            for (number,) in cursor.fetchall():
                _kill(cursor, number)
            cursor.execute("SET foreign_key_checks = 0")
            cursor.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = %s"
                " AND table_name NOT LIKE '%%alembic_version'"
                " AND table_name NOT LIKE '%%schema_revision'",
                [name],
            )
            for (table,) in cursor.fetchall():
                cursor.execute(f"SELECT count(*) FROM (SELECT 1 FROM `{table}` LIMIT 1) AS one")
                if cursor.fetchone() != (0,):
                    cursor.execute(f"TRUNCATE `{table}`")

    def _connected(self, name: str | None = None) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="vmwright",
            password=self.password,
            database=name,
            autocommit=True,
        )

    def url(self, name: str, port: int | None = None) -> str:
        address = f"vmwright:{self.password}@127.0.0.1:{port or self.port}/{name}"
        return f"mysql+pymysql://{address}"


def _kill(cursor: pymysql.cursors.Cursor, number: int) -> None:
    """It may be gone by itself meanwhile."""
    try:
        cursor.execute(f"KILL {number}")
    except pymysql.err.OperationalError as error:
        if error.args[0] != 1094:  # no such thread
            raise


SERVERS: Mapping[str, type[Server]] = {kind.name: kind for kind in (PostgreSQL, MariaDB)}


def missing(name: str) -> str:
    """Why this server cannot be started here, with the remedy; empty if it can."""
    if shutil.which("setpriv") is None:
        return "setpriv is missing: apt install util-linux"
    return _MISSING[name]()


def _missing_postgresql() -> str:
    if _postgresql_programs() is None:
        return "PostgreSQL's programs are missing: apt install postgresql"
    return ""


def _missing_mariadb() -> str:
    needed = ("mariadbd", "mariadb-install-db", "my_print_defaults")
    if any(_which(name) is None for name in needed):
        return "MariaDB's programs are missing: apt install mariadb-server-core mariadb-client-core"
    return ""


_MISSING: Mapping[str, Callable[[], str]] = {
    "postgresql": _missing_postgresql,
    "mariadb": _missing_mariadb,
}


def sqlite(directory: Path) -> DatabaseSettings:
    """The settings of an SQLite file that does not exist yet."""
    return DatabaseSettings(connection=f"sqlite:///{directory / 'store.db'}")


def _postgresql_programs() -> Path | None:
    """Where the newest installed server's programs are."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = sorted(found, key=lambda path: float(path.parts[-3]))
    if newest:
        return newest[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


def _which(name: str) -> str | None:
    """Servers lie where only administrators look."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _program(name: str) -> str:
    found = _which(name)
    assert found
    return found
