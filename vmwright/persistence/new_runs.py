"""TaskFlow's rows of runs that have not begun."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from oslo_utils import timeutils
from taskflow import retry
from taskflow import states as taskflow_states
from taskflow.atom import Atom
from taskflow.persistence import models

from vmwright.ids import new_id
from vmwright.persistence.inserting import insertion
from vmwright.persistence.tables import Schema

_VERSION = "1.0"
_TASK: str = models.atom_detail_type(models.TaskDetail("", ""))
_RETRY: str = models.atom_detail_type(models.RetryDetail("", ""))

_BEFORE, _AFTER = slice(19), slice(23, None)
"""What the uuids of a run's atoms have in common."""
_FIRST = 0x8000
"""What they have in between: a number whose first digit says that it is a uuid's."""

AtomKind = tuple[str, str]
"""Name, and what TaskFlow calls its kind."""


def kind_of(atom: Atom) -> AtomKind:
    return atom.name, _RETRY if isinstance(atom, retry.Retry) else _TASK


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A run that has not begun, with the ids that its rows get."""

    flow_name: str
    detail_id: str
    atoms: Sequence[AtomKind]
    _uuids: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Beside each other in the index of their table, which then changes in one place.
        ours = new_id()
        before, after, last = ours[_BEFORE], ours[_AFTER], _FIRST + len(self.atoms)
        self._uuids.extend([f"{before}{number:x}{after}" for number in range(_FIRST, last)])

    def rows(self) -> list[dict[str, Any]]:
        """What tells its tasks and retries apart."""
        return [
            {"uuid": uuid, "parent_uuid": self.detail_id, "name": name, "kind": kind}
            for uuid, (name, kind) in zip(self._uuids, self.atoms, strict=True)
        ]

    def detail(self) -> models.FlowDetail:
        """What `load_flow` would read of it now."""
        flow = models.FlowDetail(self.flow_name, self.detail_id)
        for uuid, (name, kind) in zip(self._uuids, self.atoms, strict=True):
            atom = models.atom_detail_class(kind)(name, uuid)
            atom.state = taskflow_states.PENDING
            atom.version = _VERSION
            flow.add(atom)
        return flow


class NewRunStore:
    """Writes what whoever claims an operation loads."""

    def __init__(self, schema: Schema) -> None:
        tables = schema.logbook
        # Words of the statement, as they are the same in every row.
        empty, state, intention, version = (
            sa.text(f"'{word}'")
            for word in ("{}", taskflow_states.PENDING, taskflow_states.EXECUTE, _VERSION)
        )
        # Text that each database reads: what SQLAlchemy would convert, once for each row.
        stamp = sa.text(":stamp")
        shared: dict[str, Any] = {"meta": empty, "created_at": stamp, "updated_at": stamp}
        self._books = insertion(tables.logbooks, "uuid", "name", **shared)
        self._flows = insertion(tables.flowdetails, "uuid", "name", "parent_uuid", **shared)
        self._atoms = insertion(
            tables.atomdetails,
            *("uuid", "name", "parent_uuid"),
            **shared,
            atom_type=sa.text(":kind"),
            state=state,
            intention=intention,
            version=version,
        )

    def add(self, connection: sa.Connection, runs: Iterable[NewRun]) -> None:
        """Write logbook, flow, tasks and retries of each."""
        stamp = {"stamp": timeutils.utcnow().isoformat(" ", "microseconds")}
        books, flows, atoms = [], [], []
        for run in runs:
            book = new_id()
            books.append({**stamp, "uuid": book, "name": run.flow_name})
            flow = {"uuid": run.detail_id, "parent_uuid": book, "name": run.flow_name}
            flows.append(stamp | flow)
            atoms += [stamp | atom for atom in run.rows()]
        self._books.many(connection, books)
        self._flows.many(connection, flows)
        self._atoms.many(connection, atoms)
