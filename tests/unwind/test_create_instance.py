"""Whatever goes wrong with a build, wherever: one complete guest, or no trace of it."""

import shutil
import threading
from pathlib import Path

import pytest

from tests.support import lab as labs
from tests.support.breaking import Break, break_task, broken, execute, hold, names, revert
from tests.support.lab import Lab
from tests.support.oracle import (
    assert_nothing_left,
    assert_one_guest,
    assert_only_the_users_volume_is_left,
    fault,
)
from vmwright.states import Direction

TASKS = names("create")
LAST = TASKS[-1]
SIBLINGS = ("plug_network", "map_block_devices")

at_each_task = pytest.mark.parametrize("task", TASKS)


def test_builds_one_guest(lab: Lab) -> None:
    ended = lab.child(labs.create)
    assert ended.output.split() == ["done"], ended.output
    assert_one_guest(lab)
    assert lab.secrets_in_clear() == []


def test_a_build_and_its_end_leave_nothing(lab: Lab) -> None:
    lab.child(labs.create)
    ended = lab.child(labs.delete)
    assert ended.output.split() == ["done"], ended.output
    assert_only_the_users_volume_is_left(lab)


def test_every_task_may_run_twice(lab: Lab) -> None:
    ended = lab.child(broken(labs.create, *(execute(task, Break.TWICE) for task in TASKS)))
    assert ended.output.split() == ["done"], ended.output
    assert_one_guest(lab)


@at_each_task
@pytest.mark.parametrize("how", [Break.FAIL_BEFORE, Break.FAIL_AFTER])
@pytest.mark.parametrize("undo", ["once", "twice"])
def test_failure_leaves_no_trace(lab: Lab, task: str, how: Break, undo: str) -> None:
    breaks = [execute(task, how)]
    if undo == "twice":
        breaks += [revert(other, Break.TWICE) for other in TASKS]
    ended = lab.child(broken(labs.create, *breaks))
    assert ended.output.split() == ["undone"], ended.output
    assert fault(lab)["task"] == task
    assert_nothing_left(lab)


@at_each_task
@pytest.mark.parametrize("how", [Break.KILL_BEFORE, Break.KILL_AFTER])
def test_power_cut_while_building_is_resumed(lab: Lab, task: str, how: Break) -> None:
    assert lab.child(broken(labs.create, execute(task, how))).killed
    ended = lab.child(labs.resume)
    assert ended.output.split() == ["done"], ended.output
    assert_one_guest(lab)
    assert lab.secrets_in_clear() == []


@at_each_task
@pytest.mark.parametrize("how", [Break.KILL_BEFORE, Break.KILL_AFTER])
def test_power_cut_while_undoing_is_resumed(lab: Lab, task: str, how: Break) -> None:
    failing = execute(LAST, Break.FAIL_BEFORE)
    assert lab.child(broken(labs.create, failing, revert(task, how))).killed
    ended = lab.child(broken(labs.resume, failing))
    assert ended.output.split() == ["undone"], ended.output
    lab.child(labs.pay)
    assert_nothing_left(lab)


@at_each_task
def test_power_cut_and_then_failure_leaves_no_trace(lab: Lab, task: str) -> None:
    """The call that was cut off may have had its effect, and nobody remembers its result."""
    assert lab.child(broken(labs.create, execute(task, Break.KILL_AFTER))).killed
    ended = lab.child(broken(labs.resume, execute(task, Break.FAIL_BEFORE)))
    assert ended.output.split() == ["undone"], ended.output
    lab.child(labs.pay)
    assert_nothing_left(lab)


@pytest.mark.parametrize("first", ["before", "after"])
@pytest.mark.parametrize("second", ["before", "after"])
@pytest.mark.parametrize("direction", list(Direction))
def test_power_cut_with_both_siblings_in_flight(
    lab: Lab, first: str, second: str, direction: Direction
) -> None:
    def child(controller):
        together = threading.Barrier(len(SIBLINGS))
        for name, moment in zip(SIBLINGS, (first, second), strict=True):
            hold(name, direction, after=moment == "after", others=together)
        if direction is Direction.REVERT:
            break_task(execute("spawn", Break.FAIL_AFTER))
        labs.create(controller)

    assert lab.child(child).killed
    ended = lab.child(labs.resume)
    if direction is Direction.EXECUTE:
        assert ended.output.split() == ["done"], ended.output
        assert_one_guest(lab)
    else:
        assert ended.output.split() == ["undone"], ended.output
        lab.child(labs.pay)
        assert_nothing_left(lab)


@at_each_task
def test_failing_undo_is_tried_again_and_is_true(lab: Lab, task: str) -> None:
    """An undo that fails once: the run is suspended, tried again, and ends undone."""

    def child(controller):
        break_task(execute(LAST, Break.FAIL_BEFORE))
        break_task(revert(task, Break.FAIL_ONCE))
        labs.create(controller)

    ended = lab.child(child)
    assert ended.output.split() == ["undone"], ended.output
    assert_nothing_left(lab)


@pytest.mark.parametrize("task", ["spawn", "map_block_devices", "plug_network"])
def test_undo_that_keeps_failing_is_stuck_and_can_be_retried(lab: Lab, task: str) -> None:
    def child(controller):
        break_task(execute(LAST, Break.FAIL_BEFORE))
        break_task(revert(task, Break.FAIL_BEFORE))
        labs.create(controller)

    stubborn = Lab(lab.home, undo_tries=2)
    ended = stubborn.child(child)
    assert ended.output.split() == ["stuck"], ended.output
    (operation,) = lab.rows("SELECT id, error FROM vmwright_operations")
    assert task in operation["error"]
    assert lab.world() != {}
    flows = lab.rows("SELECT state FROM flowdetails")
    assert flows == [{"state": "SUSPENDED"}]

    def retry(controller):
        controller.retry(operation["id"])
        print(controller.wait(operation["id"], timeout=60).state)

    ended = lab.child(retry)
    assert ended.output.split() == ["undone"], ended.output
    assert_nothing_left(lab)


@at_each_task
@pytest.mark.parametrize("how", [Break.FAIL_BEFORE, Break.FAIL_AFTER])
def test_what_others_made_survives(lab: Lab, tmp_path: Path, task: str, how: Break) -> None:
    """The world belongs to another deployment as well: it stays byte for byte."""
    foreign = another_deployment(lab, tmp_path / "foreign")
    ended = lab.child(broken(labs.create, execute(task, how)))
    assert ended.output.split() == ["undone"], ended.output
    assert lab.world() == foreign


def test_a_refused_build_hurts_nobody(lab: Lab, tmp_path: Path) -> None:
    """Somebody else's guest has the uuid that ours would take."""

    def submit(controller):
        print(controller.submit(labs.request()).instance_id)

    ours = lab.child(submit).output.split()[0]
    foreign = another_deployment(lab, tmp_path / "foreign", uuid=ours)
    ended = lab.child(labs.resume)
    assert ended.output.split() == ["undone"], ended.output
    assert fault(lab)["task"] == "check_not_created"
    assert lab.world() == foreign


def another_deployment(lab: Lab, home: Path, uuid: str | None = None) -> dict[str, str]:
    """Another store builds a guest in the same world; what is in the world then."""
    shutil.copytree(lab.home, home)
    (home / "store.db").unlink()
    for suffix in ("-wal", "-shm"):
        (home / f"store.db{suffix}").unlink(missing_ok=True)
    shutil.rmtree(home / "world")
    (home / "world").symlink_to(lab.home / "world")
    other = Lab(home)
    ended = other.child(lambda controller: (labs.prepare(controller), labs.create(controller)))
    assert ended.output.split() == ["done"], ended.output
    if uuid is not None:
        (path,) = (lab.home / "world").glob("hosts/*/domains/*.json")
        text = path.read_text().replace(path.stem, uuid)
        path.unlink()
        path.with_name(f"{uuid}.json").write_text(text)
    return lab.world()
