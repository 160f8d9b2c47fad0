"""TaskFlow's engine, and what a run of it comes to.

What is scheduled, retried and taken back is decided by TaskFlow. What turns its wheel is this
loop, and not its state machine: that costs more than all the rest of a run.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from concurrent import futures
from functools import cached_property
from queue import SimpleQueue
from typing import Any

from taskflow import exceptions as taskflow_errors
from taskflow import states as taskflow_states
from taskflow.atom import Atom
from taskflow.persistence import models
from taskflow.retry import EXECUTE_REVERT_HISTORY
from taskflow.types.failure import Failure

from vmwright.errors import VmwrightError
from vmwright.persistence.logbook import is_given_up
from vmwright.persistence.pending import Fenced
from vmwright.pools import Pools
from vmwright.runner import taskflow_internals as internals
from vmwright.runner.assignment import Assignment, Outcome
from vmwright.runner.compiled import CompiledFlow
from vmwright.runner.executor import Ended, Executor
from vmwright.runner.job import Answer, Job
from vmwright.runner.readiness import Readiness
from vmwright.runner.run_state import RunRuntime, RunStorage
from vmwright.states import Direction

LOG = logging.getLogger(__name__)

_INTERRUPTED = frozenset(
    {
        taskflow_states.RUNNING,
        taskflow_states.REVERTING,
        taskflow_states.FAILURE,
        taskflow_states.RETRYING,
    }
)
_OVER = frozenset({taskflow_states.PENDING, taskflow_states.REVERTED, taskflow_states.IGNORE})
_DONE = frozenset({taskflow_states.SUCCESS, taskflow_states.IGNORE})


def drive(
    compiled: CompiledFlow, detail: models.FlowDetail, assignment: Assignment, pools: Pools
) -> Outcome:
    """Run, or go on with, one operation until it ends or cannot go on here."""
    work = assignment.work
    engine = _Engine(compiled, detail, assignment, pools)
    try:
        engine.run()
    except (VmwrightError, taskflow_errors.WrappedFailure) as error:
        LOG.debug("operation %s: the engine ended with %s", work.operation.id, error)
    if work.lost:
        return Outcome.LOST
    return engine.outcome()


class _Engine:
    """One run of a flow, whose ends are durable before anyone is told, and true."""

    def __init__(
        self,
        compiled: CompiledFlow,
        detail: models.FlowDetail,
        assignment: Assignment,
        pools: Pools,
    ) -> None:
        self._compiled = compiled
        self._detail = detail
        self._assignment = assignment
        self._work = assignment.work
        self._executor = Executor(
            assignment,
            pools,
            ways=compiled.ways,
            done=lambda job, ended: self._ended.put((job.task, ended)),
            suspend=self._suspend,
            end_with=self._end_with,
        )
        inputs: Mapping[str, Any] = {**assignment.inputs, "run": assignment.run}
        self._storage = RunStorage(detail, self._work, compiled, inputs)
        self._ready = Readiness(compiled, self._storage)
        self._ended: SimpleQueue[tuple[Atom, Ended]] = SimpleQueue()
        self._under_way = 0
        self._futures: list[futures.Future[None]] = []
        self._suspended = False
        self._recorded = Outcome.STOPPED

    @cached_property
    def _runtime(self) -> RunRuntime:
        """TaskFlow's decisions: most runs need none, as nothing in them fails."""
        return RunRuntime(self._compiled, self._storage, self._executor)

    def run(self) -> None:
        """Go on until nothing more may begin, and record the end if it is one."""
        self._moves_to(taskflow_states.RUNNING)
        failure: BaseException | None = None
        ready = _unique([*self._interrupted(), *self._ready.anywhere()])
        while ready or self._under_way:
            try:
                if ready and not self._suspended and failure is None:
                    self._begin(ready)
                ready = self._next() if self._under_way else []
            except BaseException as error:  # noqa: BLE001 - raised once nothing is under way
                failure, ready = failure or error, []
            if self._suspended or failure is not None:
                ready = []
                self._call_off()
        if failure is not None:
            self._moves_to(taskflow_states.SUSPENDED)
            raise failure
        self._end()

    def _interrupted(self) -> Collection[Atom]:
        """What was under way, or had failed and is not dealt with yet."""
        if self._states() & _INTERRUPTED:
            found: Collection[Atom] = self._runtime.completer.resume()
            return found
        return ()

    def _states(self) -> set[str]:
        """All that atoms are in."""
        return {atom.state for atom in self._work.atoms.values()}

    def outcome(self) -> Outcome:
        """How it ended; a run that is not over is put down durably first, unless it never began."""
        reason = self._executor.blocked
        if reason is None and not self._work.is_claimed:
            return Outcome.STOPPED
        if self._recorded is Outcome.STOPPED:
            self._record(Outcome.STOPPED if reason is None else Outcome.BLOCKED, reason)
        return self._recorded

    def _begin(self, atoms: Iterable[Atom]) -> None:
        jobs = []
        for atom in atoms:
            scheduled = self._scheduled(atom)
            if isinstance(scheduled, Job):
                jobs.append(scheduled)
            else:
                self._under_way += 1
                self._ended.put((atom, scheduled))
        if jobs:
            alone = not self._under_way
            self._under_way += len(jobs)
            self._futures = [one for one in self._futures if not one.done()]
            self._futures += self._executor.begin(jobs, alone=alone)

    def _scheduled(self, atom: Atom) -> Job | Answer:
        """The job that it is, or the answer of a retry."""
        if self._work.atoms[atom.name].intention != taskflow_states.EXECUTE:
            scheduled: Job | Answer = self._runtime.fetch_scheduler(atom).schedule(atom)
            return scheduled
        # As TaskFlow's schedulers do.
        arguments = self._storage.begins(atom)
        if atom.name in self._compiled.retries:
            arguments[EXECUTE_REVERT_HISTORY] = self._storage.get_retry_history(atom.name)
            return self._executor.execute_retry(atom, arguments)
        return self._executor.execute_task(atom, arguments)

    def _next(self) -> list[Atom]:
        """Wait until something has ended; what may begin now."""
        ended = [self._ended.get()]
        while not self._ended.empty():
            ended.append(self._ended.get())
        self._under_way -= len(ended)
        for atom, how in ended:
            if how is not None and not isinstance(how, BaseException):
                self._complete(atom, how)
        for _, how in ended:
            if isinstance(how, BaseException):
                raise how
        # Only now that all are complete: after a failure among them, nothing else follows any more.
        # Else what never began would be undone, which fails once what it was given is gone.
        ready: list[Atom] = []
        for atom, how in ended:
            if how is not None:
                ready += self._ready.after(atom)
        return _unique(ready)

    def _complete(self, atom: Atom, answer: Answer) -> None:
        word, result = answer
        if word == internals.EXECUTED and not isinstance(result, Failure):
            # As TaskFlow's completer does, of tasks and of retries.
            self._storage.save(atom.name, result)
            return
        completer = self._runtime.completer
        completer.complete(atom, word, result)
        if isinstance(result, Failure) and completer.complete_failure(atom, word, result):
            result.reraise()

    def _suspend(self) -> None:
        """Begin nothing more. From any thread."""
        self._suspended = True

    def _call_off(self) -> None:
        """What no thread has begun yet is not begun."""
        self._under_way -= sum(future.cancel() for future in self._futures)
        self._futures = []

    def _end(self) -> None:
        if self._ready.anywhere():
            self._moves_to(taskflow_states.SUSPENDED)
        elif self._states() <= _DONE:
            self._moves_to(taskflow_states.SUCCESS)
            if self._recorded is not Outcome.DONE:
                self._record(Outcome.DONE)
        else:
            # TaskFlow says REVERTED also after a graceful stop or a task that was called off, and
            # where the undo of a task was given up.
            reverted = self._is_reverted()
            state = taskflow_states.REVERTED if reverted else taskflow_states.SUSPENDED
            self._moves_to(state)
            if self._is_over():
                self._record(Outcome.UNDONE)

    def _end_with(self, fenced: Fenced, job: Job, answer: Answer) -> None:
        """A last task whose whole effect is in the store ends together with the run."""
        if not self._is_last(job):
            return

        def end() -> None:
            self._complete(job.task, answer)
            self._moves_to(taskflow_states.SUCCESS)

        self._work.include(fenced, job.task.name, end)
        self._assignment.finish(fenced, Outcome.DONE, None)
        fenced.committed.append(lambda: setattr(self, "_recorded", Outcome.DONE))

    def _is_last(self, job: Job) -> bool:
        if not job.way.in_store or job.way.direction is not Direction.EXECUTE:
            return False
        for name, atom in self._work.atoms.items():
            if atom.state not in _DONE and name != job.task.name:
                return False
        return True

    def _moves_to(self, state: str) -> None:
        if self._detail.state != state:
            self._detail.state = state
            self._work.update_flow_details(self._detail)

    def _record(self, outcome: Outcome, reason: dict[str, Any] | None = None) -> None:
        finish = self._assignment.finish
        self._work.commit(lambda fenced: finish(fenced, outcome, reason))
        self._recorded = outcome

    def _is_over(self) -> bool:
        """Whether nothing is left to undo: each task was taken back, or given up."""
        return self._states() <= _OVER

    def _is_reverted(self) -> bool:
        """Whether TaskFlow's word is true: each task was taken back."""
        return self._is_over() and not any(is_given_up(atom) for atom in self._work.atoms.values())


def _unique(atoms: Iterable[Atom]) -> list[Atom]:
    """Each once, those that matter most first."""
    known = dict.fromkeys(atoms)
    if len(known) < 2:
        return list(known)
    return sorted(known, key=lambda atom: -atom.priority)
