"""A delete only goes forward: whatever goes wrong, in the end nothing is left."""

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.breaking import Break, around_task, broken, execute, meet, names, revert
from tests.support.lab import Lab
from tests.support.matrices import DELETE, cases
from tests.support.oracle import (
    assert_nothing_held,
    fault,
    instances,
)
from vmwright.states import Direction


@pytest.mark.parametrize("case", cases(DELETE))
def test_nothing_is_left_of_the_instance(stages: Any, tmp_path: Path, case: Any) -> None:
    DELETE.run(case, stages(DELETE).copied_to(tmp_path / "lab"))


def test_a_delete_that_comes_first_keeps_the_build_from_being_active(lab: Lab) -> None:
    """Also if it comes between the last look at the operation and the end of the build."""

    def child(controller: Any) -> None:
        def around(method: Any) -> Any:
            def run(self: Any, **arguments: Any) -> Any:
                arguments["run"].connection.exec_driver_sql(
                    "UPDATE vmwright_instances SET task_state = 'deleting'"
                )
                return method(self, **arguments)

            return run

        around_task("mark_active", Direction.EXECUTE, around)
        labs.create(controller)

    ended = lab.child(child)
    assert ended.output.split() == ["cancelled"], ended.output
    assert fault(lab)["task"] == "mark_active"
    assert_nothing_held(lab)


@pytest.mark.parametrize("task", names("create"))
@pytest.mark.parametrize("how", [Break.KILL_BEFORE, Break.KILL_AFTER])
def test_delete_after_a_power_cut_of_the_build(lab: Lab, task: str, how: Break) -> None:
    """Nobody resumed the build: the delete takes it over, and it is taken back."""
    assert lab.child(broken(labs.create, execute(task, how))).killed
    ended = lab.child(labs.delete)
    assert ended.output.split() == ["done"], ended.output
    lab.child(labs.pay)
    assert_everything_is_gone(lab)


@pytest.mark.parametrize("task", ["spawn", "map_block_devices", "plug_network"])
def test_delete_of_a_stuck_build(lab: Lab, task: str) -> None:
    """What the build's own undo could not remove, the delete removes."""
    failing = (execute("mark_active", Break.FAIL_BEFORE), revert(task, Break.FAIL_BEFORE))
    ended = Lab(lab.home, undo_tries=1).child(broken(labs.create, *failing))
    assert ended.output.split() == ["stuck"], ended.output
    ended = lab.child(labs.delete)
    assert ended.output.split() == ["done"], ended.output
    states = lab.rows("SELECT state FROM vmwright_operations ORDER BY seq")
    assert [row["state"] for row in states] == ["undone", "done"]
    assert instances(lab)[0]["vm_state"] == "deleted"
    assert [volume["name"].split(".")[5] for volume in lab.things("volumes")] in ([], [kept(lab)])
    assert lab.things("domains") == lab.things("reservations") == []


@pytest.mark.parametrize("task", names("create"))
@pytest.mark.parametrize("order", ["delete_first", "task_first"])
def test_delete_during_a_build(lab: Lab, task: str, order: str) -> None:
    """The delete arrives while this task runs, before or after its effect: one outcome."""

    def child(controller):
        operations = []

        def arrive():
            if not operations:
                operations.append(controller.delete("vm1").id)

        meet(task, Direction.EXECUTE, arrive, after=order == "task_first")
        build = controller.create(labs.request())
        ended = controller.wait(build.id, timeout=60)
        while not operations:
            threading.Event().wait(0.01)
        print(ended.state, controller.wait(operations[0], timeout=60).state)

    ended = lab.child(child)
    assert ended.output.split()[1:] == ["done"], ended.output
    assert_everything_is_gone(lab)


def assert_everything_is_gone(lab: Lab) -> None:
    """As before the build, but for the user's volume, which may have been put on a host."""
    (volume,) = lab.rows("SELECT * FROM vmwright_volumes WHERE deleted_at IS NULL")
    found = [volume["location"]] if volume["location"] else []
    assert [stored["name"] for stored in lab.things("volumes")] == found
    assert lab.things("domains") == lab.things("reservations") == lab.things("leases") == []
    assert_nothing_held(lab)
    (instance,) = instances(lab)
    assert (instance["vm_state"], instance["task_state"]) == ("deleted", None)
    for operation in lab.rows("SELECT * FROM vmwright_operations"):
        assert operation["state"] in ("done", "undone", "cancelled"), dict(operation)


def kept(lab: Lab) -> str | None:
    (volume,) = lab.rows("SELECT location FROM vmwright_volumes WHERE name = 'kept'")
    return volume["location"].split(".")[5] if volume["location"] else None
