"""What stands still, stuck or parked, is told to go on or given up, whatever happened meanwhile."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.attempts import pay_now, until
from tests.support.breaking import Break, around_task, broken, die, execute, revert
from tests.support.lab import Lab, Work
from tests.support.late_calls import calls_under_way, have_calls_land
from tests.support.oracle import (
    assert_nothing_held,
    assert_nothing_left,
    assert_one_guest,
    instances,
)
from tests.unwind.test_giving_up import WHY, abandon, flow_states, operation, stuck
from vmwright.claims import Claims
from vmwright.errors import Conflict
from vmwright.states import Direction

DAMAGES = {
    "a state": "UPDATE atomdetails SET state = 'NONE' WHERE name = 'spawn'",
    "metadata": "UPDATE atomdetails SET meta = '{{{' WHERE name = 'spawn'",
    "a host": "UPDATE atomdetails SET results = '7' WHERE name = 'claim_host'",
    "a row": "DELETE FROM atomdetails WHERE name = 'spawn'",
    "the run": "DELETE FROM flowdetails",
}


@pytest.mark.parametrize("verb", ["retry", "skip", "resume"])
def test_build_whose_instance_a_delete_has_taken_over_is_left_to_it(lab: Lab, verb: str) -> None:
    """To go on, each would wait for the other for ever."""
    found = stuck(lab, "spawn")
    if verb == "resume":
        lab.execute("UPDATE vmwright_operations SET state = 'parked'")
    cut_off = broken(labs.delete, execute("destroy_guest", Break.KILL_BEFORE))
    assert lab.child(cut_off).killed

    def child(controller):
        more = ["spawn", WHY] if verb == "skip" else []
        with pytest.raises(Conflict, match="has taken over its instance") as refused:
            getattr(controller, verb)(found, *more)
        assert operation(lab, "delete")["id"] in refused.value.hint

    ended = lab.child(child)
    assert ended.status == 0, ended.output
    assert lab.child(labs.resume).output.split() == ["done"]
    assert lab.world() == {}
    assert [known["vm_state"] for known in instances(lab)] == ["deleted"]


def parked(lab: Lab) -> str:
    """A build in the middle of which too many processes have died; its id."""
    assert lab.child(broken(labs.create, execute("spawn", Break.KILL_AFTER))).killed
    assert replace(lab, takeovers=1).child(labs.resume).output.split() == ["parked"]
    found: str = operation(lab, "create")["id"]
    return found


def test_parked_build_that_is_told_to_go_on_while_it_is_looked_at_goes_on(lab: Lab) -> None:
    """Its process has just read that nothing will happen to it."""
    found = parked(lab)

    def child(controller):
        told, plan = threading.Event(), Claims.plan

        def slow(self, *arguments):
            seen = plan(self, *arguments)
            if seen.over and not told.is_set():
                controller.resume(found)
                told.set()
            return seen

        Claims.plan = slow
        controller.cancel(found)
        told.wait()
        print(controller.wait(found, timeout=60).state)

    assert lab.child(child).output.split() == ["cancelled"]
    # The call that was cut off may still land: it is owed.
    pay_now(lab)
    assert_nothing_left(lab)


def test_unanswered_call_is_waited_for_although_its_build_was_parked_since(lab: Lab) -> None:
    """Its process died, and too many had died before."""
    late = replace(lab, faults=("ensure_volume:1:late:3600",))

    def cut_off(controller):
        controller.create(labs.request())
        until(lambda: calls_under_way(lab) != [])
        die()

    def take_back(controller):
        (build,) = controller.operations()
        controller.cancel(build.id)
        controller.resume(build.id)
        print(controller.wait(build.id, timeout=60).state)

    assert late.child(cut_off).killed
    assert replace(lab, takeovers=1).child(labs.resume).output.split() == ["parked"]
    assert lab.child(take_back).output.split() == ["cancelled"]
    assert len(calls_under_way(lab)) == 1
    have_calls_land(lab)
    pay_now(lab)
    assert_nothing_left(lab)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_build_whose_rows_are_damaged_is_shown_and_abandoned(lab: Lab, damage: str) -> None:
    assert lab.child(broken(labs.create, execute("spawn", Break.KILL_AFTER))).killed
    lab.execute(damage)
    assert lab.child(labs.resume).output.split()[-1] == "parked"
    found = operation(lab, "create")["id"]

    def show(controller):
        shown = controller.describe_operation(controller.operation(found))
        assert "remains" in [held["task"] for held in shown["held"]]
        assert controller.describe_instance(controller.instance("vm1"))["held"] == shown["held"]

    ended = lab.child(show)
    assert ended.status == 0, ended.output
    assert abandon(lab, found).split()[-1] == "undone"
    assert lab.child(labs.pay).status == 0
    assert lab.world() == {}
    assert_nothing_held(lab)


def test_build_that_gave_something_up_on_one_host_is_not_said_to_be_reverted(hosts: Lab) -> None:
    """Although it was tried on others afterwards, and taken back there."""
    failing = execute("spawn", Break.FAIL_AFTER)
    work = broken(labs.create, failing, revert("spawn", Break.FAIL_BEFORE).on_attempts(1))
    assert replace(hosts, undo_tries=1).child(work).output.split() == ["stuck"]
    found = operation(hosts, "create")["id"]
    # What is still there uses its volumes.
    for task, ended in (("spawn", "stuck"), ("map_block_devices", "undone")):

        def skip(controller, task=task):
            controller.skip(found, task, WHY)
            print(controller.wait(found, timeout=60).state)

        patient = replace(hosts, undo_tries=1, reconcile_interval=3600.0)
        assert patient.child(broken(skip, failing)).output.split() == [ended]
    row = operation(hosts, "create")
    assert row["attempt"] == 3
    assert flow_states(hosts, row["flow_detail_id"])[0] == "SUSPENDED"
    assert hosts.rows("SELECT seq FROM vmwright_debts WHERE kind = 'domain'") != []


def raising(error: type[BaseException], task: str) -> Work:
    """A create in which this task does nothing but raise that."""

    def around(_: Callable[..., Any]) -> Callable[..., Any]:
        def raised(*_: Any, **__: Any) -> None:
            raise error(task)

        return raised

    def child(controller):
        around_task(task, Direction.EXECUTE, around)
        labs.create(controller)

    return child


@pytest.mark.parametrize("task", ["check_not_created", "plug_network", "mark_active"])
def test_build_with_a_task_that_ends_programs_gives_everything_back(lab: Lab, task: str) -> None:
    """A program's own end in a library's code is the failure of the task that called it."""
    ended = lab.child(raising(SystemExit, task))
    assert ended.output.split()[-1] == "undone", ended.output
    assert f"task {task} is broken" in operation(lab, "create")["error"]
    assert_nothing_left(lab)


@pytest.mark.parametrize("task", ["check_not_created", "plug_network", "mark_active"])
def test_build_that_is_interrupted_in_a_task_waits_until_it_is_told_to_go_on(
    lab: Lab, task: str
) -> None:
    ended = lab.child(raising(KeyboardInterrupt, task))
    assert ended.output.split()[-1] == "parked", ended.output
    found = operation(lab, "create")["id"]

    def go_on(controller):
        controller.resume(found)
        print(controller.wait(found, timeout=60).state)

    assert lab.child(go_on).output.split() == ["done"]
    assert_one_guest(lab)
