"""What happens in the store, whoever runs it, counted as it is told."""

import logging
from collections.abc import Iterable, Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Histogram

from vmwright.errors import StoreUnavailable
from vmwright.ids import OperationId
from vmwright.overview import Overview
from vmwright.persistence.event_log import Told
from vmwright.persistence.operations import TAKEN_OVER
from vmwright.states import ENDED, STANDING_STILL, AttemptOutcome, OperationState

LOG = logging.getLogger(__name__)

KINDS = ("create", "delete")
_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)

_BEGUN = frozenset({"RUNNING", "REVERTING"})
"""TaskFlow's words for a task that is under way."""
_OUTCOMES = {"SUCCESS": "success", "FAILURE": "failure", "REVERTED": "reverted"}
"""And for its ends, which are told in small letters as all other words are."""
_MOST_UNDER_WAY = 100_000
"""Tasks whose ends are waited for: those of runs that ended with their processes are never told."""

_Key = tuple[OperationId, str | None, str | None]
"""An operation, its task, and the direction."""


class Happenings:
    """Counts from its making on: nothing of what was before."""

    def __init__(self, registry: CollectorRegistry, overview: Overview) -> None:
        self._overview = overview
        self._begun: dict[_Key, float] = {}
        counter = partial(Counter, registry=registry)
        histogram = partial(Histogram, registry=registry, buckets=_BUCKETS)
        self._operations = counter(
            "vmwright_operations", "Operations that have ended.", ["kind", "outcome"]
        )
        self._halts = counter(
            "vmwright_operation_halts",
            "Operations that came to wait for a person.",
            ["kind", "state"],
        )
        self._operation_seconds = histogram(
            "vmwright_operation_seconds",
            "From the submission of an operation to its end.",
            ["kind", "outcome"],
        )
        self._task_seconds = histogram(
            "vmwright_task_seconds",
            "From the beginning of a task to its end, with what it waits for.",
            ["flow", "task", "direction", "outcome"],
        )
        self._attempts = counter(
            "vmwright_attempts",
            "Tries on hosts, of operations that have ended.",
            ["host", "outcome"],
        )
        self._retries = counter(
            "vmwright_retries", "Tries that failed, and were followed by another one."
        )
        self._takeovers = counter(
            "vmwright_takeovers", "Operations taken over from processes that had died."
        )
        self._events = counter("vmwright_events", "Events of every kind.", ["kind"])
        self._begin_with_zero()

    def _begin_with_zero(self) -> None:
        """So that the first one of each is seen as a rise."""
        for kind in KINDS:
            for outcome in ENDED:
                self._operations.labels(kind, outcome)
                self._operation_seconds.labels(kind, outcome)
            for state in STANDING_STILL:
                self._halts.labels(kind, state)

    def count(self, page: Sequence[Told]) -> None:
        """Each event is counted once: nobody may call this twice with one."""
        for told in page:
            self._events.labels(told.event.kind).inc()
            match told.event.kind:
                case "task":
                    self._count_task(told)
                case "operation":
                    self._count_operation(told)
                case "attempt":
                    self._retries.inc()
                case "owner" if told.event.state == TAKEN_OVER:
                    self._takeovers.inc()
        self._count_attempts(one.event.operation_id for one in page if _is_end(one))

    def _count_task(self, told: Told) -> None:
        event = told.event
        key = (event.operation_id, event.task, event.direction)
        if event.state in _BEGUN and event.error is None:
            self._remember(key, event.at)
            return
        # One whose undo failed is said to be under way still, and why.
        outcome, begun = _OUTCOMES.get(event.state, "blocked"), self._begun.pop(key, None)
        if begun is None:
            return
        labels = (told.flow, event.task, event.direction, outcome)
        self._task_seconds.labels(*labels).observe(max(0.0, event.at - begun))

    def _remember(self, key: _Key, at: float) -> None:
        self._begun.pop(key, None)
        self._begun[key] = at
        if len(self._begun) > _MOST_UNDER_WAY:
            del self._begun[next(iter(self._begun))]

    def _count_operation(self, told: Told) -> None:
        state = OperationState(told.event.state)
        if state in STANDING_STILL:
            self._halts.labels(told.kind, state).inc()
        if state in ENDED:
            self._operations.labels(told.kind, state).inc()
            seconds = max(0.0, told.event.at - told.submitted_at)
            self._operation_seconds.labels(told.kind, state).observe(seconds)

    def _count_attempts(self, ended: Iterable[OperationId]) -> None:
        operations = set(ended)
        if not operations:
            return
        try:
            attempts, hosts = self._overview.attempts(operations)
        except StoreUnavailable as error:
            LOG.warning("attempts of %d operations are not counted: %s", len(operations), error)
            return
        for attempt in attempts:
            if attempt.host_id is not None and attempt.outcome is not None:
                known = hosts.get(attempt.host_id)
                name = "gone" if known is None else known.name
                self._attempts.labels(name, AttemptOutcome(attempt.outcome)).inc()


def _is_end(told: Told) -> bool:
    return told.event.kind == "operation" and told.event.state in ENDED
