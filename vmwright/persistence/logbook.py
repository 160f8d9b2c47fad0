"""TaskFlow's persistence: its rows, and the unit of work that commits them with ours."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa
import tenacity
from oslo_utils import timeutils
from taskflow import states as taskflow_states
from taskflow.persistence import base, models
from taskflow.types.failure import Failure

from vmwright.errors import ClaimLost, Internal, StoreUnavailable, VmwrightError
from vmwright.ids import new_id
from vmwright.persistence.records import Event, Operation
from vmwright.persistence.stores import Stores
from vmwright.states import Direction, OperationState, TaskState

T = TypeVar("T")
Write = Callable[[sa.Connection], None]

_ENDS = {
    taskflow_states.SUCCESS: Direction.EXECUTE,
    taskflow_states.FAILURE: Direction.EXECUTE,
    taskflow_states.REVERTED: Direction.REVERT,
}
"""States that end a task's run, and which way it ran."""


def new_flow_rows(
    connection: sa.Connection,
    stores: Stores,
    *,
    flow_name: str,
    detail_id: str,
    atoms: Iterable[str],
) -> None:
    """Write logbook, flow and tasks of a run that has not begun: whoever claims it can load it."""
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
                "name": name,
                "state": taskflow_states.PENDING,
                "intention": taskflow_states.EXECUTE,
                "atom_type": models.atom_detail_type(models.TaskDetail(name, name)),
                "version": "1.0",
            }
            for name in atoms
        ],
    )


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


@dataclass
class Fenced:
    """One transaction that only the rightful owner commits."""

    connection: sa.Connection
    cancel_reason: str | None
    """Why somebody wants the operation taken back, if so."""
    events: list[Event] = field(default_factory=list)


class UnitOfWork(base.Backend):  # type: ignore[misc]  # TaskFlow is untyped
    """What one run has not committed yet. TaskFlow sees a backend whose writes always succeed.

    Everything goes in one transaction per task: what ended, what is intended next, what changed
    of the instance, the events, and the check that the operation is still ours. Thread-safe.
    """

    def __init__(
        self,
        stores: Stores,
        operation: Operation,
        *,
        trusted: Callable[[], bool],
    ) -> None:
        """`operation` is as claimed. `trusted` says whether our lease still holds."""
        super().__init__(conf={})
        self.operation = operation
        self._stores = stores
        self._trusted = trusted
        self._lock = threading.RLock()
        self._atoms: dict[str, models.AtomDetail] = {}
        self._flow: models.FlowDetail | None = None
        self._events: list[Event] = []
        self._later: list[Write] = []
        self._states: dict[str, str] = {}
        known = operation.error or {}
        self.error: dict[str, Any] | None = known if "code" in known else None
        """The first failure: what the undo is about."""
        self.lost = False

    # What TaskFlow asks of a backend and of a connection.

    def get_connection(self) -> "UnitOfWork":
        return self

    @property
    def backend(self) -> "UnitOfWork":
        return self

    def close(self) -> None:
        """Nothing is held between commits."""

    def update_flow_details(self, detail: models.FlowDetail) -> models.FlowDetail:
        with self._lock:
            self._flow = detail
        return detail

    def update_atom_details(self, detail: models.AtomDetail) -> models.AtomDetail:
        with self._lock:
            self._atoms[detail.uuid] = detail
            if self._states.get(detail.name) != detail.state:
                self._states[detail.name] = detail.state
                self._note_end(detail)
        return detail

    # What the runner asks.

    def adopt(self, detail: models.FlowDetail) -> None:
        """Begin from what is stored."""
        self._states = {atom.name: atom.state for atom in detail}

    def later(self, write: Write) -> None:
        """Have this written in the next commit, before anything else of it."""
        with self._lock:
            self._later.append(write)

    def note(self, event: Event) -> None:
        """Have this event written in the next commit."""
        with self._lock:
            self._events.append(event)

    def event(self, kind: str, state: str, **more: Any) -> Event:
        """An event of this operation, now."""
        return Event(
            operation_id=self.operation.id,
            instance_id=self.operation.instance_id,
            kind=kind,
            state=state,
            attempt=self.operation.attempt,
            at=time.time(),
            **more,
        )

    def commit(self, work: Callable[[Fenced], T]) -> T:
        """Commit what is pending and what `work` adds, in one transaction.

        An exception from `work` rolls everything back, and what was pending stays pending.
        `ClaimLost` if the operation is not ours any more; a store that does not answer is asked
        again as long as our lease holds.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._worth_another_try),
            wait=tenacity.wait_exponential(multiplier=0.05, max=1.0),
            reraise=True,
        )
        with self._lock:
            if self.lost:
                raise ClaimLost(f"operation {self.operation.id} is not ours any more")
            try:
                outcome: T = retrying(self._commit_once, work)
            except (ClaimLost, StoreUnavailable):
                self.lost = True
                raise
            self._forget_pending()
            return outcome

    def flush_events(self, more: Iterable[Event]) -> None:
        """Publish what has ended already, and `more`, without waiting for the next task.

        Never waits for a commit that is under way: that one publishes.
        """
        if not self._lock.acquire(blocking=False):
            return
        try:
            events = [*self._events, *more]
            if not events or self.lost:
                return
            with self._stores.database.write() as connection:
                self._stores.operations.fence(connection, self.operation.id, self.operation.epoch)
                self._stores.operations.append(connection, events)
            self._events.clear()
        finally:
            self._lock.release()

    def _worth_another_try(self, error: BaseException) -> bool:
        return isinstance(error, StoreUnavailable) and self._trusted()

    def _commit_once(self, work: Callable[[Fenced], T]) -> T:
        with self._stores.database.write() as connection:
            reason, state = self._stores.operations.fence(
                connection, self.operation.id, self.operation.epoch
            )
            fenced = Fenced(connection, reason)
            for write in self._later:
                write(connection)
            if self.error is not None and state is OperationState.RUNNING:
                self._begin_undo(fenced)
            outcome = work(fenced)
            self._write_rows(connection)
            self._stores.operations.append(connection, [*self._events, *fenced.events])
        return outcome

    def _begin_undo(self, fenced: Fenced) -> None:
        operation = self.operation
        self._stores.operations.move(
            fenced.connection, operation.id, OperationState.UNDOING, error=self.error
        )
        fenced.events.append(self.event("operation", OperationState.UNDOING, error=self.error))
        self.enter(fenced, None)

    def enter(self, fenced: Fenced, task_state: TaskState | None) -> None:
        """Move the instance's task state, with its event, unless it is there already."""
        instances = self._stores.instances
        if instances.enter(fenced.connection, self.operation.instance_id, task_state):
            fenced.events.append(self.event("instance", task_state or "none"))

    def _note_end(self, detail: models.AtomDetail) -> None:
        direction = _ENDS.get(detail.state)
        if direction is None:
            return
        error = None
        if detail.state == taskflow_states.FAILURE:
            error = error_of(detail.failure) | {"task": detail.name}
            self.error = self.error or error
        self._events.append(
            self.event("task", detail.state, task=detail.name, direction=direction, error=error)
        )

    def _write_rows(self, connection: sa.Connection) -> None:
        tables, stamp = self._stores.database.schema.logbook, timeutils.utcnow()
        if self._flow is not None:
            connection.execute(
                sa.update(tables.flowdetails)
                .where(tables.flowdetails.c.uuid == self._flow.uuid)
                .values(state=self._flow.state, meta=self._flow.meta, updated_at=stamp)
            )
        rows = [self._row(atom) | {"updated_at": stamp} for atom in self._atoms.values()]
        if rows:
            columns = [name for name in rows[0] if name != "key"]
            connection.execute(
                sa.update(tables.atomdetails)
                .where(tables.atomdetails.c.uuid == sa.bindparam("key"))
                .values({name: sa.bindparam(name) for name in columns}),
                rows,
            )

    @staticmethod
    def _row(atom: models.AtomDetail) -> dict[str, Any]:
        row = atom.to_dict()
        row["key"] = row.pop("uuid")
        row.pop("name")
        return row  # type: ignore[no-any-return]

    def _forget_pending(self) -> None:
        self._atoms.clear()
        self._events.clear()
        self._later.clear()
        self._flow = None


def error_of(failure: Failure | None) -> dict[str, Any]:
    """A failure as users see it; only our own exception classes get this far."""
    error = failure.exception if failure is not None else None
    if isinstance(error, VmwrightError):
        return error.to_store()
    if failure is not None and next(iter(failure), "").startswith("vmwright."):
        code = next(iter(failure)).rpartition(".")[2]
        return {"code": code, "message": failure.exception_str, "hint": "", "host": None}
    return Internal("the task failed for a reason that was not recorded").to_store()
