"""Hands tasks to the pools of their hosts, each after its fenced transaction."""

import dataclasses
import logging
from collections.abc import Callable
from concurrent import futures
from typing import Any, TypeVar

from taskflow.engines.action_engine import executor as action_executor
from taskflow.persistence import models

from vmwright.errors import (
    Cancelled,
    ClaimLost,
    Internal,
    StoreUnavailable,
    Unavailable,
    VmwrightError,
)
from vmwright.persistence.unit_of_work import Fenced
from vmwright.pools import Pools
from vmwright.runner.assignment import Assignment
from vmwright.runner.job import Job, ended, put_off
from vmwright.runner.lateness import Lateness
from vmwright.states import Direction
from vmwright.tasks.task import RemovingTask, Run, StoreTask, Task
from vmwright.waiting import Wait, patiently

T = TypeVar("T")

LOG = logging.getLogger(__name__)


class Executor(action_executor.TaskExecutor):  # type: ignore[misc]  # TaskFlow is untyped
    """Carries out what the engine asks for.

    It runs in the engine's thread; only `_perform` runs in a pool's.
    """

    suspend: Callable[[], None]

    def __init__(self, assignment: Assignment, pools: Pools, detail: models.FlowDetail) -> None:
        self._assignment = assignment
        self._work = assignment.work
        self._pools = pools
        self._lateness = Lateness(self._work, detail, cut_off=assignment.cut_off)
        self.blocked: dict[str, Any] | None = None

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
        job = Job(
            task=task,
            direction=direction,
            arguments={**arguments, "run": self._run_of(task, direction)},
        )
        try:
            if self._assignment.stopping.is_set():
                raise futures.CancelledError
            if isinstance(task, StoreTask):
                return ended(task, self._guarded(job, lambda: self._in_store(job)))
            refused = self._guarded(job, lambda: self._announce(job))
        except futures.CancelledError:
            return put_off(task)
        return self._submit(job) if refused is None else ended(task, refused)

    def _run_of(self, task: Task, direction: Direction) -> Run:
        """What this task may know: the attempt that it belongs to, and its own patience."""
        settings, forward = self._assignment.settings, direction is Direction.EXECUTE
        run, attempt = self._assignment.run, self._work.attempt
        removing = isinstance(task, RemovingTask) or not forward
        wait = Wait(
            settings.undo_deadline if removing else settings.deadline,
            cancelled=self._assignment.stopping if removing else self._assignment.cancelled,
            report=lambda fraction, note: self._assignment.progress(task.name, fraction, note),
            guard=self._work.check_ours,
        )
        return dataclasses.replace(
            run,
            mark=dataclasses.replace(run.mark, attempt=attempt),
            wait=wait,
            late=removing and self._lateness.concerns(task.name, attempt),
            owed=[],
        )

    def _announce(self, job: Job) -> None:
        """Commit the intent."""

        def intend(fenced: Fenced) -> None:
            self._begin(fenced, job)
            if job.direction is Direction.EXECUTE:
                job.task.intend(**job.within(fenced, self._work))

        self._work.commit(intend)

    def _in_store(self, job: Job) -> tuple[str, Any]:
        """The whole of a task whose effect lies in the store."""

        def perform(fenced: Fenced) -> Any:
            self._begin(fenced, job)
            return job.method(**job.within(fenced, self._work))

        return job.answer(self._work.commit(perform))

    def _begin(self, fenced: Fenced, job: Job) -> None:
        """What every task's transaction says. Raises `Cancelled` if it must not begin."""
        task, forward = job.task, job.direction is Direction.EXECUTE
        if forward and fenced.cancel_reason is not None and not isinstance(task, RemovingTask):
            raise Cancelled(f"cancelled: {fenced.cancel_reason}")
        fenced.events.append(
            self._work.event("task", job.begun, task=task.name, direction=job.direction)
        )
        if forward and task.task_state is not None:
            self._work.enter(fenced, task.task_state)

    def _submit(self, job: Job) -> "futures.Future[Any]":
        back = self._assignment.hands_over(job.task.name)
        try:
            future = self._pools.of(job.host.get("id")).submit(self._perform, job)
        except RuntimeError:  # no thread is to be had, as when the interpreter ends
            return put_off(job.task)
        future.add_done_callback(back)
        future.atom = job.task  # type: ignore[attr-defined]
        return future

    def _perform(self, job: Job) -> tuple[str, Any]:
        """In a pool's thread: do it, patiently, and say how it went.

        Once the operation is not ours, no further call of the task is made, and no task begun.
        """
        try:
            return self._guarded(job, lambda: self._outside(job))
        except ClaimLost:
            self.suspend()
            raise futures.CancelledError from None

    def _outside(self, job: Job) -> tuple[str, Any]:
        result = patiently(
            lambda: self._asked(job),
            job.run.wait,
            job.task.name,
            self._assignment.settings.patience,
        )
        if job.removes:
            self._write_removal(job)
        return job.answer(result)

    def _asked(self, job: Job) -> Any:
        try:
            return job.method(**job.arguments)
        except Unavailable:
            if not job.removes:
                self._lateness.remember(job.task.name, job.run.mark.attempt)
            raise

    def _guarded(self, job: Job, call: Callable[[], T]) -> T | tuple[str, Any]:
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

    def _write_removal(self, job: Job) -> None:
        """With the next commit: what is owed for it, and that the store may forget it."""

        def write(connection: Any) -> None:
            fenced = Fenced(connection, None)
            self._assignment.owe(fenced, job.run.owed)
            job.task.forget(**job.within(fenced, self._work))

        self._work.later(write)

    def _failed(self, job: Job, error: VmwrightError) -> tuple[str, Any]:
        error.host = error.host or job.host.get("name")
        if self._assignment.stopping.is_set() and isinstance(error, Cancelled):
            raise futures.CancelledError
        if job.removes:
            self._block(job, error)
            raise futures.CancelledError
        return job.failure(error)

    def _block(self, job: Job, error: VmwrightError) -> None:
        """What must be removed is not: the task stays as it is, until the run goes on with it."""
        LOG.warning("operation %s: %s: %s", self._work.operation.id, job.task.name, error)
        self.blocked = error.to_store() | {"task": job.task.name}
        self._work.note(
            self._work.event(
                "task",
                job.begun,
                task=job.task.name,
                direction=job.direction,
                error=self.blocked,
            )
        )
        self.suspend()
