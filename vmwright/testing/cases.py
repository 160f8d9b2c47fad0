"""Every way in which the tasks of a flow are broken, as values: made from the flow itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Literal

from vmwright.states import Direction
from vmwright.tasks.task import RemovingTask, StoreTask, Task
from vmwright.testing.breaking import Break, Breakage, execute, revert
from vmwright.testing.subjects import Subject

End = Literal["killed", "done", "undone", "stuck", "over"]
"""How a process is to end: by SIGKILL, or with its operation in this state; `over` is done or
undone."""

Place = Literal["", "severed", "occupied"]


@dataclass(frozen=True, kw_only=True)
class Leg:
    """One process: it begins the run, or goes on with it."""

    how: Literal["start", "resume", "retry"] = "start"
    breakages: tuple[Breakage, ...] = ()
    """Each of them must be met."""
    still: tuple[Breakage, ...] = ()
    """What was broken before and is again, if the process comes there: the power may have been
    cut before it was written down."""
    ends: End


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to break one task."""

    task: str
    words: str
    legs: tuple[Leg, ...]
    place: Place = ""
    """What the caller's world must be able to do for it."""
    fails: str = ""
    """The task that the fault must name."""

    def __str__(self) -> str:
        return f"{self.task}-{self.words.replace(' ', '_').replace(',', '')}"


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The power is cut at every point of one task, one after another, in runs of their own."""

    task: str
    direction: Direction
    breakages: tuple[Breakage, ...] = ()
    """What makes the run go in this direction."""

    @property
    def words(self) -> str:
        way = "doing" if self.direction is Direction.EXECUTE else "undoing"
        return f"power cut at every commit and call while {way}"

    def __str__(self) -> str:
        return f"{self.task}-{self.words.replace(' ', '_')}"


def cases_of(subject: Subject) -> list[Case]:
    """Every case of every task that is meant, and of those that may be under way beside it."""
    found = [Case(task="flow", words="is not broken", legs=(Leg(ends="done"),))]
    for task in subject.targets():
        makers = _REMOVING if isinstance(task, RemovingTask) else _REVERSIBLE
        found += [case for maker in makers for case in maker(task, subject)]
    for pair in subject.siblings():
        found += _siblings(pair, subject)
    return found


def sweeps_of(subject: Subject) -> list[Sweep]:
    """For every task that is meant, and both ways."""
    found = []
    for task in subject.targets():
        found.append(Sweep(task=task.name, direction=Direction.EXECUTE))
        if not isinstance(task, RemovingTask):
            trigger = (_undoing(subject),)
            found.append(Sweep(task=task.name, direction=Direction.REVERT, breakages=trigger))
    return found


def _twice(task: Task, _subject: Subject) -> Iterator[Case]:
    leg = Leg(breakages=(execute(task.name, Break.TWICE),), ends="done")
    yield Case(task=task.name, words="runs twice", legs=(leg,))


def _failures(task: Task, subject: Subject) -> Iterator[Case]:
    again = tuple(revert(name, Break.TWICE) for name in subject.undone_by(task))
    for how, often in product((Break.FAIL_BEFORE, Break.FAIL_AFTER), ("once", "twice")):
        breaks = (execute(task.name, how), *(again if often == "twice" else ()))
        yield Case(
            task=task.name,
            words=f"fails {_moment(how)} its effect, undone {often}",
            legs=(Leg(breakages=breaks, ends="undone"),),
            fails=task.name,
        )


def _cuts(task: Task, _subject: Subject) -> Iterator[Case]:
    for how in (Break.KILL_BEFORE, Break.KILL_AFTER):
        cut = Leg(breakages=(execute(task.name, how),), ends="killed")
        yield Case(
            task=task.name,
            words=f"power cut {_moment(how)} its effect, resumed",
            legs=(cut, Leg(how="resume", ends="done")),
        )
        if not isinstance(task, RemovingTask):
            fails = (execute(task.name, Break.FAIL_BEFORE),)
            yield Case(
                task=task.name,
                words=f"power cut {_moment(how)} its effect, then fails",
                legs=(cut, Leg(how="resume", breakages=fails, ends="undone")),
                fails=task.name,
            )


def _undo_cuts(task: Task, subject: Subject) -> Iterator[Case]:
    for how in (Break.KILL_BEFORE, Break.KILL_AFTER):
        breaks = (_undoing(subject), revert(task.name, how))
        cut = Leg(breakages=breaks, ends="killed")
        yield Case(
            task=task.name,
            words=f"power cut {_moment(how)} its undo, resumed",
            legs=(cut, Leg(how="resume", still=breaks[:1], ends="undone")),
            fails=breaks[0].task,
        )


def _undo_failures(task: Task, subject: Subject) -> Iterator[Case]:
    trigger = _undoing(subject)
    once = (trigger, revert(task.name, Break.FAIL_ONCE))
    yield Case(
        task=task.name,
        words="undo fails once",
        legs=(Leg(breakages=once, ends="undone"),),
        fails=trigger.task,
    )
    for how in (Break.FAIL_BEFORE, Break.FAIL_AFTER):
        stuck = Leg(breakages=(trigger, revert(task.name, how)), ends="stuck")
        yield Case(
            task=task.name,
            words=f"undo keeps failing {_moment(how)} its effect, retried",
            legs=(stuck, Leg(how="retry", ends="undone")),
            fails=trigger.task,
        )


def _severed(task: Task, subject: Subject) -> Iterator[Case]:
    if isinstance(task, StoreTask):
        return
    doing = (execute(task.name, Break.WITHIN),)
    yield Case(
        task=task.name,
        words="world out of reach while doing",
        legs=(Leg(breakages=doing, ends="over"),),
        place="severed",
    )
    undoing = (_undoing(subject), revert(task.name, Break.WITHIN))
    yield Case(
        task=task.name,
        words="world out of reach while undoing",
        legs=(Leg(breakages=undoing, ends="undone"),),
        place="severed",
    )


def _occupied(task: Task, _subject: Subject) -> Iterator[Case]:
    if isinstance(task, StoreTask):
        return
    doing = execute(task.name, Break.WITHIN)
    yield Case(
        task=task.name,
        words="somebody else has a thing of that name",
        legs=(Leg(breakages=(doing,), ends="over"),),
        place="occupied",
    )


def _removal_failures(task: Task, _subject: Subject) -> Iterator[Case]:
    once = Leg(breakages=(execute(task.name, Break.FAIL_ONCE),), ends="done")
    yield Case(task=task.name, words="fails once", legs=(once,))
    for how in (Break.FAIL_BEFORE, Break.FAIL_AFTER):
        stuck = Leg(breakages=(execute(task.name, how),), ends="stuck")
        yield Case(
            task=task.name,
            words=f"keeps failing {_moment(how)} its effect, retried",
            legs=(stuck, Leg(how="retry", ends="done")),
        )


_REVERSIBLE = (_twice, _failures, _cuts, _undo_cuts, _undo_failures, _severed, _occupied)
_REMOVING = (_twice, _cuts, _removal_failures)


def _siblings(pair: tuple[str, str], subject: Subject) -> Iterator[Case]:
    """Both in flight, and the power is cut before or after the effect of each."""
    removing = {task.name for task in subject.tasks() if isinstance(task, RemovingTask)}
    ways = [Direction.EXECUTE] if removing & set(pair) else list(Direction)
    moments = (Break.TOGETHER_BEFORE, Break.TOGETHER_AFTER)
    for direction, first, second in product(ways, moments, moments):
        undoing = direction is Direction.REVERT
        held = tuple(
            Breakage(name, direction, how) for name, how in zip(pair, (first, second), strict=True)
        )
        trigger = _undoing_both(pair, subject) if undoing else ()
        words = f"power cut {_moment(first)} and {_moment(second)} their effect"
        yield Case(
            task="+".join(pair),
            words=f"{words} while {'undoing' if undoing else 'doing'}",
            legs=(
                Leg(breakages=(*trigger, *held), ends="killed"),
                Leg(how="resume", still=trigger, ends="undone" if undoing else "done"),
            ),
        )


def _undoing(subject: Subject) -> Breakage:
    """What makes everything be taken back."""
    return execute(subject.last(), Break.FAIL_AFTER)


def _undoing_both(pair: tuple[str, str], subject: Subject) -> tuple[Breakage, ...]:
    last = subject.last()
    return tuple(execute(name, Break.FAIL_AFTER) for name in (pair if last in pair else [last]))


def _moment(how: Break) -> str:
    return "before" if how.endswith("before") else "after"
