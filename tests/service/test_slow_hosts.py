"""Hosts that do not answer, and processes that run out of what the system gives: nothing of it
reaches the builds that have nothing to do with them."""

import resource
from dataclasses import replace

from tests.support import lab as labs
from tests.support.attempts import until
from tests.support.lab import Lab
from tests.support.oracle import assert_nothing_left, assert_one_guest
from vmwright.request import CreateRequest
from vmwright.testing.points import Moment, Point, Watcher

HANGS = "ensure_volume@host1:1+:hang"


def on(host: str, name: str) -> CreateRequest:
    wish = {"name": name, "image": "demo", "flavor": "small", "networks": [{"network": "net1"}]}
    return CreateRequest.parse(**wish, availability_zone=f"nova:{host}")


def test_builds_on_other_hosts_end_while_one_host_hangs(hosts: Lab) -> None:
    """More of them than may run at once, and all threads of the slow host taken."""
    lab = replace(hosts, faults=(HANGS,), parallel=2, slow_after=0.2)

    def build(controller):
        slow = [controller.create(on("host1", f"slow{number}")) for number in range(2)]
        until(lambda: begun(lab, "map_block_devices") == 2)
        fast = [controller.create(on("host2", f"fast{number}")) for number in range(6)]
        print(*(controller.wait(build.id, timeout=50).state for build in fast))
        print(*(controller.operation(build.id).state for build in slow))

    ended = lab.child(build)
    assert ended.output.splitlines() == [" ".join(["done"] * 6), "running running"]


def begun(lab: Lab, task: str) -> int:
    told = "SELECT * FROM vmwright_events WHERE kind = 'task' AND state = 'RUNNING' AND task = ?"
    return len(lab.rows(told, task))


def test_deletes_on_a_host_that_hangs_keep_no_build_waiting(hosts: Lab) -> None:
    """Their guests are owed, once their patience has ended; until then others go on."""
    lab = replace(hosts, parallel=2, slow_after=0.2)

    def build(controller):
        builds = [controller.create(on("host1", f"old{number}")) for number in range(2)]
        print(*(controller.wait(build.id, timeout=50).state for build in builds))

    assert lab.child(build).output.split() == ["done"] * 2
    hanging = replace(lab, faults=("ensure_no_domain@host1:1+:hang",), undo_deadline=600.0)

    def delete(controller):
        deletes = [controller.delete(f"old{number}") for number in range(2)]
        until(lambda: begun(lab, "destroy_guest") == 2)
        build = controller.create(on("host3", "new"))
        print(controller.wait(build.id, timeout=50).state)
        print(*(controller.operation(known.id).state for known in deletes))

    assert hanging.child(delete).output.splitlines() == ["done", "running running"]


def starved(*calls: int) -> Watcher:
    """No file can be opened in these of the calls that define a guest. Says how many there were."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def visit(point: Point) -> None:
        if point.name != "ensure_domain@host1" or point.count not in calls:
            return
        if point.moment is Moment.BEFORE:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        elif point.moment is Moment.AFTER:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            print("starved", end=" ")

    return Watcher(visit)


def test_process_without_free_descriptors_goes_on_when_it_has_some(lab: Lab) -> None:
    ended = lab.reap(lab.fork(labs.create, watch=starved(1, 2).watch))
    assert ended.output.split() == ["starved", "starved", "done"], ended.output
    assert_one_guest(lab)


def test_build_that_never_gets_descriptors_is_given_back_and_says_why(lab: Lab) -> None:
    ended = lab.reap(lab.fork(labs.create, watch=starved(*range(1, 1000)).watch))
    assert set(ended.output.split()) == {"starved", "undone"}, ended.output
    lab.child(labs.pay)
    assert_nothing_left(lab)
    (instance,) = lab.rows("SELECT fault FROM vmwright_instances")
    assert "Too many open files" in str(instance["fault"])
    assert "LimitNOFILE" in str(instance["fault"])
