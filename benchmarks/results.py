"""What was measured, under names; each value is kept for every round."""

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from benchmarks.meter import Figures

SCHEMA = 1


@dataclass
class Results:
    """Figures by the name of what they are of, such as ``engine/sqlite/dbos/alone``."""

    facts: Figures = field(default_factory=dict)
    """The machine, the versions, the sizes."""
    rounds: dict[str, list[Figures]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Parts that could not be measured, and why."""

    def add(self, name: str, figures: Mapping[str, Any]) -> None:
        self.rounds.setdefault(name, []).append(dict(figures))

    def value(self, name: str, what: str) -> float | None:
        """The median of its rounds; None if it was not measured."""
        found = [known[what] for known in self.rounds.get(name, ()) if known.get(what) is not None]
        return statistics.median(found) if found else None

    def ratio(self, name: str, other: str, what: str) -> float | None:
        """Of two medians; None unless both were measured."""
        one, two = self.value(name, what), self.value(other, what)
        return one / two if one is not None and two else None

    def names(self, prefix: str) -> Iterator[str]:
        """In the order in which they were measured first."""
        return (name for name in self.rounds if name.startswith(prefix))

    def to_json(self) -> Figures:
        return {
            "schema": SCHEMA,
            "facts": self.facts,
            "medians": {name: self._medians(name) for name in self.rounds},
            "rounds": self.rounds,
            "missing": self.missing,
        }

    @classmethod
    def from_json(cls, stored: Figures) -> Self:
        return cls(facts=stored["facts"], rounds=stored["rounds"], missing=stored["missing"])

    def _medians(self, name: str) -> Figures:
        numbers = {
            what
            for known in self.rounds[name]
            for what, value in known.items()
            if isinstance(value, int | float)
        }
        return {what: self.value(name, what) for what in sorted(numbers)}
