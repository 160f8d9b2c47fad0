"""A controller that was stopped past its lease has lost its claim: it changes nothing any more.

It stops itself with SIGSTOP, another process takes over and comes to an end, then it goes on. Rows
and worlds are compared by an outsider.
"""

from dataclasses import replace

import pytest

from tests.support import lab as labs
from tests.support.breaking import Break, broken, execute, names
from tests.support.lab import Lab
from tests.support.oracle import (
    assert_nothing_left,
    assert_one_guest,
    assert_only_the_users_volume_is_left,
)
from tests.support.stopping import NeverCame, Stop, stopped
from vmwright.states import Direction
from vmwright.testing.points import Moment

OUTSIDE = {
    "create": ["plug_network", "map_block_devices", "spawn"],
    "delete": ["destroy_guest", "unplug_network", "release_block_devices"],
}
"""The tasks that change something outside. The others are stopped once they have begun."""

ENDING = {
    ("create", Direction.EXECUTE): {"mark_active"},
    ("create", Direction.REVERT): {"check_image_size", "check_not_created"},
    ("delete", Direction.EXECUTE): {"mark_deleted"},
}
"""The tasks whose beginning is committed together with the end of the run: nobody can take it over
in between."""

MANY_HOURS = 86400.0


def stops(kind: str, direction: Direction) -> list[Stop]:
    """Before, in and after the call of each task; each task of the store after its transaction."""
    assert set(OUTSIDE[kind]) < set(names(kind))
    within = [Stop(task, direction, moment) for task in OUTSIDE[kind] for moment in (*Moment, None)]
    left = set(names(kind)) - set(OUTSIDE[kind]) - ENDING[kind, direction]
    return within + [Stop(task, direction, None) for task in names(kind) if task in left]


def at(stops: list[Stop], *, quick: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """Each of these; those that are not quick in make test-all only."""
    marked = [
        pytest.param(stop, id=str(stop), marks=() if str(stop) in quick else pytest.mark.slow)
        for stop in stops
    ]
    assert {str(stop) for stop in stops} >= set(quick)
    return pytest.mark.parametrize("stop", marked)


def patient(lab: Lab) -> Lab:
    """What a lost call may have made is looked for again much later."""
    return replace(lab, late_effect=MANY_HOURS)


def failing(controller) -> None:
    """Everything is taken back."""
    refusal = execute("mark_active", Break.FAIL_BEFORE).refusing()
    broken(labs.create, refusal)(controller)


def lose(lab: Lab, work, stop: Stop, successor, *, ends: str) -> None:
    """Have the work stopped there and done by somebody else; let it go on, and see that it
    changes nothing but by the call that it was stopped in."""
    with stopped(lab, work, stop) as sleeper:
        other = lab.child(successor)
        assert other.output.split()[-1] == ends, other.output
        rows, world = lab.all_rows(), lab.world()
        assert told(rows["vmwright_events"], "owner") == ["taken_over"]
        woken = sleeper.wake()
    assert woken.status == 0, woken.output
    assert "is not ours any more" in woken.output
    assert lab.all_rows() == rows
    if stop.moment is not Moment.IN:
        assert lab.world() == world
    settle(lab)


def told(events, kind: str) -> list[str]:
    return [event["state"] for event in events if event["kind"] == kind]


def settle(lab: Lab) -> None:
    """As if the hours had passed after which a lost call is looked for again."""
    lab.execute("UPDATE vmwright_debts SET not_before = 0")
    ended = lab.child(labs.pay)
    assert ended.status == 0, ended.output


@at(
    stops("create", Direction.EXECUTE),
    quick=("plug_network-execute-in", "spawn-execute-before", "claim_host-execute-begun"),
)
def test_build_that_another_one_finishes(lab: Lab, stop: Stop) -> None:
    lose(patient(lab), labs.create, stop, labs.resume, ends="done")
    assert_one_guest(lab)


@at(
    stops("create", Direction.EXECUTE),
    quick=("map_block_devices-execute-in", "spawn-execute-in", "spawn-execute-after"),
)
def test_build_whose_instance_another_one_deletes(lab: Lab, stop: Stop) -> None:
    lose(patient(lab), labs.create, stop, labs.delete, ends="done")
    assert_gone(lab)


@at(
    stops("create", Direction.REVERT),
    quick=("spawn-revert-in", "map_block_devices-revert-before", "allocate_network-revert-begun"),
)
def test_undo_that_another_one_finishes(lab: Lab, stop: Stop) -> None:
    lose(patient(lab), failing, stop, labs.resume, ends="undone")
    assert_nothing_left(lab)


@at(
    stops("delete", Direction.EXECUTE),
    quick=("destroy_guest-execute-in", "release_block_devices-execute-after"),
)
def test_delete_that_another_one_finishes(lab: Lab, stop: Stop) -> None:
    ended = lab.child(labs.create)
    assert ended.output.split() == ["done"], ended.output
    lose(patient(lab), labs.delete, stop, labs.resume, ends="done")
    assert_only_the_users_volume_is_left(lab)


@pytest.mark.slow
@pytest.mark.parametrize("task", OUTSIDE["create"])
@pytest.mark.parametrize("moment", list(Moment))
def test_every_single_call_of_a_task(tmp_path, prepared, task: str, moment: Moment) -> None:
    """The second call, the third, ...: none is made any more once the claim is lost."""
    for call in range(2, 100):
        lab = patient(labs.copy_of(prepared, tmp_path / str(call)))
        try:
            stop = Stop(task, Direction.EXECUTE, moment, call)
            lose(lab, labs.create, stop, labs.delete, ends="done")
        except NeverCame:
            assert call > 2
            return
        assert_gone(lab)


def test_call_that_lands_after_everything_was_taken_back_is_made_good(lab: Lab) -> None:
    """It is in the world, and owed; nothing else can know of it."""
    late = patient(lab)
    with stopped(late, labs.create, Stop("spawn", Direction.EXECUTE, Moment.IN, 2)) as sleeper:
        assert late.child(labs.delete).output.split()[-1] == "done"
        assert lab.world() == {}
        woken = sleeper.wake()
    assert woken.status == 0, woken.output
    (volume,) = lab.things("volumes")
    owed = lab.rows("SELECT key, reason FROM vmwright_debts WHERE kind = 'volume'")
    assert {"key": volume["name"], "reason": "late effect"} in owed
    settle(lab)
    assert_gone(lab)


def assert_gone(lab: Lab) -> None:
    """The instance was deleted before its build had ended."""
    assert_nothing_left(lab, vm_state="deleted")
