"""What became of many inputs."""

import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from vmwright.errors import VmwrightError


class Outcome(StrEnum):
    REFUSED = "refused"
    ACCEPTED = "accepted"
    ESCAPED = "escaped"
    CRASHED = "crashed"


@dataclass
class Tally:
    """Counts outcomes, and keeps the first bad ones with what led to them."""

    counts: Counter[Outcome] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)

    def note(self, attempt: Callable[[], Outcome], given: Any) -> Outcome:
        try:
            outcome, why = attempt(), ""
        except VmwrightError as error:
            outcome, why = Outcome.REFUSED, error.message
        except Exception:  # noqa: BLE001
            # Whatever it is, it is what is looked for here.
            outcome, why = Outcome.CRASHED, traceback.format_exc()
        self.counts[outcome] += 1
        if outcome in (Outcome.ESCAPED, Outcome.CRASHED) and len(self.bad) < 5:
            self.bad.append(f"{outcome}: {given!r:.2000}\n{why}")
        return outcome

    def __str__(self) -> str:
        tried = sum(self.counts.values())
        words = [f"{outcome}={self.counts[outcome]}" for outcome in Outcome]
        return " ".join((f"inputs={tried}", *words))
