"""Random flows in which things happen: tasks that fail, retries around them, values between them.

What a task does follows from what it is given and from the attempt that it belongs to alone, so
that a run which was interrupted is to come to the same end as one that was not.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from hypothesis import strategies as st
from taskflow import retry
from taskflow.flow import Flow
from taskflow.patterns import graph_flow, linear_flow, unordered_flow

from vmwright.errors import HostFault
from vmwright.tasks.task import RemovingTask, StoreTask, Task

EXECUTE, REVERT = "execute", "revert"
STOP, DIE_BEFORE, DIE_AFTER = "stop", "die before the effect", "die after the effect"

Call = tuple[str, str, tuple[Any, ...]]
"""A task, which way it was run, and what it was given."""


class Killed(KeyboardInterrupt):
    """The process is dead: nothing after this happens in it.

    It is what ends a run in whichever task it comes. All else that a task may raise is its failure.
    """


@dataclass
class World:
    """What one run has done outside, in order."""

    calls: list[Call] = field(default_factory=list)
    effects: set[str] = field(default_factory=set)
    stumbles: dict[str, int] = field(default_factory=dict)
    """How often the removal of each is still to fail, for a reason that passes."""
    interrupt_at: int | None = None
    """The number of the call in which the process dies, or is told to stop."""
    interrupt: str = ""
    """How: `STOP`, or as a death before the effect of that call or after it."""
    dead: bool = False
    stop: Callable[[], None] = lambda: None
    """Tells the process to stop."""

    def call(self, name: str, way: str, given: tuple[Any, ...], *, atomic: bool) -> None:
        if self.dead:
            raise Killed
        number = len(self.calls)
        self.calls.append((name, way, given))
        self._perhaps_interrupt(number, STOP)
        self._perhaps_interrupt(number, DIE_BEFORE)
        if way == EXECUTE:
            self.effects.add(name)
        else:
            self.effects.discard(name)
        if not atomic:
            self._perhaps_interrupt(number, DIE_AFTER)

    def _perhaps_interrupt(self, number: int, way: str) -> None:
        if number == self.interrupt_at and self.interrupt == way:
            if way == STOP:
                self.stop()
                return
            self.dead = True
            raise Killed

    def intend(self, name: str) -> None:
        """In the transaction before the task."""

    def stumble(self, name: str) -> None:
        if self.stumbles.get(name, 0) > 0:
            self.stumbles[name] -= 1
            raise HostFault(f"{name} cannot be removed now")


@dataclass(frozen=True)
class Again:
    """A retry."""

    name: str
    kind: str
    tries: int
    priority: int

    @property
    def value(self) -> str:
        return f"attempt_of_{self.name}"

    def make(self) -> retry.Retry:
        made = _RETRIES[self.kind](self)
        made.priority = self.priority
        return made


class _Counting(retry.Retry):
    """Decides as ours does: another attempt, or the end of everything."""

    def __init__(self, again: Again, then: retry.Decision) -> None:
        super().__init__(name=again.name, provides=again.value)
        self._tries, self._then = again.tries, then

    def execute(self, history: retry.History, **_: Any) -> int:
        return len(history) + 1

    def on_failure(self, history: retry.History, **_: Any) -> retry.Decision:
        return retry.RETRY if len(history) < self._tries else self._then


def _times(again: Again, *, revert_all: bool) -> retry.Retry:
    return retry.Times(again.tries, name=again.name, provides=again.value, revert_all=revert_all)


def _for_each(again: Again, *, revert_all: bool) -> retry.Retry:
    values = list(range(1, again.tries + 1))
    return retry.ForEach(values, name=again.name, provides=again.value, revert_all=revert_all)


_RETRIES = {
    "ours": lambda again: _Counting(again, retry.REVERT_ALL),
    "ours, partly": lambda again: _Counting(again, retry.REVERT),
    "times": lambda again: _times(again, revert_all=False),
    "times, all": lambda again: _times(again, revert_all=True),
    "each": lambda again: _for_each(again, revert_all=False),
    "each, all": lambda again: _for_each(again, revert_all=True),
    "revert": lambda again: retry.AlwaysRevert(again.name, provides=again.value),
    "revert all": lambda again: retry.AlwaysRevertAll(again.name, provides=again.value),
}
_PARTLY = frozenset({"ours, partly", "times", "each", "revert"})
"""Retries that may answer `REVERT`: what stands before them is left then."""


@dataclass(frozen=True)
class Step:
    """A task."""

    name: str
    kind: str
    takes: tuple[str, ...]
    attempts: tuple[str, ...]
    """The values of the retries around it, outermost first."""
    result: Any
    fails: str
    priority: int

    @property
    def gives(self) -> str:
        return f"of_{self.name}"

    def make(self, world: World) -> Task:
        made: Task = _KINDS[self.kind](self, world)
        made.priority = self.priority
        return made

    def is_to_fail(self, attempts: tuple[Any, ...]) -> bool:
        numbers = [number or 1 for number in attempts]
        return {
            "never": False,
            "always": True,
            "first": all(number == 1 for number in numbers),
            "first of each": not numbers or numbers[-1] == 1,
            "twice": not numbers or numbers[-1] <= 2,
        }[self.fails]


class _Eventful(Task):
    """Does what its step says, in its world."""

    atomic = False

    def __init__(self, step: Step, world: World) -> None:
        needs = [*step.takes, *step.attempts]
        super(Task, self).__init__(
            name=step.name, requires=needs, revert_requires=needs, provides=step.gives
        )
        self._step, self._world = step, world

    def execute(self, **given: Any) -> Any:
        step = self._step
        attempts = tuple(given[name] for name in step.attempts)
        if isinstance(self, RemovingTask):
            self._world.stumble(step.name)
        self._do(EXECUTE, given)
        if step.is_to_fail(attempts):
            raise HostFault(f"{step.name} fails in {attempts}")
        return [step.name, step.result, list(attempts)] if step.result != "bare" else None

    def revert(self, **given: Any) -> Any:
        self._world.stumble(self._step.name)
        self._do(REVERT, given)
        return f"{self._step.name} is undone" if self._step.result else None

    def _do(self, way: str, given: Mapping[str, Any]) -> None:
        step = self._step
        known = tuple(given[name] for name in (*step.takes, *step.attempts))
        self._world.call(step.name, way, _plain(known), atomic=self.atomic)


class _Intending(_Eventful):
    """Writes something down in the transaction before it."""

    def intend(self, **_: Any) -> None:
        self._world.intend(self._step.name)


class _Looking(_Eventful):
    only_looks = True


class _Removing(_Eventful, RemovingTask):
    """There is no way back from it."""


class _InStore(_Eventful, StoreTask):
    atomic = True


_KINDS: dict[str, Any] = {
    "plain": _Eventful,
    "intending": _Intending,
    "looking": _Looking,
    "removing": _Removing,
    "in store": _InStore,
}


def _plain(value: Any) -> Any:
    """The same whether it was read from a store or not."""
    return tuple(_plain(one) for one in value) if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class Part:
    """A flow, or one within another."""

    name: str
    pattern: str
    children: tuple["Part | Step", ...]
    links: tuple[tuple[int, int], ...]
    again: Again | None

    def make(self, world: World) -> Flow:
        again = None if self.again is None else self.again.make()
        made = _PATTERNS[self.pattern](self.name, retry=again)
        children = [child.make(world) for child in self.children]
        made.add(*children)
        for before, after in self.links:
            if self.pattern == "graph":
                made.link(children[before], children[after])
        return made

    def steps(self) -> Iterator[Step]:
        for child in self.children:
            if isinstance(child, Step):
                yield child
            else:
                yield from child.steps()

    def retries(self) -> Iterator[Again]:
        if self.again is not None:
            yield self.again
        for child in self.children:
            if isinstance(child, Part):
                yield from child.retries()


_PATTERNS = {
    "linear": linear_flow.Flow,
    "unordered": unordered_flow.Flow,
    "graph": graph_flow.Flow,
}


@dataclass(frozen=True)
class EventfulFlow:
    """A flow, and which of its tasks must precede which."""

    whole: Part
    precedence: frozenset[tuple[str, str]]
    stumbles: Mapping[str, int]

    def make(self, world: World) -> Flow:
        return self.whole.make(world)

    @property
    def steps(self) -> dict[str, Step]:
        return {step.name: step for step in self.whole.steps()}

    @property
    def may_leave_a_part(self) -> bool:
        """Whether a retry may answer `REVERT`."""
        return any(again.kind in _PARTLY for again in self.whole.retries())


_LEAF = "task"


def _inner(children: Any) -> Any:
    """Pattern, children, links between them, and the tries of a retry around them: 0 if none."""
    return st.tuples(
        st.sampled_from(sorted(_PATTERNS)),
        st.lists(children, min_size=1, max_size=4),
        st.sets(st.sampled_from([(one, two) for two in range(4) for one in range(two)])),
        st.sampled_from([0, 0, 1, 2, 3]),
    )


_SHAPES = _inner(st.recursive(st.just(_LEAF), _inner, max_leaves=8))
_RESULTS = st.sampled_from(["bare", None, 0, "", "dübel\n'\"", 1.5, False, {}, [], {"a": [None]}])
_FAILS = st.sampled_from(["never"] * 5 + ["always", "first", "first of each", "twice"])


class _Builder:
    """Draws what a shape leaves open."""

    def __init__(self, draw: st.DrawFn, retries: Iterable[str]) -> None:
        self._draw, self._retries = draw, sorted(retries)
        self._numbers = count()
        self.precedence: set[tuple[str, str]] = set()

    def part(self, shape: Any, around: tuple[Again, ...], before: frozenset[str]) -> Part:
        pattern, shapes, wanted, tries = shape
        name = f"p{next(self._numbers)}"
        again = None
        if tries:
            kind = self._draw(st.sampled_from(self._retries))
            again = Again(f"r{name}", kind, tries, self._priority(2))
        around = around if again is None else (*around, again)
        links = self._links(pattern, len(shapes), wanted)
        children: list[Part | Step] = []
        for number, inner in enumerate(shapes):
            first = self._before(number, links, children) | before
            children.append(
                self._step(around, first) if inner == _LEAF else self.part(inner, around, first)
            )
        return Part(name, pattern, tuple(children), tuple(sorted(links)), again)

    def _links(self, pattern: str, size: int, wanted: Any) -> set[tuple[int, int]]:
        if pattern == "linear":
            return {(number, number + 1) for number in range(size - 1)}
        return {link for link in wanted if pattern == "graph" and link[1] < size}

    def _before(self, number: int, links: set[tuple[int, int]], done: list[Any]) -> frozenset[str]:
        """The tasks of the children that come before this one, however far."""
        names: set[str] = set()
        for before in [one for one, other in links if other == number]:
            names |= _names_of(done[before]) | self._before(before, links, done)
        return frozenset(names)

    def _step(self, around: tuple[Again, ...], before: frozenset[str]) -> Step:
        name, draw = f"t{next(self._numbers)}", self._draw
        self.precedence |= {(other, name) for other in before}
        kind = draw(st.sampled_from(sorted(_KINDS)))
        givers = draw(st.lists(st.sampled_from(sorted(before)), unique=True)) if before else []
        return Step(
            name=name,
            kind=kind,
            takes=tuple(f"of_{giver}" for giver in givers),
            attempts=tuple(again.value for again in around),
            result=draw(_RESULTS),
            fails="never" if kind == "removing" else draw(_FAILS),
            priority=self._priority(1 if kind == "in store" else 0),
        )

    def _priority(self, rank: int) -> int:
        """Of its own, so that TaskFlow has one order of what is ready together. What ends as soon
        as it begins goes first with us."""
        return (rank * 100 + self._draw(st.integers(0, 99))) * 100 + next(self._numbers)


def _names_of(child: "Part | Step") -> set[str]:
    return {child.name} if isinstance(child, Step) else {step.name for step in child.steps()}


@st.composite
def eventful_flows(
    draw: st.DrawFn, *, stumbling: bool = False, partly: bool = True
) -> EventfulFlow:
    """Removals stumble if they may be `stumbling`; retries may answer `REVERT` if `partly`."""
    builder = _Builder(draw, _RETRIES if partly else _RETRIES.keys() - _PARTLY)
    whole = builder.part(draw(_SHAPES), (), frozenset())
    names = sorted(_names_of(whole))
    stumbles = draw(st.dictionaries(st.sampled_from(names), st.integers(1, 2))) if stumbling else {}
    return EventfulFlow(whole, frozenset(builder.precedence), stumbles)
