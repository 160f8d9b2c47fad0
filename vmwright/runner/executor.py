"""Hands tasks to the pools of their hosts, each after its fenced transaction."""

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from typing import Any

from taskflow.retry import Retry
from taskflow.types.failure import Failure

from vmwright.concerning import concerning
from vmwright.errors import (
    Cancelled,
    ClaimLost,
    Internal,
    StoreUnavailable,
    Unavailable,
    VmwrightError,
)
from vmwright.persistence.pending import Fenced
from vmwright.pools import Places, Pools
from vmwright.runner import taskflow_internals as internals
from vmwright.runner.assignment import Assignment
from vmwright.runner.job import Answer, Job, Way
from vmwright.runner.lateness import Lateness
from vmwright.states import Direction
from vmwright.tasks.task import Run, Task
from vmwright.waiting import Wait, again_patiently

LOG = logging.getLogger(__name__)

Ended = Answer | BaseException | None
"""How a task ended: with an answer, with what ends the run here, or not: it goes on when the run
does."""

_BEGUN: Answer = ("begun", None)
"""Instead of an end: it is left to be carried out."""

Done = Callable[[Job, Ended], None]
"""Told so, from any thread."""


class Executor:
    """Carries out what the engine asks for.

    It runs in the engine's thread; only `_perform` may run in a pool's.
    """

    def __init__(
        self,
        assignment: Assignment,
        pools: Pools,
        *,
        ways: Mapping[tuple[str, Direction], Way],
        done: Done,
        suspend: Callable[[], None],
        end_with: Callable[[Fenced, Job, Answer], None],
    ) -> None:
        """`end_with` adds the end of the run to the transaction of its last task, if that is it."""
        self._assignment = assignment
        self._work = assignment.work
        self._pools = pools
        self._lateness = Lateness(self._work, cut_off=assignment.cut_off)
        self._ways = ways
        self._done = done
        self._suspend = suspend
        self._end_with = end_with
        self.blocked: dict[str, Any] | None = None

    # What TaskFlow's actions ask for.

    def execute_task(self, task: Task, arguments: dict[str, Any]) -> Job:
        return self._job(task, Direction.EXECUTE, arguments)

    def revert_task(self, task: Task, arguments: dict[str, Any]) -> Job:
        return self._job(task, Direction.REVERT, arguments)

    def execute_retry(self, retry: Retry, arguments: dict[str, Any]) -> Answer:
        return internals.EXECUTED, _of_retry(retry.execute, arguments)

    def revert_retry(self, retry: Retry, arguments: dict[str, Any]) -> Answer:
        return internals.REVERTED, _of_retry(retry.revert, arguments)

    def _job(self, task: Task, direction: Direction, arguments: dict[str, Any]) -> Job:
        way = self._ways[task.name, direction]
        run = self._run_of(task, way)
        arguments["run"] = run
        return Job(task=task, way=way, run=run, arguments=arguments)

    # What the engine asks for.

    def begin(self, jobs: Sequence[Job], *, alone: bool) -> Sequence["futures.Future[None]"]:
        """Begin tasks that are ready together; those that are not done yet are returned.

        Their intents share a transaction. `alone` says that the engine waits for nothing else: a
        single task is then carried out in its thread, if its host has a place free.
        """
        if self._assignment.stopping.is_set():
            for job in jobs:
                self._done(job, None)
            return []
        outside = []
        for job in jobs:
            if job.way.in_store:
                self._answer(job, self._in_store)
            else:
                outside.append(job)
        begun = self._announced(outside)
        if alone and len(begun) == len(jobs) == 1:
            future = self._set_off(begun[0], here=True)
            return [] if future is None else [future]
        under_way = [self._set_off(job, here=False) for job in begun]
        return [future for future in under_way if future is not None]

    def _run_of(self, task: Task, way: Way) -> Run:
        """What this task may know: the attempt that it belongs to, and its own patience."""
        assignment, removing = self._assignment, way.removes
        settings, run, attempt = assignment.settings, assignment.run, self._work.attempt
        mark = run.mark
        wait = Wait(
            settings.undo_deadline if removing else settings.deadline,
            cancelled=assignment.stopping if removing else assignment.cancelled,
            report=lambda progress: assignment.progress(task.name, progress),
            guard=self._work.check_ours,
        )
        return run.but(
            mark=mark if mark.attempt == attempt else dataclasses.replace(mark, attempt=attempt),
            wait=wait,
            late=removing and self._lateness.concerns(task.name, attempt),
            owed=[],
        )

    def _announced(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Commit the intents; returns those that may begin. The others are answered."""
        if len(jobs) > 1:
            try:
                self._announce(jobs)
            except KeyboardInterrupt as error:
                for job in jobs:
                    self._done(job, error)
                return []
            except BaseException as error:  # noqa: BLE001 - each one's own tells whose it was
                LOG.debug("operation %s: one by one: %s", self._work.operation.id, error)
            else:
                return jobs
        return [job for job in jobs if self._answer(job, self._announce_alone)]

    def _announce_alone(self, job: Job) -> Ended:
        self._announce((job,))
        return _BEGUN

    def _announce(self, jobs: Sequence[Job]) -> None:
        """Commit the intents of these together, or none of them."""
        if self._work.is_claimed and {job.task.only_looks for job in jobs} == {True}:
            for job in jobs:
                self._work.note(self._begins(job))
            return

        def intend(fenced: Fenced) -> None:
            for job in jobs:
                self._begin(fenced, job)
                if job.way.has_intent:
                    job.task.intend(**job.within(fenced, self._work))

        self._work.commit(intend, alone=True in {job.way.may_wait for job in jobs})

    def _in_store(self, job: Job) -> Answer:
        """The whole of a task whose effect lies in the store."""

        def perform(fenced: Fenced) -> Answer:
            self._begin(fenced, job)
            answer = job.answer(job.carry_out(job.within(fenced, self._work)))
            self._end_with(fenced, job, answer)
            return answer

        return self._work.commit(perform, alone=True)

    def _begin(self, fenced: Fenced, job: Job) -> None:
        """What every task's transaction says. Raises `Cancelled` if it must not begin."""
        task, forward = job.task, job.way.direction is Direction.EXECUTE
        if forward and fenced.cancel_reason is not None and not job.way.removes:
            raise Cancelled(f"cancelled: {fenced.cancel_reason}")
        fenced.events.append(self._begins(job))
        if forward and task.task_state is not None:
            self._work.enter(fenced, task.task_state)

    def _begins(self, job: Job) -> Any:
        return self._work.event(
            "task", job.way.begun, task=job.task.name, direction=job.way.direction
        )

    def _answer(self, job: Job, call: Callable[[Job], Ended]) -> bool:
        """Whether the call has left the task to be carried out; else it has ended."""
        try:
            ended = self._tried(job, call)
        except BaseException as error:  # noqa: BLE001 - it is the engine's to raise
            ended = error
        if ended is _BEGUN:
            return True
        self._done(job, ended)
        return False

    def _set_off(self, job: Job, *, here: bool) -> "futures.Future[None] | None":
        """Have it carried out: in this thread if it may be `here` and its host has a place free.
        What is done already, or cannot be done, has ended; else its future is returned."""
        try:
            places = self._pools.of(job.host.get("id"))
        except Exception as error:  # noqa: BLE001 - its host is no host: it is the engine's to raise
            self._done(job, error)
            return None
        if not here or not places.take():
            return self._submit(job, places)
        try:
            self._perform(job, self._assignment.hands_over(job.task.name))
        finally:
            places.give_back()
        return None

    def _submit(self, job: Job, places: Places) -> "futures.Future[None] | None":
        back = self._assignment.hands_over(job.task.name)
        try:
            future = places.submit(self._perform, job, back)
        except RuntimeError:  # no thread is to be had, as when the interpreter ends
            back(None)
            self._done(job, None)
            return None
        future.add_done_callback(lambda done: back(None) if done.cancelled() else None)
        return future

    def _perform(self, job: Job, back: Callable[[object], object]) -> None:
        """Do it, patiently, and say how it went.

        Once the operation is not ours, no further call of the task is made, and no task begun.
        """
        ended: Ended = None
        try:
            ended = self._tried(job, self._outside)
            if isinstance(ended, ClaimLost):
                ended = None
                self._suspend()
        except BaseException as error:  # noqa: BLE001 - it is the engine's to raise
            ended = error
        finally:
            back(None)
            self._done(job, ended)

    def _outside(self, job: Job) -> Answer:
        try:
            result = job.carry_out(job.arguments)
        except Unavailable as error:
            self._is_late(job)
            result = self._asked_again(job, error)
        if job.way.removes:
            self._write_removal(job)
        return job.answer(result)

    def _asked_again(self, job: Job, error: Unavailable) -> Any:
        def ask() -> Any:
            try:
                return job.carry_out(job.arguments)
            except Unavailable:
                self._is_late(job)
                raise

        patience = self._assignment.settings.patience
        return again_patiently(ask, error, job.run.wait, job.task.name, patience)

    def _is_late(self, job: Job) -> None:
        """A call of it may still land."""
        if not job.way.removes:
            self._lateness.remember(job.task.name, job.run.mark.attempt)

    def _tried(self, job: Job, call: Callable[[Job], Ended]) -> Ended:
        """What the call returns, or how the task failed. A run that is not ours ends here."""
        operation = self._work.operation
        with concerning(
            operation_id=operation.id,
            instance_id=operation.instance_id,
            task=job.task.name,
            host=job.host.get("name"),
        ):
            return self._judged(job, call)

    def _judged(self, job: Job, call: Callable[[Job], Ended]) -> Ended:
        try:
            return call(job)
        except (ClaimLost, StoreUnavailable) as error:
            return error
        except VmwrightError as error:
            return self._failed(job, error)
        except KeyboardInterrupt:
            raise  # it is the run that was interrupted
        except BaseException:
            # A defect of one task must not end the others, whatever it raises: also what ends
            # programs, or is for asyncio.
            LOG.exception("operation %s: task %s is broken", self._work.operation.id, job.task.name)
            return self._failed(job, Internal(f"task {job.task.name} is broken; see the log"))

    def _write_removal(self, job: Job) -> None:
        """With the next commit: what is owed for it, and that the store may forget it."""

        def write(connection: Any) -> None:
            fenced = Fenced(connection, None)
            self._assignment.owe(fenced, job.run.owed)
            job.task.forget(**job.within(fenced, self._work))

        self._work.later(write)

    def _failed(self, job: Job, error: VmwrightError) -> Answer | None:
        """None if it goes on when the run does."""
        error.host = error.host or job.host.get("name")
        if self._assignment.stopping.is_set() and isinstance(error, Cancelled):
            LOG.debug("operation %s: %s goes on later", self._work.operation.id, job.task.name)
            return None
        if job.way.removes:
            self._block(job, error)
            return None
        return job.failure(error)

    def _block(self, job: Job, error: VmwrightError) -> None:
        """What must be removed is not: the task stays as it is, until the run goes on with it."""
        LOG.warning("operation %s: %s: %s", self._work.operation.id, job.task.name, error)
        self.blocked = error.to_store() | {"task": job.task.name}
        self._work.note(
            self._work.event(
                "task",
                job.way.begun,
                task=job.task.name,
                direction=job.way.direction,
                error=self.blocked,
            )
        )
        self._suspend()


def _of_retry(decide: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    try:
        return decide(**arguments)
    except Exception:  # noqa: BLE001 - TaskFlow is told, as of a task
        return Failure()
