"""What is killed: builds, deletions, their undoing, and the going on with what was killed."""

from dataclasses import dataclass
from pathlib import Path

from tests.chaos.death import Work, killed_at
from tests.chaos.lanes import Lane, Setup
from tests.support import lab as labs
from tests.support.breaking import Break, broken, execute
from tests.support.lab import Lab
from vmwright.controller import Controller
from vmwright.testing.points import Point, Watcher


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A process to kill, and what must have happened before it starts."""

    name: str
    work: Work
    setup: tuple[Setup, ...] = ()
    since: str = ""
    """Points before the first whose name holds this are those of another scenario."""
    faults: tuple[str, ...] = ()
    prepare: Work = labs.prepare

    def lane(self, home: Path, url: str | None = None) -> Lane:
        """A deployment that is ready for the kill."""
        # Who pays debts is asked to: two at once would come to other points in each run.
        lab = Lab(home, faults=self.faults, url=url, reconcile_interval=3600.0)
        return Lane.of(lab, [lambda lab: done(lab, self.prepare), *self.setup])

    def points(self, lane: Lane) -> list[str]:
        """Every point that the process comes to, in a run that nobody kills."""
        lab = lane.renew()
        note = lab.home / "points"

        def visit(point: Point) -> None:
            with note.open("a") as file:
                file.write(f"{point}\n")

        ended = lab.reap(lab.fork(self.work, watch=Watcher(visit).watch))
        assert ended.status == 0, ended.output
        seen = note.read_text().splitlines()
        first = next(n for n, point in enumerate(seen) if self.since in point)
        return [point for point in seen[first:] if not by_the_clock(Point.parse(point))]


def by_the_clock(point: Point) -> bool:
    """Whether a thread comes there from time to time, as often as the run is long."""
    return point.name.endswith((" SUCCESS", " REVERTED")) or (
        point.name == "vmwright_owners" and point.count > 2
    )


def done(lab: Lab, work: Work) -> None:
    ended = lab.child(work)
    assert ended.status == 0, ended.output


def killed(work: Work, point: str) -> Setup:
    """The work was begun, and its process died there."""

    def setup(lab: Lab) -> None:
        death = killed_at(lab, work, lambda known: str(known) == point)
        assert death.happened, f"{point} was not reached"

    return setup


def power_returned(lab: Lab) -> None:
    (lab.home / "world" / "hosts" / "host1" / "down").unlink()


def settle(controller: Controller) -> None:
    """Go on with all that was begun, and pay what is owed."""
    labs.resume(controller)
    labs.pay(controller)


def _done(work: Work) -> Setup:
    return lambda lab: done(lab, work)


_FAILING = broken(labs.create, execute("mark_active", Break.FAIL_BEFORE).refusing())
_IN_START = "call in ensure_running@host1 domains half written #1"
_IN_REMOVAL = "call in ensure_no_volume@host1 volumes removed #2"

SCENARIOS = (
    Scenario(name="create", work=labs.create),
    Scenario(name="delete", work=labs.delete, setup=(_done(labs.create),)),
    Scenario(name="undo", work=_FAILING, since="REVERTING"),
    Scenario(
        name="next_host",
        work=labs.create,
        prepare=labs.prepare_hosts,
        faults=("ensure_running@host1:1:after",),
        since="REVERTING",
    ),
    Scenario(name="resumed_create", work=settle, setup=(killed(labs.create, _IN_START),)),
    Scenario(
        name="resumed_delete",
        work=settle,
        setup=(_done(labs.create), killed(labs.delete, _IN_REMOVAL)),
    ),
    Scenario(name="resumed_undo", work=settle, setup=(killed(_FAILING, _IN_REMOVAL),)),
    Scenario(
        name="debts",
        work=labs.pay,
        faults=("ensure_running:1:down",),
        setup=(_done(labs.create), power_returned),
    ),
)
