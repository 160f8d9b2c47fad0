"""What this thread says to a database, statement by statement."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa

from vmwright.persistence.database import Database

_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+(?:vmwright_)?(\w+)")


@dataclass
class Tally:
    transactions: int = 0
    said: list[str] = field(default_factory=list)
    """Each statement as its verb and its first table, in order."""


@contextmanager
def tallied(database: Database) -> Iterator[Tally]:
    """Counts while the body runs. Words that begin and end transactions are no statements."""
    tally, here = Tally(), threading.get_ident()

    def execute(
        _connection: object, _cursor: object, statement: str, *_: object, **__: object
    ) -> None:
        if threading.get_ident() == here:
            tally.said.append(_named(statement))

    def begin(_connection: object) -> None:
        tally.transactions += threading.get_ident() == here

    engines = {database.writer, database.reader}
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", execute)
        sa.event.listen(engine, "begin", begin)
    try:
        yield tally
    finally:
        for engine in engines:
            sa.event.remove(engine, "before_cursor_execute", execute)
            sa.event.remove(engine, "begin", begin)


def _named(statement: str) -> str:
    found = _TABLE.search(statement)
    return f"{statement.split(maxsplit=1)[0]} {found.group(1) if found else '?'}"
