"""TaskFlow's engine, and what a run of it comes to."""

import logging
from typing import Any

from taskflow import exceptions as taskflow_errors
from taskflow import states as taskflow_states
from taskflow.engines.action_engine import engine as action_engine
from taskflow.flow import Flow
from taskflow.persistence import models

from vmwright.errors import VmwrightError
from vmwright.pools import Pools
from vmwright.runner.assignment import Assignment, Outcome
from vmwright.runner.executor import Executor

LOG = logging.getLogger(__name__)

_TAKEN_BACK = frozenset({taskflow_states.PENDING, taskflow_states.REVERTED, taskflow_states.IGNORE})


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

    def _all_taken_back(self) -> bool:
        return all(atom.state in _TAKEN_BACK for atom in self._flow_detail)
