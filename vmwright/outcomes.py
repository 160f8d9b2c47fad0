"""How the end of a run is written down: on the operation, the instance and the attempt."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from taskflow import states as taskflow_states
from taskflow.persistence import models

from vmwright.backends.removal import Kind
from vmwright.errors import Internal
from vmwright.ids import OperationId, volume_of_name
from vmwright.persistence.attempts import decisive_fault
from vmwright.persistence.database import now
from vmwright.persistence.kept import give_back_kept, kept_of
from vmwright.persistence.pending import Fenced
from vmwright.persistence.records import Attempt, Debt, Operation
from vmwright.persistence.stores import Stores
from vmwright.persistence.unit_of_work import UnitOfWork
from vmwright.runner import Outcome
from vmwright.settings import OperationSettings
from vmwright.states import AttemptOutcome, OperationState
from vmwright.tasks.task import DISK, Task

_LONGEST_PAUSE = 60.0


class Ending:
    """Adds the end of one run to its last transaction."""

    def __init__(
        self,
        stores: Stores,
        operation: Operation,
        tasks: Sequence[Task],
        detail: models.FlowDetail,
        work: UnitOfWork,
        settings: OperationSettings,
    ) -> None:
        self._stores = stores
        self._operation = operation
        self._detail = detail
        self._work = work
        self._settings = settings
        self._tasks = tasks

    def record(self, fenced: Fenced, outcome: Outcome, reason: dict[str, Any] | None) -> None:
        """Write the end. `reason` says what blocks the run, if something does."""
        match outcome:
            case Outcome.DONE:
                self._done(fenced)
            case Outcome.UNDONE:
                self._undone(fenced)
            case Outcome.BLOCKED:
                self._blocked(fenced, reason or {})
            case _:
                self._move(fenced, OperationState.INTERRUPTED, owner_id=None)

    def _done(self, fenced: Fenced) -> None:
        operation, stores = self._operation, self._stores
        self._ends(fenced, OperationState.DONE)
        stores.instances.let_go(fenced.connection, operation.instance_id, operation.id)
        stores.attempts.end(
            fenced.connection, operation.id, self._work.attempt, AttemptOutcome.DONE
        )
        if operation.after_id is not None:
            self._end_predecessor(fenced, operation.after_id)
        if operation.kind == "delete" or self._work.attempt > 1:
            give_back_kept(stores, fenced.connection, operation.instance_id)

    def _end_predecessor(self, fenced: Fenced, predecessor: OperationId) -> None:
        """A delete has removed what its predecessor, stuck or parked, could not."""
        undone = OperationState.UNDONE
        operations = self._stores.operations
        if operations.end(fenced.connection, predecessor, undone):
            event = self._work.event("operation", undone)
            fenced.events.append(replace(event, operation_id=predecessor))

    def _undone(self, fenced: Fenced) -> None:
        operation, stores = self._operation, self._stores
        error = self._work.error or {}
        cancelled = error.get("code") == "Cancelled"
        self._ends(fenced, OperationState.CANCELLED if cancelled else OperationState.UNDONE)
        stores.secrets.erase(fenced.connection, operation.instance_id)
        give_back_kept(stores, fenced.connection, operation.instance_id)
        fault = self._fault(fenced, error)
        stores.instances.fail(fenced.connection, operation.instance_id, fault)
        stores.instances.let_go(fenced.connection, operation.instance_id, operation.id)

    def _blocked(self, fenced: Fenced, reason: dict[str, Any]) -> None:
        """Try again after a pause, a bounded number of times; then somebody must look."""
        # Each attempt's undo has tries of its own.
        same_attempt = self._work.attempt == self._operation.attempt
        tries = (self._operation.undo_tries if same_attempt else 0) + 1
        error = {**(self._work.error or {}), "blocked": reason}
        if tries < self._settings.undo_tries:
            pause = min(self._settings.undo_backoff * 2 ** (tries - 1), _LONGEST_PAUSE)
            self._move(
                fenced,
                OperationState.INTERRUPTED,
                owner_id=None,
                undo_tries=tries,
                not_before=now() + pause,
                error=error,
            )
            return
        self._move(fenced, OperationState.STUCK, owner_id=None, undo_tries=tries, error=error)
        if self._operation.kind == "create":
            fault = self._fault(fenced, error)
            self._stores.instances.fail(fenced.connection, self._operation.instance_id, fault)

    def _fault(self, fenced: Fenced, error: Mapping[str, Any]) -> dict[str, Any]:
        connection, operation = fenced.connection, self._operation
        return fault_of(self._stores, connection, operation, error, self._detail, self._tasks)

    def _ends(self, fenced: Fenced, state: OperationState) -> None:
        operations, operation = self._stores.operations, self._operation.id
        self._tell(fenced, state, operations.end(fenced.connection, operation, state))

    def _move(self, fenced: Fenced, state: OperationState, **values: object) -> None:
        moved = self._stores.operations.move(fenced.connection, self._operation.id, state, **values)
        self._tell(fenced, state, moved, values.get("error"))

    def _tell(
        self, fenced: Fenced, state: OperationState, has_moved: bool, error: Any = None
    ) -> None:
        if not has_moved:
            raise Internal(f"operation {self._operation.id} cannot become {state}")
        fenced.events.append(self._work.event("operation", state, error=error or self._work.error))


def fault_of(
    stores: Stores,
    connection: Any,
    operation: Operation,
    error: Mapping[str, Any],
    atoms: Iterable[models.AtomDetail],
    tasks: Sequence[Task],
) -> dict[str, Any]:
    """What a user needs to know: what failed, where, why, what came back, what is owed, and what
    is kept for that."""
    debts = stores.debts.of_operation(connection, operation.id)
    kept = kept_of(stores, connection, operation.instance_id)
    left = {_kind_of(debt) for debt in debts} | {one.kind for one in kept}
    attempts = stores.attempts.of_operation(connection, operation.id)
    undone = stores.operations.taken_back(connection, operation.id)
    undone |= {atom.name for atom in atoms if atom.state == taskflow_states.REVERTED}
    given_back = {
        task.gives_back for task in tasks if task.name in undone and not task.leaves & left
    }
    return {
        **(decisive_fault(attempts) or {}),
        **error,
        "attempts": [_told(stores, connection, attempt) for attempt in attempts],
        "given_back": sorted(words for words in given_back if words),
        "owed": [f"{debt.kind} {debt.key}" for debt in debts],
        "kept": [one.words for one in kept],
    }


def _kind_of(debt: Debt) -> str:
    is_disk = debt.kind == Kind.VOLUME and volume_of_name(debt.key) is None
    return DISK if is_disk else debt.kind


def _told(stores: Stores, connection: Any, attempt: Attempt) -> dict[str, Any]:
    fault, hosts = attempt.fault or {}, stores.registries.hosts
    host = attempt.host_id and hosts.get(connection, attempt.host_id)
    return {
        "number": attempt.number,
        "host": host.name if host else None,
        "task": fault.get("task"),
        "message": fault.get("message"),
    }
