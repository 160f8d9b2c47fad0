"""Whatever comes between while a build goes on to another host: one guest, or no trace of it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.attempts import (
    FAILS_ON_FIRST,
    OUTSIDE,
    TASKS,
    assert_one_guest_after_debts,
    attempts,
    between_attempts,
    owing,
    pay_now,
    until,
)
from tests.support.breaking import (
    Break,
    break_task,
    broken,
    die,
    execute,
    meet,
    revert,
)
from tests.support.lab import Lab
from tests.support.oracle import LOCAL_DISKS, assert_nothing_left, assert_one_guest, fault, told
from tests.unwind.test_create_instance import LAST
from tests.unwind.test_delete_instance import assert_everything_is_gone
from vmwright.states import Direction
from vmwright.tasks.try_hosts import TryHosts

at_each_task = pytest.mark.parametrize("task", TASKS)


# The power is cut.


@at_each_task
@pytest.mark.parametrize("how", [Break.KILL_BEFORE, Break.KILL_AFTER])
def test_power_cut_while_an_attempt_is_undone(hosts: Lab, task: str, how: Break) -> None:
    assert hosts.child(broken(labs.create, FAILS_ON_FIRST, revert(task, how))).killed
    (operation,) = hosts.rows("SELECT state, error FROM vmwright_operations")
    assert operation == {"state": "running", "error": None}
    assert_goes_on_elsewhere(hosts)


@at_each_task
@pytest.mark.parametrize("how", [Break.KILL_BEFORE, Break.KILL_AFTER])
def test_power_cut_in_the_second_attempt(hosts: Lab, task: str, how: Break) -> None:
    assert hosts.child(
        broken(labs.create, FAILS_ON_FIRST, execute(task, how).on_attempts(2))
    ).killed
    assert_goes_on_elsewhere(hosts)


@at_each_task
def test_power_cut_while_the_last_attempt_is_undone(hosts: Lab, task: str) -> None:
    failing = execute("spawn", Break.FAIL_AFTER)
    last = revert(task, Break.KILL_AFTER).on_attempts(3)
    assert hosts.child(broken(labs.create, failing, last)).killed
    ended = hosts.child(labs.resume)
    assert ended.output.split() == ["undone"], ended.output
    hosts.child(labs.pay)
    assert_nothing_left(hosts)
    assert attempts(hosts) == [(f"host{number}", "failed") for number in (1, 2, 3)]
    assert [known["task"] for known in fault(hosts)["attempts"]] == ["spawn"] * 3


@pytest.mark.parametrize("method", ["execute", "on_failure"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_power_cut_in_the_decision_itself(hosts: Lab, method: str, moment: str) -> None:
    """Nothing of it was written: it is asked again."""
    decide = getattr(TryHosts, method)

    def deciding(self: TryHosts, history: Any, **arguments: Any) -> Any:
        if moment == "after":
            decide(self, history=history, **arguments)
        return die() if len(history) else decide(self, history=history, **arguments)

    def child(controller):
        setattr(TryHosts, method, deciding)
        broken(labs.create, FAILS_ON_FIRST)(controller)

    assert hosts.child(child).killed
    ended = hosts.child(broken(labs.resume, FAILS_ON_FIRST))
    assert ended.output.split() == ["done"], ended.output
    assert_one_guest_after_debts(hosts)


def test_power_cut_in_every_attempt_and_every_undo(hosts: Lab) -> None:
    """Each process comes one step further, and is killed."""
    failing = execute("spawn", Break.FAIL_AFTER).on_attempts(1, 2)
    assert hosts.child(broken(labs.create, execute("spawn", Break.KILL_AFTER))).killed
    for breakage in (
        revert("map_block_devices", Break.KILL_AFTER).on_attempts(1),
        execute("plug_network", Break.KILL_AFTER).on_attempts(2),
        revert("claim_host", Break.KILL_BEFORE).on_attempts(2),
        execute("spawn", Break.KILL_AFTER).on_attempts(3),
    ):
        assert hosts.child(broken(labs.resume, failing, breakage)).killed
    ended = hosts.child(broken(labs.resume, failing))
    assert ended.output.split() == ["done"], ended.output
    assert_one_guest_after_debts(hosts)
    assert attempts(hosts) == [("host1", "failed"), ("host2", "failed"), ("host3", "done")]


def assert_goes_on_elsewhere(hosts: Lab) -> None:
    """Another process sees it through, and nothing is left of the first attempt."""
    ended = hosts.child(labs.resume)
    assert ended.output.split() == ["done"], ended.output
    assert_one_guest_after_debts(hosts)
    assert attempts(hosts) == [("host1", "failed"), ("host2", "done")]
    assert hosts.secrets_in_clear() == []


# Somebody wants it taken back.


@pytest.mark.parametrize("task", [*OUTSIDE, "try_hosts"])
@pytest.mark.parametrize("verb", ["cancel", "delete"])
def test_cancel_or_delete_while_an_attempt_is_undone(hosts: Lab, task: str, verb: str) -> None:
    """It arrives in the undo of this task, or between two attempts: there is no second one."""

    def child(controller):
        deletes = []

        def arrive():
            (build,) = controller.operations()[:1]
            if verb == "cancel":
                controller.cancel(build.id)
            elif not deletes:
                deletes.append(controller.delete("vm1").id)

        break_task(FAILS_ON_FIRST)
        if task == "try_hosts":
            between_attempts(arrive)
        else:
            meet(task, Direction.REVERT, arrive, after=False)
        build = controller.create(labs.request())
        print(controller.wait(build.id, timeout=60).state)
        if verb == "delete":
            print(controller.wait(deletes[0], timeout=60).state)

    ended = hosts.child(child)
    if verb == "cancel":
        assert ended.output.split() == ["cancelled"], ended.output
        assert_nothing_left(hosts)
    else:
        assert ended.output.split() == ["cancelled", "done"], ended.output
        assert_everything_is_gone(hosts)
    assert attempts(hosts) == [("host1", "failed"), (None, "cancelled")]


# Hosts that go away, and calls that land late.


@pytest.mark.parametrize("verb", ["ensure_network", "ensure_reservation", "ensure_running"])
def test_host_that_is_gone_owes_and_the_build_goes_on_elsewhere(hosts: Lab, verb: str) -> None:
    down = hosts.home / "world" / "hosts" / "host1" / "down"
    ended = replace(hosts, faults=(f"{verb}@host1:1:down",)).child(labs.create)
    assert ended.output.split() == ["done"], ended.output
    assert attempts(hosts) == [("host1", "failed"), ("host2", "done")]
    assert owing(hosts) == {("host1", "host away")}
    (guest,) = (hosts.home / "world").glob("hosts/host2/domains/*.json")
    assert json.loads(guest.read_text())["state"] == "running"
    down.unlink()
    pay_now(hosts)
    assert_one_guest(hosts)


def test_audit_sees_what_an_attempt_left_that_nobody_owes_any_more(hosts: Lab) -> None:
    """The guest itself runs elsewhere, and nothing of it is left over."""
    assert replace(hosts, faults=("ensure_running@host1:1:down",)).child(labs.create).status == 0
    hosts.execute("DELETE FROM vmwright_debts")
    (hosts.home / "world" / "hosts" / "host1" / "down").unlink()

    def child(controller):
        for leftover in controller.audit():
            print(leftover["host"], leftover["kind"], leftover["why"], sep="|")

    why = "attempt 1 of its build made it, and was given up"
    kinds = ["domain", *["reservation"] * 2, *["volume"] * (len(LOCAL_DISKS) + 3)]
    assert sorted(hosts.child(child).output.splitlines()) == [
        f"host1|{kind}|{why}" for kind in kinds
    ]


def test_call_of_one_attempt_that_may_still_land_is_no_matter_of_the_next(hosts: Lab) -> None:
    """The first host never says what became of a volume: it owes, and nobody else does."""
    silent = replace(hosts, faults=("ensure_volume@host1:1+:lost",), late_effect=3600.0)
    ended = silent.child(broken(labs.create, execute(LAST, Break.FAIL_BEFORE)))
    assert ended.output.split() == ["undone"], ended.output
    assert attempts(hosts) == [("host1", "failed"), ("host2", "failed")]
    assert owing(hosts) == {("host1", "late effect")}
    pay_now(hosts)
    assert_nothing_left(hosts)


def test_call_of_the_first_attempt_lands_after_a_power_cut_and_is_removed(hosts: Lab) -> None:
    late = replace(hosts, faults=("ensure_volume@host1:1:late:1",))
    jobs = hosts.home / "world" / "hosts" / "host1" / "jobs"

    def cut_off(controller):
        controller.create(labs.request())
        until(lambda: list(jobs.glob("*")) != [])
        die()

    assert late.child(cut_off).killed
    failing = execute("map_block_devices", Break.FAIL_BEFORE).on_attempts(1)
    ended = hosts.child(broken(labs.resume, failing))
    assert ended.output.split() == ["done"], ended.output
    assert list(jobs.glob("*")) == []
    assert attempts(hosts) == [("host1", "failed"), ("host2", "done")]
    assert_one_guest_after_debts(hosts)


# Undos that fail.


@at_each_task
def test_undo_of_an_attempt_that_fails_once_is_tried_again(hosts: Lab, task: str) -> None:
    ended = hosts.child(broken(labs.create, FAILS_ON_FIRST, revert(task, Break.FAIL_ONCE)))
    assert ended.output.split() == ["done"], ended.output
    assert_one_guest(hosts)
    assert attempts(hosts) == [("host1", "failed"), ("host2", "done")]


def test_undo_of_each_attempt_has_tries_of_its_own(hosts: Lab) -> None:
    failing = (
        execute("spawn", Break.FAIL_AFTER).on_attempts(1, 2),
        revert("plug_network", Break.FAIL_ONCE).on_attempts(1),
        revert("map_block_devices", Break.FAIL_ONCE).on_attempts(2),
    )
    ended = replace(hosts, undo_tries=2).child(broken(labs.create, *failing))
    assert ended.output.split() == ["done"], ended.output
    assert_one_guest(hosts)


def stuck_in_the_first_attempt(hosts: Lab, task: str) -> str:
    """The operation, whose undo of `task` keeps failing."""
    failing = revert(task, Break.FAIL_BEFORE).on_attempts(1)
    ended = replace(hosts, undo_tries=2).child(broken(labs.create, FAILS_ON_FIRST, failing))
    assert ended.output.split() == ["stuck"], ended.output
    (operation,) = hosts.rows("SELECT id, error FROM vmwright_operations")
    assert told(operation["error"])["blocked"]["task"] == task
    why = fault(hosts)
    assert (why["task"], why["host"], why["blocked"]["task"]) == ("spawn", "host1", task)
    return str(operation["id"])


@at_each_task
def test_stuck_undo_of_an_attempt_is_retried_and_the_build_goes_on(hosts: Lab, task: str) -> None:
    operation = stuck_in_the_first_attempt(hosts, task)

    def retry(controller):
        controller.retry(operation)
        print(controller.wait(operation, timeout=60).state)

    ended = hosts.child(retry)
    assert ended.output.split() == ["done"], ended.output
    assert_one_guest(hosts)
    assert attempts(hosts) == [("host1", "failed"), ("host2", "done")]
    (row,) = hosts.rows("SELECT error, undo_tries FROM vmwright_operations")
    assert row == {"error": None, "undo_tries": 0}


@at_each_task
def test_delete_of_a_build_that_is_stuck_in_an_attempt(hosts: Lab, task: str) -> None:
    stuck_in_the_first_attempt(hosts, task)
    ended = hosts.child(labs.delete)
    assert ended.output.split() == ["done"], ended.output
    assert_everything_is_gone(hosts)


def test_users_volume_of_a_build_that_was_stuck_and_deleted_can_be_used_again(hosts: Lab) -> None:
    """Its undo had removed what it had made of the volume, and could not say so."""
    failing = revert("map_block_devices", Break.FAIL_AFTER)
    spawning = execute("spawn", Break.FAIL_AFTER).refusing()
    ended = replace(hosts, undo_tries=1).child(broken(labs.create, spawning, failing))
    assert ended.output.split() == ["stuck"], ended.output
    assert hosts.child(labs.delete).output.split() == ["done"]
    assert_everything_is_gone(hosts)

    def again(controller):
        print(controller.wait(controller.create(labs.request(name="vm2")).id, timeout=60).state)

    ended = hosts.child(again)
    assert ended.output.split() == ["done"], ended.output
