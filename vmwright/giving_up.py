"""Giving up what cannot be undone: what is left of an operation becomes debts.

Nobody does this but a person who says why. Nothing says afterwards that it was undone: TaskFlow's
word on the run stays SUSPENDED, and events and debts tell what was left to whom.
"""

import logging
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from taskflow import states as taskflow_states
from taskflow.flow import Flow
from taskflow.persistence import models

from vmwright.concerning import concerning
from vmwright.descriptions import moment
from vmwright.errors import (
    Cancelled,
    Conflict,
    Internal,
    NotFound,
    StoreUnavailable,
    VmwrightError,
)
from vmwright.flows import refuse_other_rows, stored_flow, tasks_of
from vmwright.ids import DeploymentId, HostId
from vmwright.outcomes import fault_of
from vmwright.persistence.database import now
from vmwright.persistence.debts import GIVEN_UP
from vmwright.persistence.kept import give_back_kept
from vmwright.persistence.logbook import load_flow, note_done, note_given_up, note_undone
from vmwright.persistence.records import Event, Instance, Operation
from vmwright.remnants import Remnant, provided, remnant_of
from vmwright.settings import OperationSettings
from vmwright.spec import Spec
from vmwright.states import STANDING_STILL, AttemptOutcome, OperationState
from vmwright.tasks.hooks import is_hook
from vmwright.tasks.host import ClaimHost
from vmwright.tasks.instance import LocateGuest
from vmwright.tasks.network import AllocateNetwork
from vmwright.tasks.remains import Remains
from vmwright.tasks.task import Means, Run, StoreTask, Task
from vmwright.waiting import Wait

LOG = logging.getLogger(__name__)

_UNDONE = frozenset({taskflow_states.PENDING, taskflow_states.REVERTED, taskflow_states.IGNORE})
_DONE = frozenset({taskflow_states.SUCCESS, taskflow_states.IGNORE})


@dataclass(frozen=True, kw_only=True)
class Word:
    """Who gives something up, and why."""

    by: str
    why: str

    def to_store(self) -> dict[str, Any]:
        return {"by": self.by, "why": self.why}


class GivingUp:
    """What is left of operations that stand still, and the verbs that turn it into debts.

    Each works in the caller's transaction.
    """

    def __init__(self, means: Means, deployment: DeploymentId, settings: OperationSettings) -> None:
        self._means = means
        self._stores = means.stores
        self._deployment = deployment
        self._settings = settings

    def held(self, connection: sa.Connection, operation: Operation) -> list[dict[str, Any]]:
        """What an operation that stands still has not made absent, task by task: `task`, `host`
        (its name), `things`, and `since` when they may be there.

        Of one that cannot be read here, all that it may have made stands under `remains`.
        """
        remnants = self._remnants(connection, operation)
        since = self._stores.operations.begun_at(connection, operation)
        return [
            {
                "task": remnant.task.name,
                "host": remnant.host.get("name"),
                "things": [removal.describe() for removal in remnant.removals()],
                "since": moment(since.get(remnant.task.name)),
            }
            for remnant in remnants
        ]

    def skip(self, connection: sa.Connection, operation: Operation, task: str, word: Word) -> None:
        """Give up what one task cannot remove; the operation goes on behind it.

        `Conflict` unless the operation is stuck in this task. A task of the store alone is done
        here and now, and raises what hinders it.
        """
        _expect(operation, frozenset({OperationState.STUCK}))
        self._stores.instances.refuse_taken(connection, operation.instance_id, operation.id)
        stuck = {
            remnant.task.name: remnant
            for remnant in self._remnants(connection, operation)
            if remnant.is_under_way
        }
        if task not in stuck:
            raise Conflict(
                f"operation {operation.id} is not stuck in {task!r}",
                hint=f"it is stuck in {', '.join(stuck) or 'nothing that is known here'}",
            )
        error = {key: told for key, told in (operation.error or {}).items() if key != "blocked"}
        self._move(
            connection,
            operation,
            OperationState.INTERRUPTED,
            undo_tries=0,
            not_before=0.0,
            error=error or None,
        )
        remnant = stuck[task]
        self._owe(connection, operation, remnant, word)
        self._pass_over(connection, remnant, remnant.forget(), word)

    def abandon(self, connection: sa.Connection, operation: Operation, word: Word) -> None:
        """End an operation that stands still, whatever it left: that is owed.

        A build's instance is in error, and so is one that was to be deleted: it keeps what is
        its own until a delete ends well. `Conflict` for an operation that runs, has ended, or
        whose guest has been active: that is its user's.
        """
        _expect(operation, STANDING_STILL)
        instance = self._stores.instances.get(connection, operation.instance_id)
        if operation.kind == "create" and instance.launched_at is not None:
            raise Conflict(
                f"the guest of operation {operation.id} has been active: it is its user's",
                hint=f"delete it: vmwright delete {instance.id}",
            )
        error = {**(operation.error or {}), "abandoned": word.to_store()}
        # First, so that nobody retries it meanwhile.
        self._move(connection, operation, OperationState.UNDONE, finished_at=now(), error=error)
        for remnant in self._remnants(connection, operation):
            self._owe(connection, operation, remnant, word)
            if operation.kind == "create":
                self._forget_if_it_can(connection, operation, remnant)
        self._end(connection, operation, instance, error)

    def _move(
        self,
        connection: sa.Connection,
        operation: Operation,
        state: OperationState,
        **values: object,
    ) -> None:
        if not self._stores.operations.move_as_read(connection, operation, state, **values):
            raise Conflict(f"operation {operation.id} is {operation.state} no more")
        told = _event(operation, "operation", state=state, error=values.get("error"))
        self._stores.operations.append(connection, [told])

    def _owe(
        self, connection: sa.Connection, operation: Operation, remnant: Remnant, word: Word
    ) -> None:
        removals = remnant.removals()
        for removal in removals:
            self._stores.debts.owe(
                connection,
                host=HostId(remnant.host["id"]),
                kind=removal.kind,
                key=removal.key,
                whose=removal.whose.to_store(),
                reason=GIVEN_UP,
                delay=self._settings.late_effect if remnant.may_be_late(operation) else 0.0,
                operation=operation.id,
                instance=operation.instance_id,
            )
        told = {
            **word.to_store(),
            "host": remnant.host.get("name"),
            "owed": [removal.describe() for removal in removals],
            # A plug-in that does not say what it removes: whoever wrote it has to look.
            "unnamed": is_hook(remnant.task.name) and not removals,
        }
        event = _event(operation, "skip", state="given up", task=remnant.task.name, detail=told)
        self._stores.operations.append(connection, [event])

    def _forget_if_it_can(
        self, connection: sa.Connection, operation: Operation, remnant: Remnant
    ) -> None:
        """Whatever hinders a store half, an operation that is abandoned ends; an event says it."""
        try:
            with connection.begin_nested():
                remnant.forget()
        except (StoreUnavailable, sa.exc.SQLAlchemyError):
            raise
        except Exception as error:
            with _about(operation):
                LOG.exception("operation %s: %s is left", operation.id, remnant.task.name)
            internal = Internal(f"the store half of {remnant.task.name} failed; see the log")
            known = error if isinstance(error, VmwrightError) else internal
            told = _event(
                operation,
                "skip",
                state="left",
                task=remnant.task.name,
                error=known.to_store(),
            )
            self._stores.operations.append(connection, [told])

    def _pass_over(
        self, connection: sa.Connection, remnant: Remnant, result: Any, word: Word
    ) -> None:
        """What the run finds in the place of the task: what is true of it, and nothing else."""
        assert remnant.atom is not None, "only such a task is skipped"
        if not isinstance(remnant.task, StoreTask):
            note_given_up(connection, self._stores, remnant.atom, word.to_store())
        elif remnant.forward:
            note_done(connection, self._stores, remnant.atom, result)
        else:
            note_undone(connection, self._stores, remnant.atom)

    def _end(
        self,
        connection: sa.Connection,
        operation: Operation,
        instance: Instance,
        error: dict[str, Any],
    ) -> None:
        stores = self._stores
        attempts = stores.attempts.of_operation(connection, operation.id)
        abandoned = Cancelled(f"abandoned: {error['abandoned']['why']}").to_store()
        if attempts and attempts[-1].ended_at is None:
            number, cancelled = attempts[-1].number, AttemptOutcome.CANCELLED
            stores.attempts.end(connection, operation.id, number, cancelled, abandoned)
        atoms: Iterable[models.AtomDetail] = ()
        flow: list[Task] = []
        # What came back is not told where it cannot be read: its error says why.
        with suppress(VmwrightError):
            atoms = load_flow(connection, stores, operation.flow_detail_id)
            flow = tasks_of(self._flow(operation, Spec.from_store(instance.request)))
        if operation.kind != "delete":
            stores.secrets.erase(connection, operation.instance_id)
            give_back_kept(stores, connection, operation.instance_id)
        fault = fault_of(stores, connection, operation, {**abandoned, **error}, atoms, flow)
        stores.instances.fail(connection, operation.instance_id, fault)
        stores.instances.let_go(connection, operation.instance_id, operation.id)
        if operation.kind == "delete":
            stores.instances.end_deleting(connection, operation.instance_id)

    def _flow(self, operation: Operation, spec: Spec) -> Flow:
        return stored_flow(operation.flow_name, operation.flow_version, self._means, spec.hooks)

    def _remnants(self, connection: sa.Connection, operation: Operation) -> list[Remnant]:
        """What is left, in the order in which it is to go."""
        run = self._run(connection, operation)
        try:
            left = self._by_its_rows(connection, operation, run)
            for remnant in left:
                remnant.removals()
        except VmwrightError:
            return self._as_far_as_known(operation, run)
        except (TypeError, ValueError, LookupError, AttributeError):  # of results that are none
            with _about(operation):
                LOG.exception("operation %s: what its rows say of it cannot be used", operation.id)
            return self._as_far_as_known(operation, run)
        return left

    def _by_its_rows(
        self, connection: sa.Connection, operation: Operation, run: Run
    ) -> list[Remnant]:
        detail = load_flow(connection, self._stores, operation.flow_detail_id)
        atoms = {atom.name: atom for atom in detail}
        if atoms and all(atom.state == taskflow_states.PENDING for atom in detail):
            return []
        instance = self._stores.instances.get(connection, operation.instance_id)
        spec = Spec.from_store(instance.request)
        values: dict[str, Any] = {"run": run, "spec": spec}
        flow = self._flow(operation, spec)
        refuse_other_rows(flow, atoms)
        tasks = tasks_of(flow)
        for task in tasks:
            values |= provided(task, atoms[task.name])
        over = _UNDONE if operation.kind == "create" else _DONE
        left = [
            remnant_of(task, atoms[task.name], values)
            for task in tasks
            if atoms[task.name].state not in over
        ]
        return left if operation.kind == "delete" else left[::-1]

    def _as_far_as_known(self, operation: Operation, run: Run) -> list[Remnant]:
        """Of what cannot be read here, as it is of a flow that is not known or its rows are broken,
        what every version makes: to owe what was never made, or is gone, costs nothing."""
        try:
            host, marks = LocateGuest(self._means).look(run)
        except NotFound:  # Without a row of its instance, only an audit can tell.
            return []
        tasks: list[Task] = [Remains(self._means)]
        if operation.kind == "create":
            marks = [mark for mark in marks if mark["operation"] == operation.id]
            tasks += [ClaimHost(self._means), AllocateNetwork(self._means)]
        values = {"run": run, "host": host, "marks": marks}
        return [remnant_of(task, None, values) for task in tasks]

    def _run(self, connection: sa.Connection, operation: Operation) -> Run:
        def note(kind: str, state: str) -> None:
            told = _event(operation, kind, state=state)
            self._stores.operations.append(connection, [told])

        return Run(
            mark=operation.mark(self._deployment),
            whose=operation.whose(self._deployment),
            wait=Wait(0.0),
            late_effect=self._settings.late_effect,
            store_connection=connection,
            note=note,
        )


def _expect(operation: Operation, states: frozenset[OperationState]) -> None:
    if operation.state not in states:
        words = " or ".join(sorted(states))
        raise Conflict(
            f"operation {operation.id} is not {words}: it is {operation.state}",
            hint="only what stands still can be given up; a build that runs can be cancelled",
        )


def _about(operation: Operation) -> AbstractContextManager[None]:
    return concerning(operation_id=operation.id, instance_id=operation.instance_id)


def _event(operation: Operation, kind: str, **more: Any) -> Event:
    return Event(
        operation_id=operation.id,
        instance_id=operation.instance_id,
        kind=kind,
        attempt=operation.attempt,
        at=time.time(),
        **more,
    )
