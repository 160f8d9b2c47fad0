"""A snapshot is whole and known, or gone: whatever dies while it is made."""

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.lab import Lab
from vmwright.backends.simulated.volumes import SimulatedVolumes
from vmwright.controller import Controller
from vmwright.errors import VmwrightError
from vmwright.waiting import Wait


@pytest.fixture
def lab(lab: Lab) -> Lab:
    """The user's volume lies on a host, and no instance has it."""
    lab.child(labs.create)
    ended = lab.child(labs.delete)
    assert ended.output.split() == ["done"], ended.output
    return lab


def snapshot(controller: Controller) -> None:
    try:
        controller.inventory.create_snapshot("saved", "kept", wait=Wait(60))
    except VmwrightError as error:
        print(type(error).__name__)


def stored(lab: Lab) -> list[str]:
    """The snapshots in the world."""
    names = [volume["name"] for volume in lab.things("volumes")]
    return [name for name in names if ".snapshot." in name]


def known(lab: Lab) -> list[str]:
    """The living snapshots of the store."""
    rows = lab.rows("SELECT location FROM vmwright_snapshots WHERE deleted_at IS NULL")
    return [row["location"] for row in rows]


def audit(lab: Lab) -> list[str]:
    """What an audit takes for left over."""
    ended = lab.child(lambda c: print(json.dumps([found["key"] for found in c.audit()])))
    found: list[str] = json.loads(ended.output)
    return found


def pay(lab: Lab) -> str:
    """How many debts remain after a round of paying."""
    return lab.child(lambda controller: print(controller.pay_debts())).output.strip()


def around_the_copy(arrive: Callable[[Controller], None], *, after: bool) -> labs.Any:
    """Make a snapshot in a child in which something happens before or after the copy."""

    def child(controller: Controller) -> None:
        copy = SimulatedVolumes.ensure_copy

        def around(self: SimulatedVolumes, name: str, source: str, wait: Wait) -> None:
            if not after:
                arrive(controller)
            copy(self, name, source, wait)
            if after:
                arrive(controller)

        SimulatedVolumes.ensure_copy = around  # type: ignore[method-assign]
        snapshot(controller)

    return child


def die(_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_snapshot_is_known_and_owes_nothing(lab: Lab) -> None:
    ended = lab.child(snapshot)
    assert ended.output == "", ended.output
    assert stored(lab) == known(lab)
    assert len(known(lab)) == 1
    assert lab.rows("SELECT * FROM vmwright_debts") == []
    assert audit(lab) == []


@pytest.mark.parametrize("after", [False, True], ids=["before-the-copy", "after-the-copy"])
def test_power_cut_leaves_a_debt_that_is_paid_when_it_is_due(lab: Lab, after: bool) -> None:
    assert lab.child(around_the_copy(die, after=after)).killed
    assert len(stored(lab)) == after
    # The host may still be copying: nobody touches it, misses it, or is told that it is owed.
    assert pay(lab) == "0"
    assert audit(lab) == []
    assert len(stored(lab)) == after

    lab.execute("UPDATE vmwright_debts SET not_before = 0")

    assert audit(lab) == stored(lab)
    assert pay(lab) == "0"
    assert stored(lab) == known(lab) == lab.rows("SELECT * FROM vmwright_debts") == []


def test_snapshot_that_came_too_late_is_given_up(lab: Lab) -> None:
    """Its debt is due: somebody may be paying it."""

    def be_late(_: Any) -> None:
        lab.execute("UPDATE vmwright_debts SET not_before = 0")

    ended = lab.child(around_the_copy(be_late, after=True))
    assert ended.output.split() == ["Unavailable"], ended.output
    assert pay(lab) == "0"
    assert stored(lab) == known(lab) == []


def test_snapshot_that_somebody_tried_to_remove_meanwhile_is_given_up(lab: Lab) -> None:
    """Its debt is put off again because the host did not answer, and may still do it."""

    def be_late(_: Any) -> None:
        lab.execute("UPDATE vmwright_debts SET not_before = 0")
        lab.with_faults("ensure_no_volume:1:lost").child(lambda controller: controller.pay_debts())
        lab.execute("UPDATE vmwright_debts SET not_before = not_before + 3600")

    ended = lab.child(around_the_copy(be_late, after=True))
    assert ended.output.split() == ["Unavailable"], ended.output
    assert known(lab) == []


@pytest.mark.parametrize("after", [False, True], ids=["before-the-copy", "after-the-copy"])
def test_snapshot_of_a_volume_that_is_taken_meanwhile_is_given_up(lab: Lab, after: bool) -> None:
    def take(controller: Controller) -> None:
        build = controller.create(labs.request(name="vm2"))
        assert controller.wait(build.id, timeout=60).state == "done"

    ended = lab.child(around_the_copy(take, after=after))
    assert ended.output.split() == ["Conflict"], ended.output
    assert pay(lab) == "0"
    assert stored(lab) == known(lab) == []


def test_snapshot_of_a_volume_that_was_taken_and_given_back_meanwhile_is_given_up(
    lab: Lab,
) -> None:
    """Nobody has it any more, and still it was written while it was copied."""

    def take_and_give_back(controller: Controller) -> None:
        build = controller.create(labs.request(name="vm2"))
        assert controller.wait(build.id, timeout=60).state == "done"
        controller.wait(controller.delete("vm2").id, timeout=60)

    ended = lab.child(around_the_copy(take_and_give_back, after=False))
    assert ended.output.split() == ["Conflict"], ended.output
    assert pay(lab) == "0"
    assert stored(lab) == known(lab) == []


def test_snapshot_of_a_volume_that_is_deleted_meanwhile_is_given_up(lab: Lab) -> None:
    ended = lab.child(
        around_the_copy(lambda controller: controller.inventory.delete_volume("kept"), after=True)
    )
    assert ended.output.split() == ["NotFound"], ended.output
    assert pay(lab) == "0"
    assert lab.things("volumes") == []
    assert known(lab) == []


@pytest.mark.parametrize(
    ("fault", "error"), [("before", "HostFault"), ("after", "HostFault"), ("lost", "Unavailable")]
)
def test_snapshot_that_its_host_does_not_make_is_given_up(lab: Lab, fault: str, error: str) -> None:
    ended = lab.with_faults(f"ensure_copy:1:{fault}").child(snapshot)
    assert ended.output.split() == [error], ended.output
    assert pay(lab) == "0"
    assert stored(lab) == known(lab) == lab.rows("SELECT * FROM vmwright_debts") == []


def test_copy_that_lands_after_it_was_given_up_is_removed(lab: Lab) -> None:
    ended = lab.with_faults("ensure_copy:1:late:0.2").child(snapshot)
    assert ended.output.split() == ["Unavailable"], ended.output
    assert pay(lab) == "0"
    assert stored(lab) == known(lab) == lab.rows("SELECT * FROM vmwright_debts") == []
