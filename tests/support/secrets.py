"""Marks that stand for secrets, and a search for them wherever something is kept or told.

Independent of the package: files are read as bytes, databases row by row, processes from /proc.
Anything that keeps a directory and a database can be looked through: `leaks`.
"""

import base64
import json
import logging
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg

_SHORTEST = 12
"""Bytes of a mark; shorter ones could be there by chance."""


def forms(mark: bytes) -> frozenset[bytes]:
    """How the mark looks wherever somebody has encoded, but not encrypted it."""
    assert len(mark) >= _SHORTEST
    text = mark.decode()
    found = {mark, mark.hex().encode(), mark.hex().upper().encode(), mark[::-1]}
    found |= {text.encode(codec) for codec in ("utf-16-le", "utf-16-be")}
    found |= {quote(text).encode(), json.dumps(text)[1:-1].encode(), repr(text)[1:-1].encode()}
    for shift in range(3):
        # Base64 of a longer text holds this, whatever stands before and after the mark.
        encoded = base64.b64encode(b"\0" * shift + mark + b"\0" * 3)
        begin, end = -(-shift * 4 // 3), (shift + len(mark)) * 4 // 3
        found |= {encoded[begin + (shift > 0) : end - 1]}
    return frozenset(form for form in found if len(form) >= _SHORTEST)


class Marks:
    """Secrets by what they are; `leaks` says where any of them lies in clear."""

    def __init__(self, marks: Mapping[str, bytes]) -> None:
        self._forms = {kind: forms(mark) for kind, mark in marks.items()}

    def within(self, content: bytes) -> set[str]:
        """The kinds of secrets that these bytes hold."""
        return {
            kind for kind, known in self._forms.items() if any(form in content for form in known)
        }

    def leaks(self, directory: Path, url: str | None = None) -> list[str]:
        """Every file below the directory, and every column of the database, that holds one."""
        found = [
            f"{kind} in {path}"
            for path in sorted(directory.rglob("*"))
            if path.is_file() and not path.is_symlink()
            for kind in sorted(self.within(_content(path)))
        ]
        if url is not None:
            rows = _rows(url)
            found += [
                f"{kind} in {place}" for place, value in rows for kind in sorted(self.within(value))
            ]
        return found

    def in_processes(self) -> list[str]:
        """Command lines and environments, of every process that may be looked at."""
        found = []
        for what in ("cmdline", "environ"):
            for path in Path("/proc").glob(f"[0-9]*/{what}"):
                try:
                    content = path.read_bytes()
                except OSError:
                    continue  # it has ended, or is somebody else's
                found += [f"{kind} in {path}" for kind in sorted(self.within(content))]
        return found


def _content(path: Path) -> bytes:
    """What is compressed is looked through as it was, too."""
    content = path.read_bytes()
    try:
        return content + zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(content, 2**24)
    except zlib.error:
        return content


def _rows(url: str) -> Iterator[tuple[str, bytes]]:
    """Every value of every table as text, with its place."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            names = [
                name
                for (name,) in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table'"
                )
            ]
            for name in names:
                for row in connection.execute(f'SELECT * FROM "{name}"'):
                    yield name, repr(row).encode()
        return
    with psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://")) as server:
        tables = server.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        for (name,) in tables:
            query = psycopg.sql.SQL("SELECT * FROM {}").format(psycopg.sql.Identifier(name))
            for values in server.execute(query).fetchall():
                yield name, repr(values).encode()


@contextmanager
def logged(path: Path) -> Iterator[Path]:
    """Everything that any library logs, at any level, in a file: also of forked children."""
    root = logging.getLogger()
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s %(args)r"))
    before = root.level
    root.addHandler(handler)
    root.setLevel(1)
    try:
        yield path
    finally:
        root.setLevel(before)
        root.removeHandler(handler)
        handler.close()
