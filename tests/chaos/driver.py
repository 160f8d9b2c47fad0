"""The chaos itself: keeps controllers at work, kills them where it was decided, and counts."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.chaos.crew import Wish, labour, note, settle
from tests.chaos.death import dying_at
from tests.chaos.ground import LEASE, Undo
from tests.chaos.scenarios import by_the_clock
from tests.chaos.world import World
from vmwright.controller import Controller
from vmwright.settings import Settings
from vmwright.testing.points import Kind, Moment, Point, Strike, Watcher

_TICK = 0.01
_STOPPED = LEASE + 0.5
_ABSENT_AFTER, _ABSENT_FOR = 60.0, 30.0
"""When a run takes the store away from everybody, once, and for how long."""
_VISITS = 250
"""A controller that does not come to the point that was chosen for it dies after so many."""


class Ground(Protocol):
    """What a run takes place on."""

    home: Path
    choices: int
    """Images and networks that it has."""
    steps: bool
    """Whether its hosts tell of the steps inside a call."""
    most: int
    """Instances at once."""
    crew: int
    """Controllers at once."""
    calm: float
    """How much rarer blows are than on simulated hosts."""
    life: float
    """Seconds after which a controller is killed wherever it is."""

    @property
    def settings(self) -> Settings: ...
    @property
    def world(self) -> World: ...
    def shaky(self, chance: random.Random) -> Settings: ...
    def failing(self) -> Sequence[Callable[[], Settings]]: ...
    def prepare(self, controller: Controller) -> None: ...
    def befall(self, chance: random.Random) -> Undo: ...
    def is_for_secrets(self, path: Path) -> bool: ...


@dataclass(frozen=True)
class Way:
    """What a controller does to come by some places."""

    settings: Callable[[], Settings]
    work: Callable[[Controller], None]


@dataclass
class Child:
    """One controller in a process of its own."""

    note: Path
    ends: float
    stopped_until: float | None = None


@dataclass
class Toll:
    """What was done to controllers."""

    kills: int = 0
    in_call: int = 0
    stops: int = 0
    failures: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    befallen: int = 0
    absences: int = 0


class Driver:
    """One run."""

    def __init__(
        self,
        ground: Ground,
        seed: int,
        wish: Wish,
        *,
        outage: Callable[[], Undo],
        absence: Callable[[], Undo],
    ) -> None:
        self._ground = ground
        self._seed = seed
        self._chance = random.Random(seed)
        self._wish = wish
        self._outage = outage
        self._absence = absence
        self._absent_at = float("inf")
        self._children: dict[int, Child] = {}
        self._born = 0
        self._undo: list[tuple[float, Undo]] = []
        self._next_blow = 0.0
        self.journal = ground.home / "accepted"
        self.deaths = ground.home / "deaths"
        self.toll = Toll()
        self.places: dict[str, Way] = {}
        """Where a controller can die, and one way to come by there."""
        self._spans: dict[str, float] = {}

    def enumerate_points(self) -> None:
        """Find every place of a build, of its undoing and of a deletion, by runs without a kill."""
        whole = Way(lambda: self._ground.settings, self._build_and_delete)
        failing = [Way(settings, self._build) for settings in self._ground.failing()]
        for way in (whole, *failing):
            for place in self._places_on(way):
                self.places.setdefault(place, way)

    def _places_on(self, way: Way) -> list[str]:
        seen, spans = self._ground.home / "places", self._ground.home / "spans"
        seen.unlink(missing_ok=True)
        begun = threading.local()

        def visit(point: Point) -> None:
            if not by_the_clock(point):
                note(seen, place_of(point))
            if point.kind is Kind.CALL and point.moment is Moment.BEFORE:
                begun.at = time.monotonic()
            elif point.kind is Kind.CALL and point.moment is Moment.AFTER:
                verb = point.name.partition("@")[0]
                note(spans, f"{verb} {time.monotonic() - begun.at:.6f}")

        self.whole(way.settings(), way.work, visit)
        told = [line.split() for line in spans.read_text().splitlines()]
        self._spans = {verb: float(seconds) for verb, seconds in told}
        return sorted(set(seen.read_text().splitlines()))

    def run(self, over: Callable[[Toll], bool]) -> None:
        """Have controllers work and die until it is over."""
        self._absent_at = time.monotonic() + _ABSENT_AFTER
        try:
            while not over(self.toll):
                now = time.monotonic()
                while len(self._children) < self._ground.crew:
                    self._bear()
                self._strike_hosts(now)
                self._look_after(now)
                threading.Event().wait(_TICK)
        finally:
            for process in list(self._children):
                self._kill(process)
                self._bury(process, os.waitpid(process, 0)[1])
            for _, undo in self._undo:
                undo()

    def settle(self) -> int:
        """See everything through in one more process; its exit status."""
        return self.whole(self._ground.settings, settle)

    @property
    def missed(self) -> list[str]:
        return sorted(self.places.keys() - set(self.toll.hits))

    def _build(self, controller: Controller) -> None:
        wish = self._wish(f"vm-{time.monotonic_ns()}", random.Random(1))
        operation = controller.create(wish)
        note(self.journal, operation.id)
        controller.wait(operation.id, timeout=120)

    def _build_and_delete(self, controller: Controller) -> None:
        self._build(controller)
        operation = controller.delete(controller.instances()[0].id)
        note(self.journal, operation.id)
        controller.wait(operation.id, timeout=120)

    def whole(
        self,
        settings: Settings,
        work: Callable[[Controller], None],
        visit: Callable[[Point], None] | None = None,
    ) -> int:
        """Have a child do this work to its end."""
        process = self._fork(settings, work, visit or (lambda _: None))
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

    def _bear(self) -> None:
        """One more controller, whose end is decided."""
        self._born += 1
        chance = random.Random(f"{self._seed} {self._born}")
        place, way = self._destination(chance)
        settings = way.settings() if way else self._ground.shaky(chance)
        seed = f"{self._seed}-{self._born}"
        work = labour(seed, self._wish, self.journal, self._ground.most, way.work if way else None)
        told = self._ground.home / f"death-{self._born}"
        fate = self._fate(chance, place, told)
        process = self._fork(settings, work, fate, self._strikes(chance))
        ends = time.monotonic() + chance.uniform(0.5, 1.0) * self._ground.life
        self._children[process] = Child(told, ends)

    def _destination(self, chance: random.Random) -> tuple[str, Way | None]:
        """Where a controller is to die: every second one inside of a call. It takes a way that
        comes by there if nobody has died there yet."""
        missed, all_places = self.missed, sorted(self.places)
        if chance.random() < 0.5:
            missed, all_places = (
                [p for p in known if " in " in p] for known in (missed, all_places)
            )
        if missed and chance.random() < 0.7:
            place = chance.choice(missed)
            return place, self.places[place]
        # Without steps any moment inside of a call will do, after a few visits.
        return (chance.choice(all_places) if all_places else ""), None

    def _fate(self, chance: random.Random, place: str, told: Path) -> Callable[[Point], None]:
        """Die at this place; some are stopped for a while first."""
        inside = not place or " in " in place
        first = place in self.missed
        turn = 1 if first else chance.choice((1, 1, 1, 2, 3))
        visits = chance.randint(60, _VISITS) if place else chance.randint(1, _VISITS // 4)
        if first:  # It is on its way there.
            visits = 4 * _VISITS
        stop = chance.random() < 0.04
        seen: Counter[str] = Counter()
        lock = threading.Lock()

        def chosen(point: Point) -> bool:
            with lock:
                seen[place_of(point)] += 1
                late = seen.total() >= visits and (point.moment is Moment.IN or not inside)
                return seen[place] == turn or late

        die = dying_at(chosen, told)
        if not stop:
            return die

        def stop_first(point: Point) -> None:
            if seen.total() > 10 and point.step in ("", "begun") and not seen["stopped"]:
                seen["stopped"] += 1
                os.kill(os.getpid(), signal.SIGSTOP)
            die(point)

        return stop_first

    def _strikes(self, chance: random.Random) -> Strike | None:
        """When calls are struck in their middle: some while after they began, as a rule earlier
        than they would end. A simulated host tells of its own steps."""
        if self._ground.steps:
            return None
        return lambda verb: chance.random() * self._spans.get(verb, 0.01)

    def _fork(
        self,
        settings: Settings,
        work: Callable[[Controller], None],
        visit: Callable[[Point], None],
        strike: Strike | None = None,
    ) -> int:
        process = os.fork()
        if process:
            return process
        status = 1
        try:
            log = os.open(self._log(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
            watcher = Watcher(visit, strike=strike)
            with Controller(settings, watch=watcher.watch) as controller:
                work(controller)
            status = 0
        except BaseException:  # noqa: BLE001 - whatever it is, the child ends and says so
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)

    def _log(self) -> Path:
        logs = self._ground.home / "logs"
        logs.mkdir(exist_ok=True)
        return logs / f"{self._born}.log"

    def _strike_hosts(self, now: float) -> None:
        for due, undo in [known for known in self._undo if known[0] <= now]:
            undo()
            self._undo.remove((due, undo))
        if self._undo:
            return
        if now >= self._absent_at:
            self._absent_at = float("inf")
            self.toll.absences += 1
            self._undo.append((now + _ABSENT_FOR, self._absence()))
        if now < self._next_blow or self._undo:
            return
        self._next_blow = now + self._chance.uniform(1.0, 4.0) * self._ground.calm
        self.toll.befallen += 1
        if self._chance.random() < 0.2:
            lasts, undo = self._chance.uniform(0.1, 0.5), self._outage()
        else:
            lasts, undo = self._chance.uniform(0.1, 1.5), self._ground.befall(self._chance)
        self._undo.append((now + lasts, undo))

    def _look_after(self, now: float) -> None:
        """Bury the dead, wake the stopped, and end those who live too long."""
        for process, child in list(self._children.items()):
            ended, status = os.waitpid(process, os.WNOHANG | os.WUNTRACED)
            if ended and os.WIFSTOPPED(status):
                self.toll.stops += 1
                child.stopped_until = now + _STOPPED
                child.ends += _STOPPED
            elif ended:
                self._bury(process, status)
            elif child.stopped_until is not None and child.stopped_until <= now:
                child.stopped_until = None
                os.kill(process, signal.SIGCONT)
            elif child.ends <= now:
                self._kill(process)

    def _kill(self, process: int) -> None:
        """From outside, wherever it is."""
        os.kill(process, signal.SIGKILL)

    def _bury(self, process: int, status: int) -> None:
        child = self._children.pop(process)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            self.toll.failures += 1
            return
        self.toll.kills += 1
        if not child.note.exists():
            note(self.deaths, "elsewhere")
            return
        point = Point.parse(child.note.read_text())
        child.note.unlink()
        note(self.deaths, str(point))
        self.toll.hits[place_of(point)] += 1
        self.toll.in_call += point.kind is Kind.CALL and point.moment is Moment.IN


def place_of(point: Point) -> str:
    """The place, whichever host it is on."""
    verb = point.name.partition("@")[0]
    return " ".join(filter(None, [point.kind, point.moment, verb, point.step]))
