"""TaskFlow's rows as whoever runs an operation reads them."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from oslo_serialization import jsonutils
from oslo_utils import timeutils
from taskflow import states as taskflow_states
from taskflow.persistence import models
from taskflow.persistence.backends.sqlalchemy import tables as taskflow_tables
from taskflow.types.failure import Failure

from vmwright.errors import Cancelled, Damaged, HostFault, Internal, Unavailable, VmwrightError
from vmwright.persistence.stores import Stores
from vmwright.states import AttemptOutcome

LATE = "late"
"""In a task's stored metadata: the attempt in which it made a call that may still land."""
_GIVEN_UP = "given_up"
"""In a task's stored metadata: who gave its undo up, when and why."""
_ATOM_STATES = frozenset(
    {
        taskflow_states.PENDING,
        taskflow_states.RUNNING,
        taskflow_states.SUCCESS,
        taskflow_states.FAILURE,
        taskflow_states.REVERTING,
        taskflow_states.REVERTED,
        taskflow_states.RETRYING,
        taskflow_states.IGNORE,
    }
)
_FLOW_STATES = frozenset(
    {
        None,
        taskflow_states.PENDING,
        taskflow_states.RUNNING,
        taskflow_states.SUSPENDING,
        taskflow_states.SUSPENDED,
        taskflow_states.RESUMING,
        taskflow_states.SUCCESS,
        taskflow_states.REVERTED,
        taskflow_states.FAILURE,
    }
)
"""What a run may be stored as. REVERT_FAILURE is never written by us, and never gone on from."""


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
    """Whether its undo was given up, in this attempt or in one before: the run passes over it, or
    has since begun it anew elsewhere. No task of ours is passed over for another reason."""
    return atom.state == taskflow_states.IGNORE or _GIVEN_UP in (atom.meta or {})


def _change(
    connection: sa.Connection, stores: Stores, atom: models.AtomDetail, **values: object
) -> None:
    table = stores.database.schema.logbook.atomdetails
    connection.execute(
        sa.update(table)
        .where(table.c.uuid == atom.uuid)
        .values(updated_at=timeutils.utcnow(), **values)
    )


def load_flow(connection: sa.Connection, stores: Stores, detail_id: str) -> models.FlowDetail:
    """The stored run as TaskFlow's objects; `Damaged` that names the row if there are none."""
    tables = stores.database.schema.logbook
    try:
        return _flow_detail(connection, tables, detail_id)
    except (ValueError, LookupError) as error:  # what the columns' types say of foreign content
        raise Damaged(_unreadable_row(connection, tables, detail_id)) from error


def load_flows(
    connection: sa.Connection, stores: Stores, detail_ids: Collection[str]
) -> dict[str, models.FlowDetail]:
    """As `load_flow`, those of several that are sound, by id. Raises what the columns' types say
    if one of them holds foreign content, whosever it is."""
    tables = stores.database.schema.logbook
    flows, atoms = tables.flowdetails, tables.atomdetails
    rows: dict[str, list[sa.Row[Any]]] = {detail_id: [] for detail_id in detail_ids}
    for row in connection.execute(sa.select(atoms).where(atoms.c.parent_uuid.in_(detail_ids))):
        rows[row.parent_uuid].append(row)
    found = {}
    for flow in connection.execute(sa.select(flows).where(flows.c.uuid.in_(detail_ids))):
        with suppress(Damaged):
            found[flow.uuid] = _made(flow, rows[flow.uuid])
    return found


def _flow_detail(connection: sa.Connection, tables: Any, detail_id: str) -> models.FlowDetail:
    flow = connection.execute(
        sa.select(tables.flowdetails).where(tables.flowdetails.c.uuid == detail_id)
    ).one_or_none()
    if flow is None:
        raise Damaged("the row of its run (flowdetails) is missing")
    rows = connection.execute(
        sa.select(tables.atomdetails).where(tables.atomdetails.c.parent_uuid == detail_id)
    )
    return _made(flow, rows.all())


def _made(flow: sa.Row[Any], rows: Iterable[sa.Row[Any]]) -> models.FlowDetail:
    if flow.state not in _FLOW_STATES:
        raise Damaged("the state of its run (flowdetails.state) is none that is known here")
    detail = models.FlowDetail.from_dict(dict(flow._mapping))
    for row in rows:
        detail.add(_sound_atom_detail(dict(row._mapping)))
    return detail


def _sound_atom_detail(row: dict[str, Any]) -> models.AtomDetail:
    where = f"task {row['name']!r}: its row (atomdetails)"
    if row["state"] not in _ATOM_STATES or row["intention"] not in taskflow_states.INTENTIONS:
        raise Damaged(f"{where} is in a state that is not known here")
    if not isinstance(row["meta"], dict | None):
        raise Damaged(f"{where} holds metadata that are no JSON object")
    try:
        return _atom_detail(row)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Damaged(f"{where} holds a failure or a result that cannot be read") from error


def _unreadable_row(connection: sa.Connection, tables: Any, detail_id: str) -> str:
    """Which column of which row is no JSON, or no word of TaskFlow's."""
    atoms, flows = tables.atomdetails, tables.flowdetails
    for table, key in ((flows, flows.c.uuid), (atoms, atoms.c.parent_uuid)):
        raw = [sa.type_coerce(column, sa.Text).label(column.name) for column in table.c]
        for row in connection.execute(sa.select(*raw).where(key == detail_id)).mappings():
            for column in table.c:
                if not _is_readable(column, row[column.name]):
                    return f"{table.name}.{column.name} of {row['name']!r} cannot be read"
    return "the rows of its run (flowdetails, atomdetails) cannot be read"


def _is_readable(column: sa.Column[Any], stored: object) -> bool:
    if isinstance(column.type, sa.Enum):
        return stored is None or stored in column.type.enums
    if not isinstance(column.type, taskflow_tables.JSONType) or not isinstance(stored, str):
        return True
    try:
        jsonutils.loads(stored)
    except ValueError:
        return False
    return True


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
