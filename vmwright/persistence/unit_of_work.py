"""The unit of work of a run: what TaskFlow writes, committed with what we write, by the owner."""

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

from vmwright.errors import ClaimLost, StoreUnavailable
from vmwright.persistence.attempts import decisive_fault
from vmwright.persistence.logbook import error_of, outcome_of
from vmwright.persistence.records import Event, Operation
from vmwright.persistence.stores import Stores
from vmwright.states import AttemptOutcome, Direction, OperationState, TaskState

T = TypeVar("T")
Write = Callable[[sa.Connection], None]

_ENDS = {
    taskflow_states.SUCCESS: Direction.EXECUTE,
    taskflow_states.FAILURE: Direction.EXECUTE,
    taskflow_states.REVERTED: Direction.REVERT,
}
"""States that end a task's run, and which way it ran."""


@dataclass
class Fenced:
    """One transaction that only the rightful owner commits."""

    connection: sa.Connection
    cancel_reason: str | None
    """Why somebody wants the operation taken back, if so."""
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Failure:
    """Why an attempt came to nothing."""

    attempt: int
    outcome: AttemptOutcome
    fault: dict[str, Any]

    def gives_way_to(self, new: "_Failure") -> bool:
        """Of one attempt the first failure counts, but for one that ends all attempts."""
        if self.attempt != new.attempt:
            return True
        return self.outcome is AttemptOutcome.FAILED and new.outcome is not AttemptOutcome.FAILED


class UnitOfWork(base.Backend):  # type: ignore[misc]  # TaskFlow is untyped
    """What one run has not committed yet. TaskFlow sees a backend whose writes always succeed.

    Everything goes in one transaction per task: what ended, what is intended next, what changed
    of the instance, the events, and the check that the operation is still ours. Thread-safe.
    """

    def __init__(
        self,
        stores: Stores,
        operation: Operation,
        detail: models.FlowDetail,
        *,
        trusted: Callable[[], bool],
    ) -> None:
        """`operation` is as claimed, `detail` as stored. `trusted` says whether the
        operation is surely still ours."""
        super().__init__(conf={})
        self.operation = operation
        self._stores = stores
        self._detail = detail
        self._trusted = trusted
        self._lock = threading.RLock()
        self._atoms: dict[str, models.AtomDetail] = {}
        self._remarks: dict[str, dict[str, Any]] = {}
        self._flow: models.FlowDetail | None = None
        self._events: list[Event] = []
        self._later: list[Write] = []
        self._states = {atom.name: atom.state for atom in detail}
        self._begun = operation.attempt
        self._failure: _Failure | None = None
        self._told: _Failure | None = None
        known = operation.error or {}
        self.error: dict[str, Any] | None = known if "code" in known else None
        """The failure that everything is taken back for."""
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

    @property
    def attempt(self) -> int:
        """The number of the try on a host that the run has come to. It never goes back, also
        when the retry that counts them is taken back itself."""
        return max([self._begun, *(len(retry.results) for retry in self._retries())])

    def later(self, write: Write) -> None:
        """Have this written in the next commit, before anything else of it."""
        with self._lock:
            self._later.append(write)

    def check_ours(self) -> None:
        """`ClaimLost`, from then on for ever, unless the operation is surely still ours."""
        if self.lost or not self._trusted():
            self.lost = True
            raise ClaimLost(f"operation {self.operation.id} is not ours any more")

    def note(self, event: Event) -> None:
        """Have this event written in the next commit."""
        with self._lock:
            self._events.append(event)

    def remark(self, task: str, **meta: Any) -> None:
        """Have this in the stored metadata of a task, whatever TaskFlow writes of it meanwhile."""
        (atom,) = (atom for atom in self._detail if atom.name == task)
        with self._lock:
            self._remarks.setdefault(task, {}).update(meta)
            self._atoms.setdefault(atom.uuid, atom)

    def event(self, kind: str, state: str, **more: Any) -> Event:
        """An event of this operation, now."""
        return Event(
            operation_id=self.operation.id,
            instance_id=self.operation.instance_id,
            kind=kind,
            state=state,
            attempt=self.attempt,
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

    def enter(self, fenced: Fenced, task_state: TaskState | None) -> None:
        """Move the instance's task state, with its event, unless this attempt has been there."""
        instances = self._stores.instances
        moved = instances.enter(fenced.connection, self.operation.instance_id, task_state)
        if moved or (self.attempt > 1 and task_state and self._is_new(fenced, task_state)):
            fenced.events.append(self.event("instance", task_state or "none"))

    def _is_new(self, fenced: Fenced, task_state: TaskState) -> bool:
        """Whether the attempt before has left the instance in this state."""
        return not self._stores.operations.has_entered(
            fenced.connection, self.operation.id, self.attempt, task_state
        )

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
            if self.attempt > self._begun:
                self._begin_attempt(fenced)
            if state is OperationState.RUNNING:
                self._tell_failure(fenced)
            outcome = work(fenced)
            self._write_rows(connection)
            self._stores.operations.append(connection, [*self._events, *fenced.events])
        return outcome

    def _begin_attempt(self, fenced: Fenced) -> None:
        operation = self.operation
        self._stores.attempts.begin(fenced.connection, operation.id, self.attempt)
        self._stores.instances.build_again(fenced.connection, operation.instance_id)

    def _tell_failure(self, fenced: Fenced) -> None:
        """Why the attempt ended, if it did; and what follows: another one, or none."""
        failure = self._failure if self._failure is not self._told else None
        if failure is not None:
            self._stores.attempts.end(
                fenced.connection,
                self.operation.id,
                failure.attempt,
                failure.outcome,
                failure.fault,
            )
        if all(atom.intention == taskflow_states.REVERT for atom in self._detail):
            self._begin_undo(fenced)
        elif failure is not None:
            fenced.events.append(self.event("attempt", failure.outcome, error=failure.fault))

    def _begin_undo(self, fenced: Fenced) -> None:
        operation, connection = self.operation, fenced.connection
        attempts = self._stores.attempts.of_operation(connection, operation.id)
        self.error = decisive_fault(attempts) or error_of(None)
        self._stores.operations.move(
            connection, operation.id, OperationState.UNDOING, error=self.error
        )
        fenced.events.append(self.event("operation", OperationState.UNDOING, error=self.error))
        self.enter(fenced, None)

    def _retries(self) -> list[models.RetryDetail]:
        return [atom for atom in self._detail if isinstance(atom, models.RetryDetail)]

    def _note_end(self, detail: models.AtomDetail) -> None:
        direction = _ENDS.get(detail.state)
        if direction is None or isinstance(detail, models.RetryDetail):
            return
        error = None
        if detail.state == taskflow_states.FAILURE:
            error = error_of(detail.failure) | {"task": detail.name}
            failure = _Failure(
                attempt=self.attempt, outcome=outcome_of(detail.failure), fault=error
            )
            if self._failure is None or self._failure.gives_way_to(failure):
                self._failure = failure
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

    def _row(self, atom: models.AtomDetail) -> dict[str, Any]:
        row: dict[str, Any] = atom.to_dict()
        row["key"] = row.pop("uuid")
        row["meta"] = {**row["meta"], **self._remarks.get(row.pop("name"), {})}
        return row

    def _forget_pending(self) -> None:
        self._atoms.clear()
        self._events.clear()
        self._later.clear()
        self._flow = None
        self._begun, self._told = self.attempt, self._failure
