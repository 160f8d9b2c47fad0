"""TaskFlow's engine, and what a run of it comes to."""

import logging
from typing import Any

from taskflow import exceptions as taskflow_errors
from taskflow import states as taskflow_states
from taskflow.engines.action_engine import engine as action_engine
from taskflow.flow import Flow
from taskflow.persistence import models

from vmwright.errors import VmwrightError
from vmwright.persistence.logbook import is_given_up
from vmwright.pools import Pools
from vmwright.runner.assignment import Assignment, Outcome
from vmwright.runner.executor import Executor

LOG = logging.getLogger(__name__)

_OVER = frozenset({taskflow_states.PENDING, taskflow_states.REVERTED, taskflow_states.IGNORE})
_ENDS = {taskflow_states.SUCCESS: Outcome.DONE, taskflow_states.REVERTED: Outcome.UNDONE}


def drive(flow: Flow, detail: models.FlowDetail, assignment: Assignment, pools: Pools) -> Outcome:
    """Run, or go on with, one operation until it ends or cannot go on here."""
    work = assignment.work
    executor = Executor(assignment, pools, detail)
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


class _Engine(action_engine.ActionEngine):  # type: ignore[misc]  # TaskFlow is untyped
    """TaskFlow's engine, whose ends are durable before anyone is told, and true."""

    def __init__(
        self,
        flow: Flow,
        detail: models.FlowDetail,
        assignment: Assignment,
        executor: Executor,
    ) -> None:
        super().__init__(flow, detail, assignment.work, {})
        self._task_executor = executor
        self._assignment = assignment
        self._recorded = Outcome.STOPPED

    def _change_state(self, state: str) -> None:
        end = _ENDS.get(state)
        if state == taskflow_states.FAILURE or (end is Outcome.UNDONE and not self._is_reverted()):
            # TaskFlow says REVERTED also after a graceful stop or a cancelled future, and where
            # the undo of a task was given up; and FAILURE for a run that anybody may go on with.
            if not self._is_over():
                end = None
            super()._change_state(taskflow_states.SUSPENDING)
            state = taskflow_states.SUSPENDED
        super()._change_state(state)
        if end is not None:
            self._record(end)

    def outcome(self, executor: Executor) -> Outcome:
        """How it ended; a run that is not over is put down durably first."""
        if self._recorded is Outcome.STOPPED:
            reason = executor.blocked
            self._record(Outcome.STOPPED if reason is None else Outcome.BLOCKED, reason)
        return self._recorded

    def _record(self, outcome: Outcome, reason: dict[str, Any] | None = None) -> None:
        finish = self._assignment.finish
        self._assignment.work.commit(lambda fenced: finish(fenced, outcome, reason))
        self._recorded = outcome

    def _is_over(self) -> bool:
        """Whether nothing is left to undo: each task was taken back, or given up."""
        return all(atom.state in _OVER for atom in self._flow_detail)

    def _is_reverted(self) -> bool:
        """Whether TaskFlow's word is true: each task was taken back."""
        return self._is_over() and not any(is_given_up(atom) for atom in self._flow_detail)
