"""Kill at one point after another, or at two, go on, and judge; several deployments at once."""

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from tests.chaos.death import Death, Work, dying_at, reaped
from tests.chaos.lanes import Lane
from tests.chaos.scenarios import Scenario, settle
from tests.support.lab import Lab
from vmwright.testing.points import Point, Watcher

LANES = 4
"""Side by side: most of a run's time is waiting for the disk."""

_TRIES = 5
"""Threads that run side by side come to some points in another order, or not at all."""

_FURTHEST = 40


@dataclass(frozen=True)
class Aim:
    """Where one process is to die; and the one that goes on with it, if that shall die too."""

    point: str
    second: int | None = None
    """How many points the second one comes to."""
    tries: int = 0

    @property
    def deaths(self) -> int:
        return 1 if self.second is None else 2

    def __str__(self) -> str:
        return self.point if self.second is None else f"{self.point}, then {self.second} on"


@dataclass
class Tally:
    """What came of it."""

    killed: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)
    """Where the first death left nothing to go on with, and so nothing to die in."""
    missed: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def assert_clean(self) -> None:
        assert self.faults == [], "\n".join(self.faults)
        assert self.missed == [], "\n".join(self.missed)


def every_point(points: Sequence[str]) -> Iterator[Aim]:
    return map(Aim, points)


def places(points: Sequence[str], number: int, chance: random.Random) -> Iterator[Aim]:
    """So many places, all of them different; which visit of each, is left to chance."""
    found: dict[str, list[str]] = {}
    for point in points:
        found.setdefault(Point.parse(point).place, []).append(point)
    return (Aim(chance.choice(found[place])) for place in chance.sample(sorted(found), number))


def pairs(points: Sequence[str], number: int, chance: random.Random) -> Iterator[Aim]:
    """Two deaths, the second while the first one's work is taken up."""
    return (Aim(chance.choice(points), chance.randint(1, _FURTHEST)) for _ in range(number))


def sweep(lanes: Sequence[Lane], scenario: Scenario, aims: Iterable[Aim]) -> Tally:
    """Kill at each of these, and see that nothing came of it."""
    tally, waiting = Tally(), deque(aims)
    while waiting:
        batch = [(lane, waiting.popleft()) for lane in lanes if waiting]
        deaths = _killed(batch, scenario)
        for (_, aim), died in zip(batch, deaths, strict=True):
            if died == aim.deaths:
                tally.killed.append(str(aim))
            elif died and aim.second == 1:
                tally.idle.append(str(aim))
            elif aim.tries < _TRIES:
                # A second death that came too late is looked for earlier.
                second = aim.second and max(1, aim.second // 2 if died else aim.second)
                waiting.append(Aim(aim.point, second, aim.tries + 1 - died))
            else:
                tally.missed.append(str(aim))
        tally.faults += _judged([pair for pair, died in zip(batch, deaths, strict=True) if died])
    return tally


def _killed(batch: Sequence[tuple[Lane, Aim]], scenario: Scenario) -> list[int]:
    """How often each was killed where it was aimed at."""
    first = [(lane.renew(), _at(aim.point)) for lane, aim in batch]
    died = [int(death.happened) for death in _deaths(first, scenario.work)]
    second = {
        n: (lane.lab, _after(aim.second))
        for n, (lane, aim) in enumerate(batch)
        if died[n] and aim.second is not None
    }
    for n, death in zip(second, _deaths(list(second.values()), settle), strict=True):
        died[n] += death.happened
    return died


def _deaths(doomed: Sequence[tuple[Lab, Callable[[Point], bool]]], work: Work) -> list[Death]:
    notes = [lab.home / "death" for lab, _ in doomed]
    processes = [
        lab.fork(work, watch=Watcher(dying_at(chosen, note)).watch)
        for (lab, chosen), note in zip(doomed, notes, strict=True)
    ]
    return [reaped(*pair) for pair in zip(processes, notes, strict=True)]


def _judged(batch: Sequence[tuple[Lane, Aim]]) -> list[str]:
    """Go on with what was killed; what is wrong then."""
    processes = [lane.lab.fork(settle) for lane, _ in batch]
    ends = [lane.lab.reap(pid) for (lane, _), pid in zip(batch, processes, strict=True)]
    faults = []
    for (lane, aim), ended in zip(batch, ends, strict=True):
        verdict = lane.judge()
        wrong = verdict.complaints()
        wrong += [] if ended.status == 0 else [f"status {ended.status}: {ended.output}"]
        wrong += [f"secret in {path}" for path in lane.lab.secrets_in_clear()]
        faults += [f"killed at {aim}: {text}" for text in wrong]
    return faults


def _at(point: str) -> Callable[[Point], bool]:
    return lambda known: str(known) == point


def _after(visits: int) -> Callable[[Point], bool]:
    counter = count(1)
    return lambda _: next(counter) == visits
