"""What is given to a run, and how it may come to its end."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from vmwright.ids import DeploymentId
from vmwright.persistence.pending import Fenced
from vmwright.persistence.records import Operation
from vmwright.persistence.unit_of_work import UnitOfWork
from vmwright.progress import Progress
from vmwright.settings import OperationSettings
from vmwright.tasks.task import Owed, Run
from vmwright.waiting import Wait


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
    progress: Callable[[str, Progress], None]
    hands_over: Callable[[str], Callable[[object], object]]
    """Told which task goes to its host; what it returns is called once that has come back."""
    owe: Callable[[Fenced, list[Owed]], None]


def identity_of(operation: Operation, deployment: DeploymentId, settings: OperationSettings) -> Run:
    """Who a run is to the outside: what it marks, and whose marks it may touch."""
    return Run(
        mark=operation.mark(deployment),
        whose=operation.whose(deployment),
        wait=Wait(settings.deadline),
        late_effect=settings.late_effect,
    )
