"""Backups of a store as docs/how-to/backup.md says, taken and brought back past vmwright."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from tests.support.lab import Lab


def back_up(lab: Lab, to: Path) -> None:
    """A copy of the database while it may be in use."""
    if lab.url is not None:
        _run("pg_dump", "--format=custom", f"--file={to}", _plain(lab.url))
        return
    path = lab.home / "store.db"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as copy:
        source.backup(copy)


def restore(lab: Lab, backup: Path) -> None:
    """Put the database back as it was. Nobody uses it meanwhile."""
    if lab.url is not None:
        options = ("--clean", "--if-exists", "--single-transaction")
        _run("pg_restore", *options, f"--dbname={_plain(lab.url)}", str(backup))
        return
    for file in lab.home.glob("store.db*"):
        file.unlink()
    (lab.home / "store.db").write_bytes(backup.read_bytes())


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
