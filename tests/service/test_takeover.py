"""Several processes on one store: each operation is run by exactly one of them."""

import os
import signal
from dataclasses import replace
from functools import partial

from tests.service.test_clocks import assert_left_alone, held_back
from tests.support import lab as labs
from tests.support.attempts import until
from tests.support.breaking import meet
from tests.support.lab import Lab
from tests.support.oracle import (
    assert_nothing_left,
    assert_one_guest,
    assert_only_the_users_volume_is_left,
    told,
)
from tests.support.stopping import Stop, stopped
from vmwright.controller import Controller
from vmwright.flows import newest
from vmwright.request import CreateRequest
from vmwright.states import Direction
from vmwright.testing.points import Moment, Point, Watcher

MANY = 20


def submit_many(controller) -> None:
    for number in range(MANY):
        wish = {"name": f"vm{number}", "image": "demo", "flavor": "small"}
        network = {"networks": [{"network": "net1"}], "volumes": [{"size": 1}]}
        print(controller.submit(CreateRequest.parse(**wish, **network)).id)


def side_by_side(lab: Lab):
    """As `run_and_wait`, with nothing done before two processes have something to do."""

    def two_at_work() -> bool:
        rows = lab.rows("SELECT owner_id FROM vmwright_operations WHERE owner_id IS NOT NULL")
        return len({row["owner_id"] for row in rows}) == 2

    def child(controller) -> None:
        wait = partial(until, two_at_work)
        meet("check_not_created", Direction.EXECUTE, wait, after=False, writes=False)
        run_and_wait(controller)

    return child


def run_and_wait(controller) -> None:
    for operation in controller.resume():
        controller.wait(operation.id, timeout=120)


def test_two_processes_that_resume_share_the_work(lab: Lab) -> None:
    ids = lab.child(submit_many).output.split()
    assert len(ids) == MANY
    first, second = lab.fork(side_by_side(lab)), lab.fork(side_by_side(lab))
    for process in (first, second):
        ended = lab.reap(process)
        assert ended.status == 0, ended.output
    operations = lab.rows("SELECT * FROM vmwright_operations")
    assert {row["state"] for row in operations} == {"done"}
    # An operation that two processes had claimed would be at epoch 2.
    assert {row["epoch"] for row in operations} == {1}
    assert len({row["owner_id"] for row in operations}) == 2
    begun = lab.rows(
        "SELECT operation_id, task, count(*) AS times FROM vmwright_events"
        " WHERE kind = 'task' AND state = 'RUNNING' GROUP BY operation_id, task"
    )
    assert {row["times"] for row in begun} == {1}
    assert len(lab.things("domains")) == MANY


class Owners:
    """The store of owners, that has something happen when it is asked for them the second time.

    First that is to forget the dead; then to plan, when operations were read already.
    """

    def __init__(self, owners, happen) -> None:
        self._owners = owners
        self._then = iter([lambda: None, happen])

    def __getattr__(self, name):
        if name == "all":
            next(self._then, lambda: None)()
        return getattr(self._owners, name)


def test_an_operation_that_another_process_ends_meanwhile_does_not_keep_its_instance(
    lab: Lab,
) -> None:
    """It was read as queued, and is done when it would be claimed."""

    def see_through_elsewhere() -> None:
        with Controller(lab.settings) as other:
            labs.resume(other)

    def late(means):
        owners = Owners(means.stores.owners, see_through_elsewhere)
        return replace(means, stores=replace(means.stores, owners=owners))

    assert lab.child(lambda controller: controller.submit(labs.request())).status == 0
    ended = lab.reap(lab.fork(labs.resume, watch=late))
    assert ended.output.split() == ["done", "done"], ended.output
    assert_one_guest(lab)
    assert lab.child(labs.delete).output.split() == ["done"]
    assert_only_the_users_volume_is_left(lab)


def test_a_dead_process_is_found_out_at_once(lab: Lab) -> None:
    """Its lock is free: nobody waits for its lease of a day."""
    slow = replace(lab, lease=86400.0, latency="*:0,ensure_running:30")
    process = slow.fork(labs.create)
    until(lambda: _state_of(lab, "spawn") == "RUNNING")
    os.kill(process, signal.SIGKILL)
    assert lab.reap(process).killed
    ended = lab.child(labs.resume)
    assert ended.output.split() == ["done"], ended.output
    (operation,) = lab.rows("SELECT epoch FROM vmwright_operations")
    assert operation["epoch"] == 2
    assert lab.rows("SELECT * FROM vmwright_owners") == []


def test_a_living_process_is_left_alone(lab: Lab) -> None:
    process = lab.fork(labs.create, watch=held_back(lab))
    assert_left_alone(lab)
    assert lab.reap(process).output.split() == ["done"]


def test_a_process_that_lost_its_operation_writes_nothing(lab: Lab) -> None:
    """Stopped past its lease, taken over, and let go on: its next write is refused."""
    events = "SELECT * FROM vmwright_events ORDER BY seq"
    with stopped(lab, labs.create, Stop("spawn", Direction.EXECUTE, Moment.AFTER)) as sleeper:
        ended = lab.child(labs.resume)
        assert ended.output.split() == ["done"], ended.output
        before = lab.rows(events)
        woken = sleeper.wake()
    assert "done" in woken.output.splitlines(), woken.output
    assert "is not ours any more" in woken.output
    assert lab.rows(events) == before
    assert len(lab.things("domains")) == 1


def test_cancel_reaches_another_process_within_its_renewal(lab: Lab) -> None:
    process = replace(lab, latency="*:0,ensure_running:600").fork(labs.create)
    until(lambda: _state_of(lab, "spawn") == "RUNNING")
    (operation,) = lab.rows("SELECT id FROM vmwright_operations")

    def cancel(controller):
        controller.cancel(operation["id"], "changed my mind")

    assert lab.child(cancel).status == 0
    assert lab.reap(process).output.split() == ["cancelled"]
    assert_nothing_left(lab)
    (instance,) = lab.rows("SELECT fault FROM vmwright_instances")
    assert told(instance["fault"])["code"] == "Cancelled"


def test_leaving_a_controller_puts_the_build_down_safely(lab: Lab) -> None:
    """As Ctrl-C does: interrupted, nobody's, and anybody goes on with it."""

    def leave(controller):
        operation = controller.create(labs.request())
        for event in controller.watch(operation.id):
            if event.task == "spawn":
                return

    assert replace(lab, latency="*:0,ensure_running:600").child(leave).status == 0
    (operation,) = lab.rows("SELECT state, owner_id FROM vmwright_operations")
    assert operation == {"state": "interrupted", "owner_id": None}
    assert lab.rows("SELECT * FROM vmwright_owners") == []
    ended = lab.child(labs.resume)
    assert ended.output.split() == ["done"], ended.output
    assert lab.rows("SELECT * FROM vmwright_debts") == []


def test_watching_can_be_taken_up_again(lab: Lab) -> None:
    """Every event is seen once, in order, by a watcher of another process that comes back."""

    def watch(controller):
        (operation,) = controller.operations()
        seen = []
        for event in controller.watch(operation.id, timeout=60):
            seen.append(event.seq)
            if len(seen) == 5:
                break
        seen += [event.seq for event in controller.watch(operation.id, after=seen[-1], timeout=60)]
        print(*seen)

    process = replace(lab, latency="0.05").fork(labs.create)
    until(lambda: lab.rows("SELECT * FROM vmwright_operations") != [])
    seen = [int(word) for word in lab.child(watch).output.split()]
    assert lab.reap(process).status == 0
    assert seen == [row["seq"] for row in lab.rows("SELECT seq FROM vmwright_events ORDER BY seq")]


def test_unknown_flow_is_parked_and_goes_on_once_it_is_known(lab: Lab) -> None:
    lab.child(lambda controller: controller.submit(labs.request()))
    lab.execute("UPDATE vmwright_operations SET flow_version = 99")
    ended = lab.child(labs.resume)
    assert ended.output.split() == ["parked"], ended.output
    lab.execute(f"UPDATE vmwright_operations SET flow_version = {newest('create').version}")

    def again(controller):
        (operation,) = controller.operations()
        controller.resume(operation.id)
        print(controller.wait(operation.id, timeout=60).state)

    assert lab.child(again).output.split() == ["done"]


def test_one_broken_operation_does_not_stop_the_others(lab: Lab) -> None:
    lab.child(submit_many)
    lab.execute("UPDATE vmwright_instances SET request = '{}' WHERE name = 'vm3'")
    assert lab.child(run_and_wait).status == 0
    states = lab.rows(
        "SELECT state, count(*) AS number FROM vmwright_operations GROUP BY state ORDER BY state"
    )
    assert states == [{"state": "done", "number": MANY - 1}, {"state": "parked", "number": 1}]


def _state_of(lab: Lab, task: str) -> str | None:
    rows = lab.rows("SELECT state FROM atomdetails WHERE name = ?", task)
    return rows[0]["state"] if rows else None


def test_build_goes_on_when_another_brings_the_image_as_it_is_refused_one(lab: Lab) -> None:
    """No volume is made of an image that is not on the host; by the time one looks, it is."""
    asked: list[str] = []

    def visit(point: Point) -> None:
        refused = point.moment is Moment.AFTER and point.name.startswith("ensure_volume@")
        if refused and not asked:
            asked.append(point.name)
            build(Controller(lab.settings), "vm2")

    assert build(Controller(lab.settings, watch=Watcher(visit).watch), "vm1") == "done"
    assert asked
    assert {row["state"] for row in lab.rows("SELECT state FROM vmwright_operations")} == {"done"}


def build(opened: Controller, name: str) -> str:
    with opened as controller:
        wish = labs.request(name=name, volumes=[])
        return str(controller.wait(controller.create(wish).id, timeout=60).state)
