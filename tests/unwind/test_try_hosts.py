"""A build that fails by its host's fault leaves no trace there, and goes on on another one."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.attempts import (
    FAILS_ON_FIRST,
    TASKS,
    attempts,
    on_attempt,
    until,
)
from tests.support.breaking import (
    Break,
    break_task,
    broken,
    execute,
    revert,
)
from tests.support.lab import Lab
from tests.support.oracle import assert_nothing_left, assert_one_guest, fault, told
from tests.unwind.test_create_instance import LAST, SIBLINGS, another_deployment
from vmwright import flows
from vmwright.settings import SchedulerSettings

at_each_task = pytest.mark.parametrize("task", TASKS)


@at_each_task
@pytest.mark.parametrize(
    ("how", "bad"),
    [(Break.FAIL_BEFORE, (1,)), (Break.FAIL_AFTER, (1, 2))],
    ids=["before-its-effect-on-one-host", "after-its-effect-on-two-hosts"],
)
def test_failure_by_a_host_is_followed_by_another_attempt(
    hosts: Lab, task: str, how: Break, bad: tuple[int, ...]
) -> None:
    ended = hosts.child(broken(labs.create, execute(task, how).on_attempts(*bad)))
    assert ended.output.split() == ["done"], ended.output
    assert_one_guest(hosts)
    assert attempts(hosts) == expected(task, failed=len(bad), then="done")
    assert hosts.secrets_in_clear() == []


def expected(task: str, *, failed: int, then: str | None = None) -> list[tuple[str | None, str]]:
    """Hosts and outcomes of as many failed attempts, and of the last one.

    A claim that fails has no host: the first one stays to be tried.
    """
    numbers: list[int | None] = [None if task == "claim_host" else n + 1 for n in range(failed)]
    tried = [(f"host{number}" if number else None, "failed") for number in numbers]
    if then is None:
        return tried
    return [*tried, ("host1" if task == "claim_host" else f"host{failed + 1}", then)]


@at_each_task
def test_failure_of_every_attempt_leaves_no_trace_and_tells_them_all(hosts: Lab, task: str) -> None:
    ended = hosts.child(broken(labs.create, execute(task, Break.FAIL_AFTER)))
    assert ended.output.split() == ["undone"], ended.output
    assert_nothing_left(hosts)
    assert attempts(hosts) == expected(task, failed=3)
    why = fault(hosts)
    assert why["task"] == task
    assert why["attempts"] == [
        {"number": number, "host": host, "task": task, "message": f"injected into {task}"}
        for number, (host, _) in enumerate(expected(task, failed=3), 1)
    ]


@at_each_task
def test_failure_that_would_be_the_same_anywhere_ends_the_build(hosts: Lab, task: str) -> None:
    breakage = execute(task, Break.FAIL_AFTER).refusing()
    assert hosts.child(broken(labs.create, breakage)).output.split() == ["undone"]
    assert_nothing_left(hosts)
    (attempt,) = attempts(hosts)
    assert attempt[1] == "refused"
    assert fault(hosts)["task"] == task


def test_failure_after_the_part_that_lies_on_a_host_ends_the_build(hosts: Lab) -> None:
    ended = hosts.child(broken(labs.create, execute(LAST, Break.FAIL_BEFORE)))
    assert ended.output.split() == ["undone"], ended.output
    assert_nothing_left(hosts)
    assert attempts(hosts) == [("host1", "failed")]


# Both siblings fail.


@pytest.mark.parametrize("first", SIBLINGS)
@pytest.mark.parametrize("refusing", [(), ("first",), ("second",), ("first", "second")])
@pytest.mark.parametrize("order", ["at once", "when the undo has begun"])
def test_both_siblings_fail(hosts: Lab, first: str, refusing: tuple[str, ...], order: str) -> None:
    """One refusal is enough to end the build, whichever comes first."""
    (second,) = set(SIBLINGS) - {first}
    started = threading.Barrier(2)

    def in_order(name: str) -> Callable[[], None]:
        def wait() -> None:
            started.wait()
            if name == second and order != "at once":
                until(lambda: attempts_ended(hosts) > 0)

        return wait

    def child(controller):
        for place, name in (("first", first), ("second", second)):
            breakage = execute(name, Break.FAIL_AFTER).on_attempts(1)
            break_task(breakage.refusing() if place in refusing else breakage)
            on_attempt(1, name, in_order(name))
        labs.create(controller)

    ended = hosts.child(child)
    if refusing:
        assert ended.output.split() == ["undone"], ended.output
        assert_nothing_left(hosts)
        assert attempts(hosts) == [("host1", "refused")]
        assert fault(hosts)["code"] == "InjectedRefusal"
    else:
        assert ended.output.split() == ["done"], ended.output
        assert_one_guest(hosts)
        assert attempts(hosts) == [("host1", "failed"), ("host2", "done")]


def attempts_ended(hosts: Lab) -> int:
    return len(hosts.rows("SELECT * FROM vmwright_attempts WHERE outcome IS NOT NULL"))


# What others have.


@at_each_task
@pytest.mark.parametrize("bad", [(1,), (1, 2, 3)], ids=["built-in-the-end", "failed-for-good"])
def test_what_others_made_survives_all_attempts(
    hosts: Lab, tmp_path: Path, task: str, bad: tuple[int, ...]
) -> None:
    """Their network on the first host leaves no room for ours."""
    foreign = another_deployment(hosts, tmp_path / "foreign")
    ended = hosts.child(broken(labs.create, execute(task, Break.FAIL_AFTER).on_attempts(*bad)))
    assert foreign.items() <= hosts.world().items()
    if len(bad) == 3:
        assert ended.output.split() == ["undone"], ended.output
        assert hosts.world() == foreign
    else:
        assert ended.output.split() == ["done"], ended.output
        assert attempts(hosts)[-1] == ("host2", "done")


# When another host is tried, and what is told if none is left.


def test_other_hosts_that_may_take_nothing_are_not_tried(hosts: Lab) -> None:
    def child(controller):
        for name in ("host2", "host3"):
            controller.inventory.disable_host(name, "for a test")
        broken(labs.create, execute("spawn", Break.FAIL_AFTER))(controller)

    assert hosts.child(child).output.split() == ["undone"]
    assert_nothing_left(hosts)
    assert attempts(hosts) == [("host1", "failed")]


def test_fault_names_what_failed_on_a_host_and_why_no_other_host_did(hosts: Lab) -> None:
    hosts.execute("UPDATE vmwright_hosts SET vcpus = 0 WHERE name = 'host2'")
    hosts.execute("DELETE FROM vmwright_hosts WHERE name = 'host3'")
    ended = hosts.child(broken(labs.create, execute("spawn", Break.FAIL_AFTER)))
    assert ended.output.split() == ["undone"], ended.output
    assert_nothing_left(hosts)
    assert attempts(hosts) == [("host1", "failed"), (None, "refused")]
    why = fault(hosts)
    assert (why["task"], why["host"], why["message"]) == ("spawn", "host1", "injected into spawn")
    no_host = why["attempts"][1]
    assert (no_host["task"], no_host["host"]) == ("claim_host", None)
    assert "host1: tried already: injected into spawn" in no_host["message"]
    assert "host2: 1 vCPUs wanted, 0 free" in no_host["message"]
    assert "guest, its local disks and config drive" in why["given_back"]
    assert "DHCP reservations" in why["given_back"]


def test_hosts_that_vanish_while_an_attempt_is_undone(hosts: Lab) -> None:
    """Another attempt was decided on, the power was cut, and now there is none to be had."""
    killing = revert("map_block_devices", Break.KILL_AFTER)
    assert hosts.child(broken(labs.create, FAILS_ON_FIRST, killing)).killed
    hosts.execute("UPDATE vmwright_hosts SET enabled = 0 WHERE name != 'host1'")
    assert hosts.child(labs.resume).output.split() == ["undone"]
    hosts.child(labs.pay)
    assert_nothing_left(hosts)
    assert fault(hosts)["task"] == "spawn"


@pytest.mark.parametrize("most", [1, 2])
def test_no_more_hosts_are_tried_than_when_it_was_accepted(hosts: Lab, most: int) -> None:
    failing = execute("spawn", Break.FAIL_AFTER)
    fewer = replace(hosts, max_attempts=most)
    assert fewer.child(lambda controller: controller.submit(labs.request())).status == 0
    ended = hosts.child(broken(labs.resume, failing))
    assert ended.output.split() == ["undone"], ended.output
    assert attempts(hosts) == [(f"host{number + 1}", "failed") for number in range(most)]
    assert_nothing_left(hosts)


def test_host_that_was_forced_is_the_only_one_that_is_tried(hosts: Lab) -> None:
    hosts.child(lambda controller: controller.submit(labs.request()))
    (instance,) = hosts.rows("SELECT request FROM vmwright_instances")
    (host,) = hosts.rows("SELECT id FROM vmwright_hosts WHERE name = 'host1'")
    request = told(instance["request"])
    request["placement"]["forced_host"] = host["id"]
    hosts.execute(f"UPDATE vmwright_instances SET request = '{json.dumps(request)}'")
    ended = hosts.child(broken(labs.resume, execute("spawn", Break.FAIL_AFTER)))
    assert ended.output.split() == ["undone"], ended.output
    assert attempts(hosts) == [("host1", "failed")]
    assert_nothing_left(hosts)


def test_host_is_not_tried_twice_whichever_filters_are_on(hosts: Lab) -> None:
    """What is owed there of the first attempt would be removed from under the second one."""
    careless = SchedulerSettings(enabled_filters=("enabled", "capacity"), weight_multipliers={})
    work = broken(labs.create, execute("spawn", Break.FAIL_AFTER).on_attempts(1, 2))
    child = hosts.fork(work, replace(hosts.settings, scheduler=careless))
    assert hosts.reap(child).output.split() == ["done"]
    assert len({host for host, _ in attempts(hosts)}) == 3
    assert_one_guest(hosts)


def test_volume_that_lies_on_a_host_keeps_its_instance_there(hosts: Lab) -> None:
    """It is the user's: the build may not go on without it."""
    hosts.child(labs.create)
    hosts.child(labs.delete)
    (before,) = hosts.things("volumes")

    def child(controller):
        build = controller.create(labs.request(name="vm2"))
        print(controller.wait(build.id, timeout=60).state)

    ended = hosts.child(broken(child, execute("spawn", Break.FAIL_AFTER)))
    assert ended.output.split() == ["undone"], ended.output
    assert hosts.things("volumes") == [before]
    (instance,) = hosts.rows("SELECT fault FROM vmwright_instances WHERE name = 'vm2'")
    why = told(instance["fault"])
    assert why["task"] == "spawn"
    assert "host2: volume 'kept' is on another host" in why["attempts"][1]["message"]


# What is told while it goes on, and of operations that began before hosts were tried in turn.


def test_graph_shows_the_attempt_that_is_under_way(hosts: Lab) -> None:
    def child(controller):
        def look():
            (build,) = controller.operations()
            graph = controller.graph(build.id)
            for name in TASKS:
                print(name, graph.nodes[name]["attempt"], graph.nodes[name]["state"].value)

        break_task(FAILS_ON_FIRST)
        on_attempt(2, "map_block_devices", look)
        labs.create(controller)

    lines = hosts.child(child).output.splitlines()
    assert "claim_host 2 SUCCESS" in lines
    assert "map_block_devices 2 RUNNING" in lines
    assert "spawn 2 PENDING" in lines


def as_version_1(work: Callable[[Any], None]) -> Callable[[Any], None]:
    """`work` in a process that knows the first version of the create flow only."""

    def child(controller):
        flows.RECIPES = tuple(known for known in flows.RECIPES if known.version == 1)
        work(controller)

    return child


@at_each_task
def test_operation_of_the_version_without_attempts_ends_on_it(hosts: Lab, task: str) -> None:
    killing = execute(task, Break.KILL_AFTER)
    assert hosts.child(as_version_1(broken(labs.create, killing))).killed
    ended = hosts.child(labs.resume)
    assert ended.output.split() == ["done"], ended.output
    assert_one_guest(hosts)
    (operation,) = hosts.rows("SELECT flow_version FROM vmwright_operations")
    assert operation == {"flow_version": 1}
    assert hosts.rows("SELECT * FROM atomdetails WHERE name = 'try_hosts'") == []


def test_operation_of_the_version_without_attempts_is_taken_back_as_it_was(hosts: Lab) -> None:
    killing = execute("spawn", Break.KILL_AFTER)
    assert hosts.child(as_version_1(broken(labs.create, killing))).killed
    ended = hosts.child(broken(labs.resume, execute("spawn", Break.FAIL_BEFORE)))
    assert ended.output.split() == ["undone"], ended.output
    hosts.child(labs.pay)
    assert_nothing_left(hosts)
    assert attempts(hosts) == [("host1", "failed")]
