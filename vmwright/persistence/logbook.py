"""TaskFlow's rows: written when an operation is accepted, and read back by whoever runs it."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from oslo_utils import timeutils
from taskflow import retry
from taskflow import states as taskflow_states
from taskflow.atom import Atom
from taskflow.persistence import models
from taskflow.types.failure import Failure

from vmwright.errors import Cancelled, HostFault, Internal, Unavailable, VmwrightError
from vmwright.ids import new_id
from vmwright.persistence.stores import Stores
from vmwright.states import AttemptOutcome

LATE = "late"
"""In a task's stored metadata: the attempt in which it made a call that may still land."""
_GIVEN_UP = "given_up"
"""In a task's stored metadata: who gave its undo up, when and why."""


def new_flow_rows(
    connection: sa.Connection,
    stores: Stores,
    *,
    flow_name: str,
    detail_id: str,
    atoms: Iterable[Atom],
) -> None:
    """Write logbook, flow, tasks and retries of a run that has not begun: whoever claims it can
    load it."""
    tables, stamp = stores.database.schema.logbook, timeutils.utcnow()
    book = new_id()
    row = {"created_at": stamp, "updated_at": stamp, "meta": {}}
    connection.execute(sa.insert(tables.logbooks), {**row, "uuid": book, "name": flow_name})
    flow = {**row, "uuid": detail_id, "parent_uuid": book, "name": flow_name, "state": None}
    connection.execute(sa.insert(tables.flowdetails), flow)
    connection.execute(
        sa.insert(tables.atomdetails),
        [
            {
                **row,
                "uuid": new_id(),
                "parent_uuid": detail_id,
                "name": atom.name,
                "state": taskflow_states.PENDING,
                "intention": taskflow_states.EXECUTE,
                "atom_type": _atom_type(atom),
                "version": "1.0",
            }
            for atom in atoms
        ],
    )


def note_given_up(
    connection: sa.Connection, stores: Stores, atom: models.AtomDetail, why: dict[str, Any]
) -> None:
    """The run passes over this task: it does not say that it was undone, or done."""
    _change(
        connection,
        stores,
        atom,
        state=taskflow_states.IGNORE,
        meta={**(atom.meta or {}), _GIVEN_UP: why},
    )


def note_done(
    connection: sa.Connection, stores: Stores, atom: models.AtomDetail, results: object
) -> None:
    """This task was done outside of its run."""
    _change(connection, stores, atom, state=taskflow_states.SUCCESS, results=results, failure=None)


def note_undone(connection: sa.Connection, stores: Stores, atom: models.AtomDetail) -> None:
    """This task was taken back outside of its run."""
    _change(connection, stores, atom, state=taskflow_states.REVERTED)


def is_given_up(atom: models.AtomDetail) -> bool:
    """Whether the run passes over it: no task of ours is passed over for another reason."""
    return bool(atom.state == taskflow_states.IGNORE)


def _change(
    connection: sa.Connection, stores: Stores, atom: models.AtomDetail, **values: object
) -> None:
    table = stores.database.schema.logbook.atomdetails
    connection.execute(
        sa.update(table)
        .where(table.c.uuid == atom.uuid)
        .values(updated_at=timeutils.utcnow(), **values)
    )


def _atom_type(atom: Atom) -> str:
    kind = models.RetryDetail if isinstance(atom, retry.Retry) else models.TaskDetail
    word: str = models.atom_detail_type(kind(atom.name, new_id()))
    return word


def load_flow(connection: sa.Connection, stores: Stores, detail_id: str) -> models.FlowDetail:
    """The stored run as TaskFlow's objects."""
    tables = stores.database.schema.logbook
    flow = connection.execute(
        sa.select(tables.flowdetails).where(tables.flowdetails.c.uuid == detail_id)
    ).one()
    detail = models.FlowDetail.from_dict(dict(flow._mapping))
    rows = connection.execute(
        sa.select(tables.atomdetails).where(tables.atomdetails.c.parent_uuid == detail_id)
    )
    for row in rows:
        detail.add(_atom_detail(dict(row._mapping)))
    return detail


def _atom_detail(row: dict[str, Any]) -> models.AtomDetail:
    kind = models.atom_detail_class(row["atom_type"])
    if kind is not models.RetryDetail:
        return kind.from_dict(row)
    # TaskFlow's own decoder reuses a loop variable: once a retry's history holds a failure,
    # the retry's value comes back as that failure.
    history, row["results"] = row["results"] or [], []
    detail = kind.from_dict(row)
    detail.results = [
        (value, {name: Failure.from_dict(failure) for name, failure in failures.items()})
        for value, failures in history
    ]
    return detail


def error_of(failure: Failure | None) -> dict[str, Any]:
    """A failure as users see it; only our own exception classes get this far."""
    error = failure.exception if failure is not None else None
    if isinstance(error, VmwrightError):
        return error.to_store()
    if failure is not None and next(iter(failure), "").startswith("vmwright."):
        code = next(iter(failure)).rpartition(".")[2]
        return {"code": code, "message": failure.exception_str, "hint": "", "host": None}
    return Internal("the task failed for a reason that was not recorded").to_store()


def outcome_of(failure: Failure) -> AttemptOutcome:
    """What the failure of a task makes of the attempt. A failure that was read back will do."""
    if failure.check(Cancelled):
        return AttemptOutcome.CANCELLED
    if failure.check(HostFault, Unavailable):
        return AttemptOutcome.FAILED
    return AttemptOutcome.REFUSED
