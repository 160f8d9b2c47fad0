"""The kit itself: what it makes of a flow, and that it fails where it must."""

from pathlib import Path
from typing import Any

import pytest
from taskflow.flow import Flow
from taskflow.patterns import linear_flow, unordered_flow

from vmwright.tasks.task import Means, Run, StoreTask, Task
from vmwright.testing import DirectoryWorld, Matrix
from vmwright.testing.pytest_plugin import breaks_on_purpose


class Write(Task):
    """Have a file with the operation's name in its directory."""

    task_name = "write"

    def __init__(self, means: Means, name: str = "write") -> None:
        super().__init__(means)
        self.name = name

    def execute(self, run: Run, spec: Any) -> None:
        self._path(run).write_text(spec.name)

    def revert(self, run: Run, **_: Any) -> None:
        self._path(run).unlink(missing_ok=True)

    def _path(self, run: Run) -> Path:
        return Path.cwd() / "world" / f"{self.name}.{run.operation}"


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


def empty(_means: Means) -> Flow:
    return linear_flow.Flow("empty")


def cases(matrix: Matrix, *words: str) -> list[Any]:
    return [case for case in matrix if all(word in str(case) for word in words)]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DirectoryWorld:
    monkeypatch.chdir(tmp_path)
    return DirectoryWorld(tmp_path / "world")


@pytest.mark.slow
@breaks_on_purpose(flow=side_by_side)
def test_whole_matrix_of_siblings(world: DirectoryWorld) -> DirectoryWorld:
    return world


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
    assert len(words) == 18
