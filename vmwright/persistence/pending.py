"""What a run has not committed yet, and the transaction that it goes into."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from taskflow.persistence import models

from vmwright.ids import OperationId
from vmwright.persistence.records import Event
from vmwright.states import AttemptOutcome

Write = Callable[[sa.Connection], None]


@dataclass
class Pending:
    """What the next commit writes."""

    atoms: dict[str, models.AtomDetail] = field(default_factory=dict)
    flow: models.FlowDetail | None = None
    events: list[Event] = field(default_factory=list)
    later: list[Write] = field(default_factory=list)

    def before(self, newer: "Pending") -> "Pending":
        """Both, this one first."""
        return Pending(
            atoms=self.atoms | newer.atoms,
            flow=newer.flow or self.flow,
            events=self.events + newer.events,
            later=self.later + newer.later,
        )


@dataclass
class Fenced:
    """One transaction that only the rightful owner commits."""

    connection: sa.Connection
    cancel_reason: str | None
    """Why somebody wants the operation taken back, if so."""
    events: list[Event] = field(default_factory=list)
    included: Pending | None = None
    """What the run has come to within it."""
    taken_back: list[Callable[[], None]] = field(default_factory=list)
    """Called if it is not committed."""
    committed: list[Callable[[], None]] = field(default_factory=list)
    """Called once it is."""


@dataclass(kw_only=True)
class Draft:
    """What may be told of a run before its next commit tells it."""

    operation: OperationId
    epoch: int
    events: list[Event] = field(default_factory=list)
    is_published: bool = False


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Why an attempt came to nothing."""

    attempt: int
    outcome: AttemptOutcome
    fault: dict[str, Any]

    def gives_way_to(self, new: "Failed") -> bool:
        """Of one attempt the first failure counts, but for one that ends all attempts."""
        if self.attempt != new.attempt:
            return True
        return self.outcome is AttemptOutcome.FAILED and new.outcome is not AttemptOutcome.FAILED
