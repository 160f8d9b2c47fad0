"""Drives TaskFlow engines: the only module that knows them.

The laws of a run live here. Before a task begins, one fenced transaction says so, together with
all that ended before. A failing undo never becomes TaskFlow's REVERT_FAILURE: its task stays
REVERTING and the run is suspended. REVERTED is written only if everything was taken back.
"""

import dataclasses
import logging
import threading
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from oslo_serialization import jsonutils
from taskflow import exceptions as taskflow_errors
from taskflow import states as taskflow_states
from taskflow.engines.action_engine import engine as action_engine
from taskflow.engines.action_engine import executor as action_executor
from taskflow.flow import Flow
from taskflow.persistence import models
from taskflow.types.failure import Failure

from vmwright.errors import (
    Cancelled,
    ClaimLost,
    Internal,
    StoreUnavailable,
    Unavailable,
    VmwrightError,
)
from vmwright.persistence.logbook import Fenced, UnitOfWork
from vmwright.pools import Pools
from vmwright.settings import OperationSettings
from vmwright.states import Direction
from vmwright.tasks.task import Owed, RemovingTask, Run, StoreTask, Task
from vmwright.waiting import Wait, patiently

T = TypeVar("T")

LOG = logging.getLogger(__name__)

_LATE = "late"  # in a task's stored metadata: a call of it may still land

_TAKEN_BACK = frozenset({taskflow_states.PENDING, taskflow_states.REVERTED, taskflow_states.IGNORE})


class Outcome(Enum):
    """How a run came to its end in this process."""

    DONE = "done"
    UNDONE = "undone"
    STOPPED = "stopped"
    """Everything that began is recorded; whoever claims the operation goes on."""
    BLOCKED = "blocked"
    """Something that must be removed could not be, for a reason that is not the host's absence."""
    LOST = "lost"
    """Another process owns the operation, or the store went away: nothing more was written."""


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One run to drive: what `drive` needs to know and whom it tells."""

    run: Run
    inputs: dict[str, Any]
    cut_off: bool
    """Whether a process died while it ran this: calls of it may be under way somewhere."""
    work: UnitOfWork
    settings: OperationSettings
    cancelled: threading.Event
    """Somebody wants the operation taken back."""
    stopping: threading.Event
    """This process is about to end: leave the run as it is."""
    finish: Callable[[Fenced, Outcome, dict[str, Any] | None], None]
    """Adds the end of the operation, or why it is blocked, to the last transaction."""
    progress: Callable[[str, float, str], None]
    owe: Callable[[Fenced, list[Owed]], None]


def drive(flow: Flow, detail: models.FlowDetail, assignment: Assignment, pools: Pools) -> Outcome:
    """Run, or go on with, one operation until it ends or cannot go on here."""
    work = assignment.work
    work.adopt(detail)
    executor = _Executor(assignment, pools, detail)
    engine = _Engine(flow, detail, assignment, executor)
    executor.suspend = engine.suspend
    engine.storage.inject({**assignment.inputs, "run": assignment.run}, transient=True)
    try:
        engine.run()
    except (VmwrightError, taskflow_errors.WrappedFailure) as error:
        LOG.debug("operation %s: the engine ended with %s", work.operation.id, error)
    if work.lost:
        return Outcome.LOST
    return engine.outcome(executor)


def _late(detail: models.FlowDetail, assignment: Assignment) -> frozenset[str]:
    """Tasks whose calls may still land: cut off with their process, or not answered, in this run
    or in one before it."""
    cut_off = {taskflow_states.RUNNING, taskflow_states.REVERTING} if assignment.cut_off else set()
    return frozenset(
        atom.name
        for atom in detail
        if atom.state in cut_off
        or _LATE in atom.meta
        or (atom.failure is not None and atom.failure.check(Unavailable))
    )


class _Engine(action_engine.ActionEngine):  # type: ignore[misc]  # TaskFlow is untyped
    """TaskFlow's engine, whose ends are durable before anyone is told, and true."""

    def __init__(
        self,
        flow: Flow,
        detail: models.FlowDetail,
        assignment: Assignment,
        executor: "_Executor",
    ) -> None:
        super().__init__(flow, detail, assignment.work, {})
        self._task_executor = executor
        self._assignment = assignment
        self._recorded = Outcome.STOPPED

    def _change_state(self, state: str) -> None:
        if state == taskflow_states.FAILURE or (
            state == taskflow_states.REVERTED and not self._all_taken_back()
        ):
            # TaskFlow says REVERTED also after a graceful stop or a cancelled future, and
            # FAILURE for a run that anybody may go on with.
            super()._change_state(taskflow_states.SUSPENDING)
            state = taskflow_states.SUSPENDED
        super()._change_state(state)
        ends = {taskflow_states.SUCCESS: Outcome.DONE, taskflow_states.REVERTED: Outcome.UNDONE}
        if state in ends:
            self._record(ends[state])

    def outcome(self, executor: "_Executor") -> Outcome:
        """How it ended; a run that is not over is put down durably first."""
        if self._recorded is Outcome.STOPPED:
            reason = executor.blocked
            self._record(Outcome.STOPPED if reason is None else Outcome.BLOCKED, reason)
        return self._recorded

    def _record(self, outcome: Outcome, reason: dict[str, Any] | None = None) -> None:
        finish = self._assignment.finish
        self._assignment.work.commit(lambda fenced: finish(fenced, outcome, reason))
        self._recorded = outcome

    def _all_taken_back(self) -> bool:
        return all(atom.state in _TAKEN_BACK for atom in self._flow_detail)


class _Executor(action_executor.TaskExecutor):  # type: ignore[misc]  # TaskFlow is untyped
    """Hands tasks to the pools of their hosts, each after its fenced transaction.

    It runs in the engine's thread; only `_perform` runs in a pool's.
    """

    suspend: Callable[[], None]

    def __init__(self, assignment: Assignment, pools: Pools, detail: models.FlowDetail) -> None:
        self._assignment = assignment
        self._work = assignment.work
        self._pools = pools
        self._atoms = {atom.name: atom for atom in detail}
        self._late: set[str] = set()
        self.blocked: dict[str, Any] | None = None
        for name in _late(detail, assignment):
            self._remember_late(name)

    def execute_task(
        self, task: Task, _uuid: str, arguments: dict[str, Any], progress_callback: object = None
    ) -> "futures.Future[Any]":
        del progress_callback
        return self._handle(task, Direction.EXECUTE, arguments)

    def revert_task(
        self,
        task: Task,
        _uuid: str,
        arguments: dict[str, Any],
        _result: object,
        _failures: object,
        progress_callback: object = None,
    ) -> "futures.Future[Any]":
        del progress_callback
        return self._handle(task, Direction.REVERT, arguments)

    def _handle(
        self, task: Task, direction: Direction, arguments: dict[str, Any]
    ) -> "futures.Future[Any]":
        job = _Job(
            task=task,
            direction=direction,
            arguments={**arguments, "run": self._run_of(task, direction)},
        )
        try:
            if self._assignment.stopping.is_set():
                raise futures.CancelledError
            if isinstance(task, StoreTask):
                return _ended(task, self._guarded(job, lambda: self._in_store(job)))
            refused = self._guarded(job, lambda: self._announce(job))
        except futures.CancelledError:
            return _put_off(task)
        return self._submit(job) if refused is None else _ended(task, refused)

    def _run_of(self, task: Task, direction: Direction) -> Run:
        """What this task may know, with its own patience."""
        settings, forward = self._assignment.settings, direction is Direction.EXECUTE
        removing = isinstance(task, RemovingTask) or not forward
        wait = Wait(
            settings.undo_deadline if removing else settings.deadline,
            cancelled=self._assignment.stopping if removing else self._assignment.cancelled,
            report=lambda fraction, note: self._assignment.progress(task.name, fraction, note),
        )
        return dataclasses.replace(
            self._assignment.run, wait=wait, late=removing and task.name in self._late, owed=[]
        )

    def _announce(self, job: "_Job") -> None:
        """Commit the intent."""

        def intend(fenced: Fenced) -> None:
            self._begin(fenced, job)
            if job.direction is Direction.EXECUTE:
                job.task.intend(**job.within(fenced, self._work))

        self._work.commit(intend)

    def _in_store(self, job: "_Job") -> tuple[str, Any]:
        """The whole of a task whose effect lies in the store."""

        def perform(fenced: Fenced) -> Any:
            self._begin(fenced, job)
            return job.method(**job.within(fenced, self._work))

        return _WORD[job.direction], _plain(self._work.commit(perform))

    def _begin(self, fenced: Fenced, job: "_Job") -> None:
        """What every task's transaction says. Raises `Cancelled` if it must not begin."""
        task, forward = job.task, job.direction is Direction.EXECUTE
        if forward and fenced.cancel_reason is not None and not isinstance(task, RemovingTask):
            raise Cancelled(f"cancelled: {fenced.cancel_reason}")
        fenced.events.append(
            self._work.event("task", _BEGUN[job.direction], task=task.name, direction=job.direction)
        )
        if forward and task.task_state is not None:
            self._work.enter(fenced, task.task_state)

    def _submit(self, job: "_Job") -> "futures.Future[Any]":
        host = job.arguments.get("host")
        try:
            future = self._pools.of(host["id"] if host else None).submit(self._perform, job)
        except RuntimeError:  # no thread is to be had, as when the interpreter ends
            return _put_off(job.task)
        future.atom = job.task  # type: ignore[attr-defined]
        return future

    def _perform(self, job: "_Job") -> tuple[str, Any]:
        """In a pool's thread: do it, patiently, and say how it went."""
        return self._guarded(job, lambda: self._outside(job))

    def _outside(self, job: "_Job") -> tuple[str, Any]:
        run: Run = job.arguments["run"]
        result = patiently(
            lambda: self._asked(job),
            run.wait,
            job.task.name,
            self._assignment.settings.patience,
        )
        if job.removes:
            self._write_removal(job, run)
        return _WORD[job.direction], _plain(result)

    def _asked(self, job: "_Job") -> Any:
        try:
            return job.method(**job.arguments)
        except Unavailable:
            if not job.removes:
                self._remember_late(job.task.name)
            raise

    def _remember_late(self, name: str) -> None:
        """Also for a run that goes on with this one, which may end before it has waited."""
        self._late.add(name)
        atom = self._atoms[name]
        atom.meta = {**atom.meta, _LATE: True}
        self._work.update_atom_details(atom)

    def _guarded(self, job: "_Job", call: Callable[[], T]) -> T | tuple[str, Any]:
        """What the call returns, or how the task failed. A run that is not ours ends here."""
        try:
            return call()
        except (ClaimLost, StoreUnavailable):
            raise
        except VmwrightError as error:
            return self._failed(job, error)
        except Exception:
            # A defect of one task must not end the others.
            LOG.exception("operation %s: task %s is broken", self._work.operation.id, job.task.name)
            return self._failed(job, Internal(f"task {job.task.name} is broken; see the log"))

    def _write_removal(self, job: "_Job", run: Run) -> None:
        """With the next commit: what is owed for it, and that the store may forget it."""

        def write(connection: Any) -> None:
            fenced = Fenced(connection, None)
            self._assignment.owe(fenced, run.owed)
            job.task.forget(**job.within(fenced, self._work))

        self._work.later(write)

    def _failed(self, job: "_Job", error: VmwrightError) -> tuple[str, Any]:
        error.host = error.host or (job.arguments.get("host") or {}).get("name")
        if self._assignment.stopping.is_set() and isinstance(error, Cancelled):
            raise futures.CancelledError
        if job.removes:
            LOG.warning("operation %s: %s: %s", self._work.operation.id, job.task.name, error)
            self.blocked = error.to_store() | {"task": job.task.name}
            self._work.note(
                self._work.event(
                    "task",
                    _BEGUN[job.direction],
                    task=job.task.name,
                    direction=job.direction,
                    error=self.blocked,
                )
            )
            self.suspend()
            raise futures.CancelledError
        return _WORD[job.direction], _failure_of(error)


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One task, one way."""

    task: Task
    direction: Direction
    arguments: dict[str, Any]

    @property
    def method(self) -> Callable[..., Any]:
        name = "execute" if self.direction is Direction.EXECUTE else "revert"
        method: Callable[..., Any] = getattr(self.task, name)
        return method

    @property
    def removes(self) -> bool:
        return self.direction is Direction.REVERT or isinstance(self.task, RemovingTask)

    def within(self, fenced: Fenced, work: UnitOfWork) -> dict[str, Any]:
        """The arguments of a store half."""
        run = dataclasses.replace(
            self.arguments["run"],
            store_connection=fenced.connection,
            note=lambda kind, state: fenced.events.append(work.event(kind, state)),
        )
        return {**self.arguments, "run": run}


_BEGUN = {
    Direction.EXECUTE: taskflow_states.RUNNING,
    Direction.REVERT: taskflow_states.REVERTING,
}

_WORD = {
    Direction.EXECUTE: action_executor.EXECUTED,
    Direction.REVERT: action_executor.REVERTED,
}


def _plain(result: Any) -> Any:
    """The result as a resumed run would read it."""
    return jsonutils.loads(jsonutils.dumps(result))


def _failure_of(error: VmwrightError) -> Failure:
    """What TaskFlow stores: without the chain of causes, whose texts are not ours."""
    error.__cause__ = error.__context__ = None
    return Failure.from_exception(error)


def _ended(task: Task, outcome: tuple[str, Any]) -> "futures.Future[Any]":
    future: futures.Future[Any] = futures.Future()
    future.set_result(outcome)
    future.atom = task  # type: ignore[attr-defined]
    return future


def _put_off(task: Task) -> "futures.Future[Any]":
    """A task that does not begin in this process any more."""
    future: futures.Future[Any] = futures.Future()
    future.set_exception(futures.CancelledError())
    future.atom = task  # type: ignore[attr-defined]
    return future
