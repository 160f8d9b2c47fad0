"""The kit itself: what it makes of a flow, and that it fails where it must."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from taskflow.flow import Flow
from taskflow.patterns import linear_flow, unordered_flow

from vmwright.backends.removal import Kind as Thing
from vmwright.backends.removal import Removal
from vmwright.backends.volumes import Volume
from vmwright.errors import InvalidRequest, Refused
from vmwright.ids import volume_name
from vmwright.states import Direction
from vmwright.tasks.instance import host_value
from vmwright.tasks.task import Means, Run, StoreTask, Task
from vmwright.testing import Caught, DirectoryWorld, Matrix, NotShown
from vmwright.testing.breaking import Break, execute
from vmwright.testing.cases import Case, Leg, Sweep
from vmwright.testing.points import Kind, Moment, Point
from vmwright.testing.pytest_plugin import breaks_on_purpose
from vmwright.testing.trial import SWEPT


class Write(Task):
    """Have a file with the operation's name in its directory, unless somebody else has it."""

    task_name = "write"

    def __init__(self, means: Means, name: str = "write") -> None:
        super().__init__(means)
        self.name = name

    def execute(self, run: Run, spec: Any) -> None:
        if self._is_foreign(run):
            raise Refused(f"{self._path(run)} is somebody else's")
        self._path(run).write_text(OURS)

    def revert(self, run: Run, **_: Any) -> None:
        if not self._is_foreign(run):
            self._path(run).unlink(missing_ok=True)

    def _is_foreign(self, run: Run) -> bool:
        path = self._path(run)
        return path.exists() and path.read_text() not in {"", OURS}

    def _path(self, run: Run) -> Path:
        return Path.cwd() / "world" / f"{self.name}.{run.operation}"


OURS = "ours"


class Shelf(DirectoryWorld):
    """Where somebody else can be before us."""

    def occupy(self, run: Run) -> None:
        for name in ("left", "right"):
            (Path.cwd() / "world" / f"{name}.{run.operation}").write_text("theirs")


class Forgotten(StoreTask):
    """Begins after both and changes nothing."""

    task_name = "forgotten"

    def execute(self, run: Run) -> None:
        run.note("kit", "forgotten")


def side_by_side(means: Means) -> Flow:
    return linear_flow.Flow("side_by_side").add(
        unordered_flow.Flow("both").add(Write(means, "left"), Write(means, "right")),
        Forgotten(means),
    )


class MakeDisk(Task):
    """Have a volume on the only host."""

    task_name = "make_disk"

    def execute(self, run: Run) -> None:
        volumes = self._means.backend.host(self._host["uri"]).volumes
        volumes.ensure_volume(
            Volume(name=self._name(run), disk_format="raw", size_bytes=1 << 20), run.wait
        )

    def revert(self, run: Run, **_: Any) -> None:
        removal = Removal(kind=Thing.VOLUME, key=self._name(run), whose=run.whose)
        run.remove(self._means.backend, self._host, [removal])

    def _name(self, run: Run) -> str:
        return volume_name(run.mark, "scratch", "raw")

    @property
    def _host(self) -> dict[str, Any]:
        stores = self._means.stores
        with stores.database.read() as connection:
            return host_value(stores.registries.hosts.all(connection)[0])


def one(task: type[Task]) -> Any:
    return lambda means: linear_flow.Flow("only").add(task(means))


def cases(matrix: Matrix, *words: str) -> list[Any]:
    return [case for case in matrix if all(word in str(case) for word in words)]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DirectoryWorld:
    monkeypatch.chdir(tmp_path)
    return DirectoryWorld(tmp_path / "world")


@pytest.mark.slow
@breaks_on_purpose(flow=side_by_side)
def test_whole_matrix_of_siblings(world: DirectoryWorld) -> DirectoryWorld:
    return Shelf(Path.cwd() / "world")


BOTH = Matrix.of_flow(side_by_side)


def test_siblings_are_found_in_the_graph_and_cut_in_all_combinations() -> None:
    assert BOTH.subject.siblings() == [("left", "right")]
    assert len(cases(BOTH, "left+right")) == 8


@pytest.mark.parametrize("case", cases(BOTH, "left+right"), ids=str)
def test_power_cut_with_siblings_in_flight(
    case: Any, world: DirectoryWorld, vmwright_stages: Any
) -> None:
    BOTH.run(case, vmwright_stages(BOTH), world)


def test_each_task_has_every_case() -> None:
    words = {case.words for case in BOTH if case.task == "left"}
    assert words == {case.words for case in BOTH if case.task == "right"}
    assert len(words) == 19


DISK = Matrix.of_flow(one(MakeDisk))


@pytest.mark.slow
@pytest.mark.parametrize("direction", list(Direction))
def test_power_is_cut_before_in_and_after_each_call(
    vmwright_stages: Any, direction: Direction
) -> None:
    (sweep,) = (case for case in DISK if getattr(case, "direction", None) is direction)
    stage = vmwright_stages(DISK)
    DISK.run(sweep, stage)
    verb = "ensure_volume" if direction is Direction.EXECUTE else "ensure_no_volume"
    points = [Point.parse(line) for line in (stage.home / SWEPT).read_text().splitlines()]
    assert {point.moment for point in points if point.name == f"{verb}@host1"} == set(Moment)
    assert {point.kind for point in points} == set(Kind)


BUILD = Matrix.of_hooks()
"""Without a hook, the tasks of a build are what is meant."""


@pytest.mark.slow
@pytest.mark.parametrize("sweep", [case for case in BUILD if isinstance(case, Sweep)], ids=str)
def test_power_is_cut_at_every_point_of_our_own_tasks(vmwright_stages: Any, sweep: Any) -> None:
    BUILD.run(sweep, vmwright_stages(BUILD))


class Leaks(MakeDisk):
    """Nobody removes the volume."""

    def revert(self, run: Run, **_: Any) -> None:
        """It has forgotten it."""


def test_what_is_left_on_a_simulated_host_is_caught(vmwright_stages: Any) -> None:
    matrix = Matrix.of_flow(one(Leaks))
    (case,) = (case for case in matrix if case.words == "fails after its effect, undone once")
    with pytest.raises(Caught, match=r"(?s)make_disk: fails after .*left in simulated: .*scratch"):
        matrix.run(case, vmwright_stages(matrix))


# What would prove nothing fails.


def test_a_flow_without_tasks_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="without tasks"):
        Matrix.of_flow(lambda _means: linear_flow.Flow("empty"))


def test_a_task_that_the_flow_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no task middle"):
        Matrix(replace(BOTH.subject, meant=("left", "middle")))


def test_a_subject_of_which_nothing_would_be_known_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="say what must be"):
        replace(BOTH.subject, prepare_neighbour=None)


def test_a_hook_that_nobody_could_find_is_refused() -> None:
    class Local(Write):
        task_name = "local"

    with pytest.raises(InvalidRequest, match="top of its module"):
        Matrix.of_hooks(post_create=[Local])


def test_a_breakage_that_was_never_met_is_caught(
    world: DirectoryWorld, vmwright_stages: Any
) -> None:
    never = execute("left", Break.FAIL_AFTER).on_attempts(7)
    case = Case(
        task="left", words="fails in attempt 7", legs=(Leg(breakages=(never,), ends="done"),)
    )
    with pytest.raises(Caught, match="it was never broken like this: left execute fail_after"):
        BOTH.run(case, vmwright_stages(BOTH), world)


def test_a_process_that_was_not_killed_is_caught(
    world: DirectoryWorld, vmwright_stages: Any
) -> None:
    case = Case(task="left", words="is not killed", legs=(Leg(ends="killed"),))
    with pytest.raises(Caught, match="was not killed"):
        BOTH.run(case, vmwright_stages(BOTH), world)


def test_failure_of_another_task_than_the_one_that_was_meant_is_caught(
    world: DirectoryWorld, vmwright_stages: Any
) -> None:
    failing = (execute("forgotten", Break.FAIL_AFTER),)
    legs = (Leg(breakages=failing, ends="undone"),)
    case = Case(task="left", words="fails", legs=legs, fails="left")
    with pytest.raises(Caught, match="was to be left, and forgotten did"):
        BOTH.run(case, vmwright_stages(BOTH), world)


def test_a_test_without_a_world_fails(vmwright_stages: Any) -> None:
    @breaks_on_purpose(BOTH)
    def nothing() -> None:
        """It forgot to return one."""

    with pytest.raises(pytest.fail.Exception, match="returns no world"):
        nothing(vmwright_case=BOTH.cases[0], vmwright_stages=vmwright_stages)


def test_a_test_that_returns_something_else_than_a_world_fails(vmwright_stages: Any) -> None:
    @breaks_on_purpose(BOTH)
    def directory() -> dict[str, Any]:
        return {"licences": Path("licences")}

    with pytest.raises(pytest.fail.Exception, match=r"PosixPath\('licences'\), which is no world"):
        directory(vmwright_case=BOTH.cases[0], vmwright_stages=vmwright_stages)


def test_a_decorator_that_names_no_task_is_refused() -> None:
    """As one whose list has become empty, or that is not called: nothing would be broken."""
    for named in ({}, {"post_create": []}, {"matrix": test_a_flow_without_tasks_is_refused}):
        with pytest.raises(InvalidRequest, match="no task is named"):
            breaks_on_purpose(**named)


class Fixed:
    """A world of which nothing but a look is known."""

    def snapshot(self) -> dict[str, str]:
        return {}


@pytest.mark.parametrize("words", ["world out of reach while undoing", "thing of that name"])
def test_what_a_world_cannot_do_is_skipped_with_the_remedy(
    vmwright_stages: Any, words: str
) -> None:
    (case,) = (case for case in DISK if words in case.words)
    with pytest.raises(NotShown, match=r"give the world a method (severed|occupy)\(\)"):
        DISK.run(case, vmwright_stages(DISK), Fixed())


def test_a_directory_is_seen_byte_for_byte_and_can_be_put_out_of_reach(tmp_path: Path) -> None:
    world = DirectoryWorld(tmp_path / "world")
    (tmp_path / "world" / "below").mkdir()
    (tmp_path / "world" / "below" / "file").write_bytes(b"\xff")
    (tmp_path / "world" / "link").symlink_to("nowhere")
    seen = {"below": "directory", "below/file": "\\xff", "link": "link to nowhere"}
    assert world.snapshot() == seen
    with world.severed(), pytest.raises(NotADirectoryError):
        (tmp_path / "world" / "below" / "file").unlink(missing_ok=True)
    assert world.snapshot() == seen


def test_pytest_loads_little_for_whoever_does_not_use_it() -> None:
    code = "import sys, vmwright.testing.pytest_plugin; print('taskflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
