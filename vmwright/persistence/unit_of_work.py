"""The unit of work of a run: what TaskFlow writes, committed with what we write, by the owner."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
import tenacity
from taskflow import states as taskflow_states
from taskflow.persistence import base, models

from vmwright.errors import ClaimLost, StoreUnavailable
from vmwright.persistence.attempts import decisive_fault
from vmwright.persistence.group_commit import Entry
from vmwright.persistence.held_operations import Claim, Held
from vmwright.persistence.logbook import error_of, outcome_of
from vmwright.persistence.pending import Draft, Failed, Fenced, Pending, Write
from vmwright.persistence.records import Event, Operation
from vmwright.persistence.run_rows import Rows, WrittenAtoms
from vmwright.persistence.stores import Stores
from vmwright.states import Direction, OperationState, TaskState

T = TypeVar("T")

_ENDS = {
    taskflow_states.SUCCESS: Direction.EXECUTE,
    taskflow_states.FAILURE: Direction.EXECUTE,
    taskflow_states.REVERTED: Direction.REVERT,
}
"""States that end a task's run, and which way it ran."""


def _unheard() -> None:
    """Nobody waits for it."""


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
        claim: Claim | None = None,
        claimed: Callable[[], None] | None = None,
        committed: Callable[[], None] = _unheard,
    ) -> None:
        """`operation` is as claimed, `detail` as stored. `trusted` says whether the
        operation is surely still ours. `claim` is how the first commit makes it ours, if it is
        not yet; then `claimed` is called. `committed` is called after each commit: there may be
        new events."""
        super().__init__(conf={})
        self.operation = operation
        self._claim = claim
        self._claimed = claimed
        self._stores = stores
        self._detail = detail
        self._trusted = trusted
        self._tell_committed = committed
        self._committing = threading.Lock()
        self._lock = threading.Lock()
        self._pending = Pending()
        self._remarks: dict[str, dict[str, Any]] = {}
        self.atoms: dict[str, models.AtomDetail] = {atom.name: atom for atom in detail}
        self.uuids = {name: atom.uuid for name, atom in self.atoms.items()}
        self._written = WrittenAtoms(self.atoms, self.uuids)
        self._states = {name: atom.state for name, atom in self.atoms.items()}
        self.attempt = self._begun = operation.attempt
        """The number of the try on a host that the run has come to. It never goes back, also
        when the retry that counts them is taken back itself."""
        for atom in self.atoms.values():
            if type(atom) is models.RetryDetail:
                self._count_attempts(atom)
        self._failure: Failed | None = None
        self._told: Failed | None = None
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
            self._pending.flow = detail
        return detail

    def update_atom_details(self, detail: models.AtomDetail) -> models.AtomDetail:
        self.changed(detail.name, detail)
        return detail

    # What the runner asks.

    def changed(self, name: str, atom: models.AtomDetail) -> None:
        """Have what is new of this atom written in the next commit."""
        with self._lock:
            self._pending.atoms[name] = atom
            state = atom.state
            if self._states[name] != state:
                self._states[name] = state
                if state in _ENDS and type(atom) is models.TaskDetail:
                    self._note_end(name, atom)
        if type(atom) is models.RetryDetail:
            self._count_attempts(atom)

    def _count_attempts(self, retry: models.RetryDetail) -> None:
        self.attempt = max(self.attempt, len(retry.results))

    @property
    def is_claimed(self) -> bool:
        """Whether the operation is ours, as far as this run has heard."""
        return self._claim is None

    def later(self, write: Write) -> None:
        """Have this written in the next commit, before anything else of it."""
        with self._lock:
            self._pending.later.append(write)

    def check_ours(self) -> None:
        """`ClaimLost`, from then on for ever, unless the operation is surely still ours."""
        if self.lost or not self._trusted():
            self.lost = True
            raise ClaimLost(f"operation {self.operation.id} is not ours any more")

    def note(self, event: Event) -> None:
        """Have this event written in the next commit."""
        with self._lock:
            self._pending.events.append(event)

    def remark(self, task: str, **meta: Any) -> None:
        """Have this in the stored metadata of a task, whatever TaskFlow writes of it meanwhile."""
        with self._lock:
            self._remarks.setdefault(task, {}).update(meta)
            self._pending.atoms.setdefault(task, self.atoms[task])

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

    def commit(self, work: Callable[[Fenced], T], *, alone: bool = False) -> T:
        """Commit what is pending and what `work` adds, in one transaction; in one with what other
        runs say at this moment, unless it is to be `alone`, as it may wait for others' rows.

        An exception from `work` rolls everything back, and what was pending stays pending.
        `ClaimLost` if the operation is not ours any more; a store that does not answer is asked
        again as long as our lease holds.
        """
        with self._committing:
            if self.lost:
                raise ClaimLost(f"operation {self.operation.id} is not ours any more")
            pending = self._taken()
            try:
                outcome = self._committed(work, pending, alone)
            except BaseException as error:
                with self._lock:
                    self._pending = pending.before(self._pending)
                self.lost = self.lost or isinstance(error, ClaimLost | StoreUnavailable)
                raise
            self._begun, self._told = self.attempt, self._failure
        self._tell_committed()
        return outcome

    def _taken(self) -> Pending:
        with self._lock:
            pending, self._pending = self._pending, Pending()
        return pending

    def _committed(self, work: Callable[[Fenced], T], pending: Pending, alone: bool) -> T:
        try:
            return self._commit_once(work, pending, alone)
        except StoreUnavailable as error:
            if not self._worth_another_try(error):
                raise
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._worth_another_try),
            wait=tenacity.wait_exponential(multiplier=0.05, max=1.0),
            reraise=True,
        )
        outcome: T = retrying(self._commit_once, work, pending, alone)
        return outcome

    def include(self, fenced: Fenced, task: str, change: Callable[[], None]) -> None:
        """Have what `change` makes of this task and of the run written by this transaction too,
        after what it says already. If it is not committed, nothing has changed."""
        atom = self.atoms[task]
        before, state, flow_state = dict(vars(atom)), self._states[task], self._detail.state

        def take_back() -> None:
            vars(atom).update(before)
            self._states[task], self._detail.state = state, flow_state

        fenced.taken_back.append(take_back)
        waiting = self._taken()
        change()
        included = self._taken()
        fenced.events.extend(included.events)
        fenced.included = included if fenced.included is None else fenced.included.before(included)
        with self._lock:
            self._pending = waiting.before(self._pending)

    @contextmanager
    def unpublished(self, news: Callable[[], list[Event]]) -> Iterator[Draft]:
        """What has ended and no commit has said yet, and the `news`; none begins meanwhile.

        Nothing while one is under way: that one says it.
        """
        draft = Draft(operation=self.operation.id, epoch=self.operation.epoch)
        if not self._committing.acquire(blocking=False):
            yield draft
            return
        try:
            with self._lock:
                known = list(self._pending.events)
            if self.is_claimed and not self.lost:
                draft.events = [*known, *news()]
            yield draft
            if draft.is_published:
                with self._lock:
                    del self._pending.events[: len(known)]
        finally:
            self._committing.release()
        self._tell_committed()

    def enter(self, fenced: Fenced, task_state: TaskState | None) -> None:
        """Move the instance's task state, with its event, unless this attempt has been there."""
        instances = self._stores.instances
        for event in fenced.events:
            if event.kind == "instance" and event.state == task_state:
                return  # a task that begins together with this one has
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

    def _commit_once(self, work: Callable[[Fenced], T], pending: Pending, alone: bool) -> T:
        writing = _Writing(self, work, pending)
        self._stores.group.commit(writing, alone=alone)
        if self._claim is not None:
            self._claim = None
            if self._claimed is not None:
                self._claimed()
        return writing.committed()

    def _say(self, fenced: Fenced, state: OperationState, pending: Pending) -> None:
        """What the transaction says before anything else."""
        for write in pending.later:
            write(fenced.connection)
        if self.attempt > self._begun:
            self._begin_attempt(fenced)
        if state is OperationState.RUNNING:
            self._tell_failure(fenced)

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
        for atom in self.atoms.values():
            if atom.intention != taskflow_states.REVERT:
                break
        else:
            self._begin_undo(fenced)
            return
        if failure is not None:
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

    def _note_end(self, name: str, atom: models.TaskDetail) -> None:
        error = None
        if atom.state == taskflow_states.FAILURE:
            error = error_of(atom.failure) | {"task": name}
            failure = Failed(attempt=self.attempt, outcome=outcome_of(atom.failure), fault=error)
            if self._failure is None or self._failure.gives_way_to(failure):
                self._failure = failure
        direction = _ENDS[atom.state]
        event = self.event("task", atom.state, task=name, direction=direction, error=error)
        self._pending.events.append(event)


class _Writing(Entry, Generic[T]):
    """One commit of a run, which may be tried more than once, by any thread."""

    def __init__(self, unit: UnitOfWork, work: Callable[[Fenced], T], pending: Pending) -> None:
        super().__init__(unit.operation.id, unit.operation.epoch, unit._claim)
        self._unit = unit
        self._work = work
        self._pending = pending
        self._fenced: Fenced | None = None
        self._outcome: list[T] = []
        self._wholes: tuple[Sequence[str], Mapping[str, models.AtomDetail]] = (), {}

    def write(self, connection: sa.Connection, held: Held, rows: Rows) -> None:
        reason, state = held
        unit, pending = self._unit, self._pending
        self._fenced = fenced = Fenced(connection, reason)
        unit._say(fenced, state, pending)
        self._outcome = [self._work(fenced)]
        if fenced.included is not None:
            pending = pending.before(fenced.included)
        flow = pending.flow
        if flow is not None:
            rows.flows.append({"key": flow.uuid, "state": flow.state})
        self._wholes = unit._written.add(rows, pending.atoms, unit._remarks), pending.atoms
        rows.events += self._pending.events
        rows.events += fenced.events

    def take_back(self) -> None:
        if self._fenced is not None:
            for take_back in reversed(self._fenced.taken_back):
                take_back()
        self._fenced = None

    def committed(self) -> T:
        """What the work came to."""
        assert self._fenced is not None, "it was just committed"
        if self._wholes[0]:
            self._unit._written.are_written(*self._wholes)
        for tell in self._fenced.committed:
            tell()
        (outcome,) = self._outcome
        return outcome
