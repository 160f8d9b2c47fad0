"""Runs one case: breaks what it says, has another process go on, and looks at what is left."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import count

from vmwright.controller import Controller
from vmwright.states import Direction
from vmwright.tasks.task import Run
from vmwright.testing.breaking import Break, Breakage, Witness, break_tasks, die
from vmwright.testing.cases import Case, Leg, Sweep
from vmwright.testing.points import Kind, Moment, Point, Visit, Watcher
from vmwright.testing.stage import Ended, Stage, Work
from vmwright.testing.subjects import Subject, pay, resume
from vmwright.testing.verdict import (
    Caught,
    NotShown,
    Shape,
    Sight,
    told,
    untrue_ends,
    what_is_left,
    what_is_wrong,
    what_others_lost,
)
from vmwright.testing.worlds import Occupiable, Severable, World

NEIGHBOUR = "neighbour"
"""Where, in the home of a stage, somebody else's deployment lies."""

SWEPT = "swept"
"""The file in the home of a stage that names the points at which a sweep has cut the power."""

_BEGUN = {Direction.EXECUTE: "RUNNING", Direction.REVERT: "REVERTING"}
_NOBODYS = ("vmwright_owners",)
"""Transactions of threads that keep time: no task is concerned."""


def prepare_stage(stage: Stage, subject: Subject) -> Stage:
    """The same stage, with all that runs of this subject need."""
    _must_do(stage, subject.prepare)
    if subject.prepare_neighbour is not None:
        neighbour = neighbour_of(stage)
        neighbour.home.mkdir()
        _must_do(neighbour, subject.prepare_neighbour)
    return stage


def neighbour_of(stage: Stage) -> Stage:
    """Somebody else's deployment in the same world."""
    return replace(stage, home=stage.home / NEIGHBOUR, world_dir=stage.world_root)


def _must_do(stage: Stage, work: Work) -> None:
    ended = stage.child(work)
    if ended.status != 0:
        raise Caught(f"what a run needs could not be made:\n{ended.output}")


class Trial:
    """One stage on which one case is run. The stage was prepared for the subject."""

    def __init__(self, stage: Stage, subject: Subject, worlds: Mapping[str, World]) -> None:
        self._stage = stage
        self._subject = subject
        self._worlds = worlds
        self._processes = count(1)
        self._witness = self._new_witness()
        self._about = ""
        self._expected: Shape | None = None

    def run(self, case: Case | Sweep) -> None:
        """Raise `Caught` if a rule is broken, `NotShown` if this cannot be tried here."""
        self._about = f"{case.task}: {case.words}"
        if isinstance(case, Case):
            self._refuse_unable(case)
        self._have_company()
        if isinstance(case, Case):
            self._run_case(case)
        else:
            self._sweep(case)

    def _have_company(self) -> None:
        """Somebody else runs the same flow in the same world, undisturbed. It must survive; and
        what it made is what one run makes."""
        if self._subject.prepare_neighbour is None:
            return
        empty = self._sight()
        ended = neighbour_of(self._stage).child(self._introduced(self._subject.start))
        if ended.output.split() != ["done"]:
            self._catch(f"an undisturbed run did not end done:\n{ended.output}")
        self._expected = self._sight().shape(empty)

    # One case.

    def _run_case(self, case: Case) -> None:
        before, ended = self._sight(), Ended(0, "")
        for leg in case.legs:
            ended = self._leg(leg, self._in_place(case, leg))
        state = ended.output.split()[0]
        foreign = self._occupied() if case.place == "occupied" else {}
        self._judge(state, _with_more(before, foreign))
        if case.fails and state == "undone":
            self._judge_fault(case.fails)
        check = self._subject.done if state == "done" else self._subject.undone
        if check is not None:
            check(self._stage)

    def _leg(self, leg: Leg, breakages: tuple[Breakage, ...]) -> Ended:
        self._witness = self._new_witness()
        works = {"start": self._subject.start, "resume": resume, "retry": _retry}
        stage = replace(self._stage, undo_tries=2) if leg.ends == "stuck" else self._stage
        ended = stage.child(self._broken(works[leg.how], (*breakages, *leg.still)))
        if leg.ends == "killed":
            if not ended.killed:
                self._catch(f"the process was not killed:\n{ended.output}")
        else:
            self._judge_end(ended, ("done", "undone") if leg.ends == "over" else (leg.ends,))
        if leg.ends == "stuck":
            self._judge_stuck(leg.breakages[-1].task)
        missed = {str(breakage) for breakage in breakages} - self._witness.met()
        if missed:
            self._catch(f"it was never broken like this: {', '.join(sorted(missed))}")
        return ended

    def _new_witness(self) -> Witness:
        """What another process has met does not count."""
        return Witness(self._stage.home / f"witness-{next(self._processes)}")

    def _in_place(self, case: Case, leg: Leg) -> tuple[Breakage, ...]:
        """The leg's breakages, those that need the world with what the world does."""
        context = self._severed if case.place == "severed" else self._occupying
        return tuple(
            replace(breakage, context=context) if breakage.how is Break.WITHIN else breakage
            for breakage in leg.breakages
        )

    # A sweep.

    def _sweep(self, sweep: Sweep) -> None:
        swept, kept = [], self._stage.home.with_name(f"{self._stage.home.name}-before")
        shutil.copytree(self._stage.home, kept)
        for point in self._points(sweep):
            # What a host makes once, as a cached image, must be made in each run.
            shutil.rmtree(self._stage.home)
            shutil.copytree(kept, self._stage.home)
            self._cut(sweep, point)
            swept.append(f"{point}\n")
        (self._stage.home / SWEPT).write_text("".join(swept))

    def _cut(self, sweep: Sweep, point: Point) -> None:
        self._about = f"{sweep.task}: power cut at {point}"
        before, dying = self._sight(), Watcher(_dying_at(point))
        begun = self._broken(self._subject.start, sweep.breakages)
        ended = self._stage.child(begun, watch=dying.watch)
        if not ended.killed:
            self._catch(f"it was not reached again:\n{ended.output}")
        ended = self._stage.child(self._broken(resume, sweep.breakages))
        # It may have ended already: then there is nothing to resume, and nothing is told.
        self._judge_end(replace(ended, output=self._newest_state()), (_end_of(sweep),))
        self._judge(_end_of(sweep), before)

    def _points(self, sweep: Sweep) -> list[Point]:
        """What a run comes to from the commit that says that the task begins, until it is known
        how it ended."""
        path, before = self._stage.home / "points", self._sight()
        path.write_text("")

        def note(point: Point) -> None:
            with path.open("a") as file:
                file.write(f"{point}\n")

        ended = self._stage.child(
            self._broken(self._subject.start, sweep.breakages), watch=Watcher(note).watch
        )
        self._judge_end(ended, (_end_of(sweep),))
        self._judge(_end_of(sweep), before)
        seen = [Point.parse(line) for line in path.read_text().splitlines()]
        found = _of_task(seen, f"task {sweep.task} {_BEGUN[sweep.direction]}")
        if not found:
            self._catch(f"no commit says that it begins; the run came to {len(seen)} points")
        return found

    # What is looked at.

    def _judge(self, state: str, before: Sight) -> None:
        """Everything is as it was, or one run's worth more; and the store tells the truth."""
        if self._stage.rows("SELECT id FROM vmwright_debts"):
            _must_do(self._stage, pay)
        after = self._sight()
        if state == "done":
            wrong = [] if self._subject.removes else what_others_lost(before, after)
            if self._expected is not None:
                wrong += what_is_wrong(self._expected, after.shape(before))
        else:
            wrong = what_is_left(before, after)
        wrong += untrue_ends(self._stage)
        if wrong:
            lines = "\n  ".join(wrong)
            self._catch(f"the operation ended {state}, and this was found:\n  {lines}")

    def _judge_end(self, ended: Ended, expected: tuple[str, ...]) -> None:
        words = ended.output.split()
        if ended.status == 0 and len(words) == 1 and words[0] in expected:
            return
        errors = [row["error"] for row in self._stage.rows("SELECT error FROM vmwright_operations")]
        told = f"{ended.output.strip() or 'nothing'}; the store says {errors[-1:]}"
        self._catch(f"the operation did not end {' or '.join(expected)}: {told}")

    def _judge_stuck(self, task: str) -> None:
        """It says which task it is stuck at, and that anybody may go on with it."""
        (row,) = self._stage.rows(
            "SELECT operations.error, flows.state FROM vmwright_operations AS operations"
            " JOIN flowdetails AS flows ON flows.uuid = operations.flow_detail_id"
            " WHERE operations.state = 'stuck'"
        )
        blamed = told(row["error"]).get("blocked", {}).get("task")
        if (blamed, row["state"]) != (task, "SUSPENDED"):
            self._catch(f"the undo of {task} failed, and the store says: {row}")

    def _newest_state(self) -> str:
        (row,) = self._stage.rows("SELECT state FROM vmwright_operations ORDER BY seq DESC LIMIT 1")
        return str(row["state"])

    def _judge_fault(self, task: str) -> None:
        (row,) = self._stage.rows(
            "SELECT fault FROM vmwright_instances ORDER BY created_at DESC LIMIT 1"
        )
        blamed = told(row["fault"]).get("task")
        if blamed != task:
            self._catch(f"the task that failed was to be {task}, and {blamed} did: {row['fault']}")

    def _sight(self) -> Sight:
        return Sight.of(self._stage, self._worlds)

    def _catch(self, text: str) -> None:
        raise Caught(f"{self._about}: {text}")

    # What the world does.

    def _refuse_unable(self, case: Case) -> None:
        verb = {"severed": "severed", "occupied": "occupy"}.get(case.place)
        if verb and not any(hasattr(world, verb) for world in self._worlds.values()):
            raise NotShown(f"{self._about}: for that, give the world a method {verb}()")

    @contextmanager
    def _severed(self, _run: Run) -> Iterator[None]:
        with ExitStack() as stack:
            for world in self._worlds.values():
                if isinstance(world, Severable):
                    stack.enter_context(world.severed())
            yield

    @contextmanager
    def _occupying(self, run: Run) -> Iterator[None]:
        added = {}
        for name, world in self._worlds.items():
            if isinstance(world, Occupiable):
                before = dict(world.snapshot())
                world.occupy(run)
                now = dict(world.snapshot())
                added[name] = {key: now[key] for key in now if before.get(key) != now[key]}
        (self._stage.home / "occupied.json").write_text(json.dumps(added))
        yield

    def _occupied(self) -> dict[str, dict[str, str]]:
        path = self._stage.home / "occupied.json"
        added: dict[str, dict[str, str]] = json.loads(path.read_text())
        if not any(added.values()):
            self._catch("occupy() put nothing into the world")
        return added

    def _broken(self, work: Work, breakages: tuple[Breakage, ...]) -> Work:
        """`work` in a process in which these tasks go wrong."""

        def child(controller: Controller) -> None:
            break_tasks(self._subject.tasks(), breakages, self._witness)
            work(controller)

        return self._introduced(child)

    def _introduced(self, work: Work) -> Work:
        def child(controller: Controller) -> None:
            self._subject.introduce()
            work(controller)

        return child


def _with_more(sight: Sight, more: Mapping[str, Mapping[str, str]]) -> Sight:
    worlds = {name: {**found, **more.get(name, {})} for name, found in sight.worlds.items()}
    return replace(sight, worlds=worlds)


def _end_of(sweep: Sweep) -> str:
    return "undone" if sweep.direction is Direction.REVERT else "done"


def _dying_at(wanted: Point) -> Visit:
    def visit(point: Point) -> None:
        if point == wanted:
            die()

    return visit


def _of_task(seen: list[Point], announced: str) -> list[Point]:
    """From the commit of this name to the end of the one after it."""
    found: list[Point] = []
    commits = 0
    for point in seen:
        if point.name in _NOBODYS or (not found and point.name != announced):
            continue
        found.append(point)
        commits += (point.kind, point.moment) == (Kind.TRANSACTION, Moment.AFTER)
        if commits == 2:
            break
    return found


def _retry(controller: Controller) -> None:
    """Try again what is stuck, and see it through."""
    for operation in controller.operations():
        if operation.state == "stuck":
            controller.retry(operation.id)
            print(controller.wait(operation.id, timeout=60).state)  # noqa: T201
