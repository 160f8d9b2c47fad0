"""What the scheduler answers: hosts in order, and why the others are none of them."""

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vmwright.scheduler.values import HostState

_SPELT_OUT = 20
_LONGEST_REASON = 300


class Candidate(NamedTuple):
    """A host that may take the instance."""

    host: HostState
    weight: float
    """The sum of `weights`."""
    weighers: tuple[str, ...]
    shares: tuple[float, ...]

    @property
    def weights(self) -> Mapping[str, float]:
        """What each weigher gave: 0 to 1 times its multiplier."""
        return dict(zip(self.weighers, self.shares, strict=True))


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A host that may not, by the first filter that said so."""

    host: str
    """Its name."""
    filter: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Decision:
    """For one instance: `candidates` from best to worst, `refusals` by name of the host."""

    candidates: tuple[Candidate, ...]
    refusals: tuple[Refusal, ...]

    @property
    def chosen(self) -> HostState | None:
        """The best host, or None if there is none."""
        return self.candidates[0].host if self.candidates else None


def why_no_host(refusals: Sequence[Refusal]) -> str:
    """What the user of an instance that no host takes reads: one line, with each host's reason.

    Of many hosts the first ones are spelt out and the others counted.
    """
    reasons = [
        f"{refusal.host}: {textwrap.shorten(refusal.reason, _LONGEST_REASON, placeholder=' ...')}"
        for refusal in refusals[:_SPELT_OUT]
    ]
    others = refusals[_SPELT_OUT:]
    if others:
        counts = Counter(refusal.filter for refusal in others).most_common()
        causes = ", ".join(f"{count} by {name}" for name, count in counts)
        reasons.append(f"{len(others)} more hosts: {causes}")
    return f"no host can take the guest: {'; '.join(reasons) or 'none is registered'}"
