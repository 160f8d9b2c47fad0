"""How a database finds what a statement asks for, and whether it reads a whole table for that."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

GROWING = (
    "vmwright_instances",
    "vmwright_operations",
    "vmwright_events",
    "vmwright_attempts",
    "vmwright_secrets",
    "vmwright_volumes",
    "vmwright_snapshots",
    "vmwright_tombstones",
    "vmwright_ports",
    "vmwright_claims",
    "vmwright_attachments",
    "vmwright_server_group_members",
    "vmwright_debts",
    "logbooks",
    "flowdetails",
    "atomdetails",
)

HISTORY = (
    "vmwright_instances",
    "vmwright_operations",
    "vmwright_events",
    "vmwright_attempts",
    "vmwright_secrets",
    "vmwright_volumes",
    "logbooks",
    "flowdetails",
    "atomdetails",
)
"""Those of them in which most of what there is has ended."""

_POOR = re.compile(r"\((deleted_at=\?|erased_at=\?|\w+>\?)\)")
"""A search that finds all that lives, or all that is not null."""
_TABLE = re.compile(r"(?:FROM|JOIN|UPDATE|INTO) (\w+)(?: AS (\w+))?")


@dataclass
class Recorder:
    """Every different statement that an engine was given, with parameters of one time."""

    said: dict[str, tuple[str, Any]] = field(default_factory=dict)

    def listen(self, engine: sa.Engine) -> None:
        sa.event.listen(engine, "before_cursor_execute", self._note)

    def _note(
        self,
        _connection: sa.Connection,
        _cursor: object,
        statement: str,
        parameters: Any,
        _context: object,
        many: bool,
    ) -> None:
        if re.match(r"(SELECT|UPDATE|DELETE|INSERT|WITH)\b", statement):
            one = parameters[0] if many else parameters
            key = re.sub(r"\((?:(?:\?|%\(\w+\)s(?:::\w+)?)(?:, )?)+\)", "(..)", statement)
            self.said.setdefault(key, (statement, one))

    def findings(self, engine: sa.Engine) -> list[dict[str, str]]:
        """What reads a whole table that grows: the statement, and that part of its plan."""
        engine = engine.execution_options()
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                # A table of a few rows is read as a whole whatever indexes there are.
                connection.exec_driver_sql("SET enable_seqscan = off")
            found = [
                {"statement": " ".join(statement.split()), "plan": part}
                for statement, parameters in list(self.said.values())
                for part in whole_reads(connection, statement, parameters)
            ]
            connection.rollback()
        return found


def whole_reads(connection: sa.Connection, statement: str, parameters: Any) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        names = dict[str, str]()
        for table, alias in _TABLE.findall(statement):
            names |= {table: table, alias or table: table}
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        for row in rows.all():
            words = row.detail.split()
            growing = len(words) > 1 and names.get(words[1], words[1]) in GROWING
            if growing and (words[0] == "SCAN" or _POOR.search(row.detail)):
                yield row.detail
        return
    text = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
    (whole,) = json.loads(text) if isinstance(text, str) else text
    partial = "SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%% WHERE %%'"
    living = connection.exec_driver_sql(partial).scalars()
    yield from _whole_nodes(whole["Plan"], frozenset(living))


def _whole_nodes(node: dict[str, Any], living: frozenset[str]) -> Iterator[str]:
    """`living` are indexes that hold what lives only. Its statistics say how much that is: where
    it is next to nothing, PostgreSQL rather reads all of it."""
    kind, index = node["Node Type"], node.get("Index Name", "")
    table = node.get("Relation Name", "")
    # A bitmap's own scan names only its index.
    growing = table in HISTORY or (kind == "Bitmap Index Scan" and index not in living)
    if growing and kind != "Bitmap Heap Scan" and "Scan" in kind and index not in living:
        condition = node.get("Index Cond")
        if condition is None or re.fullmatch(r"\(\(?\w+ IS NOT NULL\)?\)", condition):
            yield f"{kind} {table or index} {condition}"
    for inner in node.get("Plans", ()):
        yield from _whole_nodes(inner, living)
