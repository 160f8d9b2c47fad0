"""What cannot be undone is given up by somebody who says why: it is owed, and never said undone."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.breaking import Break, broken, execute, names, revert
from tests.support.lab import Lab
from tests.support.oracle import (
    assert_nothing_held,
    assert_nothing_left,
    assert_one_guest,
    assert_only_the_users_volume_is_left,
    fault,
    instances,
    told,
)
from vmwright.errors import Conflict, Forbidden, InvalidRequest, NotFound

WHY = "the disk of host1 is broken"
OUTSIDE = ["spawn", pytest.param("map_block_devices", marks=pytest.mark.slow), "plug_network"]
IN_STORE = ["allocate_network", pytest.param("claim_host", marks=pytest.mark.slow)]
REMOVING = [
    "destroy_guest",
    pytest.param("unplug_network", marks=pytest.mark.slow),
    pytest.param("release_block_devices", marks=pytest.mark.slow),
]
WITH_VOLUMES = {"spawn": "map_block_devices", "destroy_guest": "release_block_devices"}
FAILS = execute("mark_active", Break.FAIL_BEFORE).refusing()


OFTEN = {("map_block_devices", True), ("allocate_network", False), ("spawn", False)}
PARKED = [
    pytest.param(
        task,
        how,
        known,
        marks=() if how is Break.KILL_AFTER and (task, known) in OFTEN else pytest.mark.slow,
    )
    for task in names("create")
    for how in (Break.KILL_BEFORE, Break.KILL_AFTER)
    for known in (True, False)
]


def stuck(lab: Lab, task: str) -> str:
    """A build, the operation, whose undo of this task keeps failing."""
    work = broken(labs.create, FAILS, revert(task, Break.FAIL_BEFORE))
    ended = replace(lab, undo_tries=1).child(work)
    assert ended.output.split() == ["stuck"], ended.output
    return operation(lab, "create")["id"]


def stuck_delete(lab: Lab, task: str) -> str:
    assert lab.child(labs.create).output.split() == ["done"]
    work = broken(labs.delete, execute(task, Break.FAIL_BEFORE))
    ended = replace(lab, undo_tries=1).child(work)
    assert ended.output.split() == ["stuck"], ended.output
    return operation(lab, "delete")["id"]


def operation(lab: Lab, kind: str) -> dict[str, Any]:
    found = lab.rows("SELECT * FROM vmwright_operations WHERE kind = ? ORDER BY seq", kind)
    return found[-1]


def skip(lab: Lab, stuck: str, task: str) -> str:
    def child(controller):
        controller.skip(stuck, task, WHY)
        # What is owed must not be paid before the test has looked.
        print(controller.wait(stuck, timeout=60).state)

    ended = replace(lab, reconcile_interval=3600.0).child(child)
    return ended.output.strip()


def skip_all(lab: Lab, found: str, task: str) -> str:
    """Also what is stuck for the same reason: a guest that is still there uses its volumes."""
    ended = skip(lab, found, task)
    if task in WITH_VOLUMES:
        assert ended == "stuck"
        (row,) = lab.rows("SELECT error FROM vmwright_operations WHERE id = ?", found)
        assert told(row["error"])["blocked"]["task"] == WITH_VOLUMES[task]
        ended = skip(lab, found, WITH_VOLUMES[task])
    return ended


def abandon(lab: Lab, standing: str) -> str:
    ended = lab.child(lambda controller: print(controller.abandon(standing, WHY).state))
    return ended.output.strip()


def flow_states(lab: Lab, detail: str) -> tuple[str, dict[str, str]]:
    (flow,) = lab.rows("SELECT state FROM flowdetails WHERE uuid = ?", detail)
    atoms = lab.rows("SELECT name, state FROM atomdetails WHERE parent_uuid = ?", detail)
    return flow["state"], {atom["name"]: atom["state"] for atom in atoms}


def owed(lab: Lab) -> set[str]:
    rows = lab.rows("SELECT kind, reason FROM vmwright_debts")
    assert {row["reason"] for row in rows} <= {"given up"}
    return {row["kind"] for row in rows}


def words(lab: Lab) -> list[dict[str, Any]]:
    """What the events say of tasks that were given up."""
    rows = lab.rows("SELECT task, detail FROM vmwright_events WHERE kind = 'skip' ORDER BY seq")
    return [told(row["detail"]) | {"task": row["task"]} for row in rows]


@pytest.mark.parametrize("task", OUTSIDE)
def test_skipped_undo_is_owed_and_the_others_go_on(lab: Lab, task: str) -> None:
    found = stuck(lab, task)
    assert skip_all(lab, found, task) == "undone"
    row = operation(lab, "create")
    flow, atoms = flow_states(lab, row["flow_detail_id"])
    skipped = {task, WITH_VOLUMES.get(task, task)}
    assert flow == "SUSPENDED"
    assert {atoms.pop(name) for name in skipped} == {"IGNORE"}
    assert set(atoms.values()) == {"REVERTED"}
    assert (
        owed(lab)
        == {
            "spawn": {"domain", "volume"},
            "map_block_devices": {"volume"},
            "plug_network": {"reservation"},
        }[task]
    )
    said = words(lab)
    assert {word["task"] for word in said} == skipped
    assert {(word["by"], word["why"]) for word in said} == {("admin", WHY)}
    owing = [thing for word in said for thing in word["owed"]]
    assert len(owing) == len(fault(lab)["owed"]) == len(lab.rows("SELECT * FROM vmwright_debts"))
    # Its host lets go at last.
    assert lab.child(labs.pay).status == 0
    assert lab.world() == {}
    assert_nothing_held(lab)


@pytest.mark.parametrize("task", [pytest.param("spawn", marks=pytest.mark.slow), "plug_network"])
def test_addresses_stay_with_what_may_still_use_them(lab: Lab, task: str) -> None:
    """Nobody is given the address of a guest that nobody could remove, until it is gone."""
    before = skip_and_look(lab, task)

    def wish(controller):
        with pytest.raises(Conflict, match="in use"):
            controller.submit(labs.request(name="vm2", networks=[{"port": "mine"}], volumes=[]))
        print(controller.wait(controller.create(plain("vm3")).id, timeout=60).state)

    ended = replace(lab, reconcile_interval=3600.0).child(wish)
    assert ended.output.split() == ["done"], ended.output
    taken = lab.rows("SELECT ip FROM vmwright_ports")
    assert len({row["ip"] for row in taken}) == len(taken) == len(before) + 1
    assert lab.child(labs.pay).status == 0
    left = lab.rows("SELECT ip, instance_id FROM vmwright_ports ORDER BY ip")
    assert [row["ip"] for row in left if row["instance_id"] is None] == ["10.1.0.77"]
    assert len(left) == 2


def skip_and_look(lab: Lab, task: str) -> set[str]:
    assert skip_all(lab, stuck(lab, task), task) == "undone"
    held = lab.rows("SELECT ip, instance_id FROM vmwright_ports")
    assert all(row["instance_id"] for row in held)
    return {row["ip"] for row in held}


def plain(name: str) -> Any:
    return labs.request(name=name, volumes=[], user_data=None)


def test_room_stays_with_a_guest_that_could_not_be_removed(lab: Lab) -> None:
    assert skip_all(lab, stuck(lab, "spawn"), "spawn") == "undone"
    assert len(lab.rows("SELECT seq FROM vmwright_claims")) == 1
    assert lab.child(labs.pay).status == 0
    assert lab.rows("SELECT seq FROM vmwright_claims") == []


def test_repair_leaves_what_a_guest_that_could_not_be_removed_may_still_use(lab: Lab) -> None:
    assert skip_all(lab, stuck(lab, "spawn"), "spawn") == "undone"
    kept = [lab.rows(f"SELECT * FROM vmwright_{table}") for table in ("claims", "ports")]
    stubborn = lab.with_faults("ensure_no_domain:1+:refuse")
    ended = stubborn.child(lambda c: print(*(one["outcome"] for one in c.upkeep.repair())))
    assert set(ended.output.split()) <= {"owed", "left"}
    assert [lab.rows(f"SELECT * FROM vmwright_{table}") for table in ("claims", "ports")] == kept


def test_what_was_kept_goes_at_the_end_if_its_debts_were_paid_before(lab: Lab) -> None:
    """The debts were there when addresses and room were to go, and not when all was over."""
    failing = (FAILS, revert("plug_network", Break.FAIL_BEFORE))
    late = revert("check_not_created", Break.FAIL_BEFORE)
    stubborn = replace(lab, undo_tries=1, reconcile_interval=3600.0)
    assert stubborn.child(broken(labs.create, *failing)).output.split() == ["stuck"]
    found = operation(lab, "create")["id"]

    def child(controller):
        controller.skip(found, "plug_network", WHY)
        print(controller.wait(found, timeout=60).state)

    assert stubborn.child(broken(child, late)).output.split() == ["stuck"]
    held = "SELECT seq FROM vmwright_ports WHERE instance_id IS NOT NULL"
    assert len(lab.rows(held)) == 2
    assert lab.child(labs.pay).status == 0
    assert len(lab.rows(held)) == 2
    retry = lambda c: print(c.wait(c.retry(found).id, timeout=60).state)  # noqa: E731
    assert lab.child(retry).output.split() == ["undone"]
    assert_everything_was_given_back(lab)


def test_volume_that_is_owed_holds_neither_room_nor_addresses(lab: Lab) -> None:
    assert skip(lab, stuck(lab, "map_block_devices"), "map_block_devices") == "undone"
    assert lab.rows("SELECT seq FROM vmwright_claims") == []
    assert {row["instance_id"] for row in lab.rows("SELECT * FROM vmwright_ports")} == {None}


@pytest.mark.parametrize("task", IN_STORE)
def test_task_of_the_store_is_done_and_said_to_be(lab: Lab, task: str) -> None:
    found = stuck(lab, task)
    assert skip(lab, found, task) == "undone"
    flow, atoms = flow_states(lab, operation(lab, "create")["flow_detail_id"])
    assert (flow, set(atoms.values())) == ("REVERTED", {"REVERTED"})
    assert_nothing_left(lab)


def test_skip_in_an_attempt_lets_the_build_go_on_elsewhere(hosts: Lab) -> None:
    failing = (
        execute("spawn", Break.FAIL_AFTER).on_attempts(1),
        revert("spawn", Break.FAIL_BEFORE).on_attempts(1),
    )
    ended = replace(hosts, undo_tries=1).child(broken(labs.create, *failing))
    assert ended.output.split() == ["stuck"], ended.output
    assert skip_all(hosts, operation(hosts, "create")["id"], "spawn") == "done"
    claims = hosts.rows("SELECT attempt FROM vmwright_claims ORDER BY attempt")
    assert [row["attempt"] for row in claims] == [1, 2]
    assert hosts.child(labs.pay).status == 0
    assert_one_guest(hosts)


@pytest.mark.parametrize("task", REMOVING)
def test_skipped_removal_of_a_delete_is_owed_and_the_instance_is_deleted(
    lab: Lab, task: str
) -> None:
    found = stuck_delete(lab, task)
    assert skip_all(lab, found, task) == "done"
    _, atoms = flow_states(lab, operation(lab, "delete")["flow_detail_id"])
    skipped = {task, WITH_VOLUMES.get(task, task)}
    assert {atoms.pop(name) for name in skipped} == {"IGNORE"}
    assert set(atoms.values()) == {"SUCCESS"}
    assert owed(lab) != set()
    held = [row["instance_id"] for row in lab.rows("SELECT instance_id FROM vmwright_ports")]
    assert all(held) == (task != "release_block_devices")
    assert len(lab.rows("SELECT seq FROM vmwright_claims")) == (task == "destroy_guest")
    assert lab.child(labs.pay).status == 0
    assert_gone_but_for_the_word(lab)


def assert_gone_but_for_the_word(lab: Lab) -> None:
    assert_nothing_held(lab)
    (kept,) = lab.rows("SELECT location FROM vmwright_volumes WHERE deleted_at IS NULL")
    found = [kept["location"]] if kept["location"] else []
    assert [volume["name"] for volume in lab.things("volumes")] == found
    assert lab.things("domains") == lab.things("reservations") == []
    assert [row["vm_state"] for row in instances(lab)] == ["deleted"]


@pytest.mark.parametrize(
    "task", ["locate_guest", pytest.param("mark_deleted", marks=pytest.mark.slow)]
)
def test_store_task_of_a_delete_is_done_when_it_is_skipped(lab: Lab, task: str) -> None:
    assert skip(lab, stuck_delete(lab, task), task) == "done"
    assert_only_the_users_volume_is_left(lab)


@pytest.mark.parametrize(
    "task",
    [
        "map_block_devices",
        pytest.param("spawn", marks=pytest.mark.slow),
        pytest.param("allocate_network", marks=pytest.mark.slow),
    ],
)
def test_abandoned_build_owes_all_that_is_left_of_it(lab: Lab, task: str) -> None:
    found = stuck(lab, task)
    world = lab.world()
    assert abandon(lab, found) == "undone"
    assert lab.world() == world
    row = operation(lab, "create")
    flow, atoms = flow_states(lab, row["flow_detail_id"])
    assert (flow, atoms[task]) == ("SUSPENDED", "REVERTING")
    why = fault(lab)
    assert (why["abandoned"], why["task"]) == ({"by": "admin", "why": WHY}, "mark_active")
    assert len(why["owed"]) == len(lab.rows("SELECT seq FROM vmwright_debts"))
    (instance,) = instances(lab)
    assert (instance["vm_state"], instance["operation_id"]) == ("error", None)
    assert lab.child(labs.pay).status == 0
    assert lab.world() == {}
    assert_nothing_held(lab)
    # Nothing of it comes back.
    assert lab.child(labs.resume).output == ""


@pytest.mark.parametrize(("task", "how", "known"), PARKED)
def test_abandoned_parked_build_leaves_nothing_once_its_debts_are_paid(
    lab: Lab, task: str, how: Break, known: bool
) -> None:
    """Killed in this task, and parked: what it made is found by its own tasks, and, where its
    flow is not known, by what any version of a build makes."""
    assert lab.child(broken(labs.create, execute(task, how))).killed
    lab.execute("UPDATE vmwright_operations SET flow_version = flow_version + 97")
    assert lab.child(labs.resume).output.split()[-1] == "parked"
    if known:
        lab.execute("UPDATE vmwright_operations SET flow_version = flow_version - 97")
    assert abandon(lab, operation(lab, "create")["id"]) == "undone"
    assert lab.child(labs.pay).status == 0
    assert_everything_was_given_back(lab)


def assert_everything_was_given_back(lab: Lab) -> None:
    assert lab.world() == {}
    assert_nothing_held(lab)
    rows = lab.rows("SELECT name, location FROM vmwright_volumes WHERE deleted_at IS NULL")
    assert rows == [{"name": "kept", "location": None}]


@pytest.mark.parametrize(
    "task", ["destroy_guest", pytest.param("mark_deleted", marks=pytest.mark.slow)]
)
def test_abandoned_delete_leaves_an_instance_that_can_be_deleted_again(lab: Lab, task: str) -> None:
    found = stuck_delete(lab, task)
    assert abandon(lab, found) == "undone"
    (instance,) = instances(lab)
    assert (instance["vm_state"], instance["task_state"]) == ("error", None)
    assert told(instance["fault"])["abandoned"]["why"] == WHY
    ended = lab.child(labs.delete)
    assert ended.output.split() == ["done"], ended.output
    lab.child(labs.pay)
    assert_gone_but_for_the_word(lab)


def test_abandoned_build_ends_although_its_store_half_fails(lab: Lab) -> None:
    found = stuck(lab, "plug_network")
    failing = revert("allocate_network", Break.FAIL_BEFORE)
    ended = lab.child(broken(lambda c: print(c.abandon(found, WHY).state), failing))
    assert ended.output.split()[-1] == "undone", ended.output
    (left,) = lab.rows("SELECT task, error FROM vmwright_events WHERE state = 'left'")
    assert (left["task"], told(left["error"])["code"]) == ("allocate_network", "Injected")
    assert lab.child(labs.pay).status == 0
    assert_everything_was_given_back(lab)


def test_waiting_delete_begins_once_the_build_before_it_was_abandoned(lab: Lab) -> None:
    found = stuck(lab, "spawn")

    def child(controller):
        controller.abandon(found, WHY)
        print(controller.wait(controller.delete("vm1").id, timeout=60).state)

    assert lab.child(child).output.split() == ["done"]
    lab.child(labs.pay)
    assert_gone_but_for_the_word(lab)


def test_what_is_held_is_shown_with_its_task_host_and_reason(lab: Lab) -> None:
    found = stuck(lab, "map_block_devices")

    def child(controller):
        shown = controller.describe_operation(controller.operation(found))
        assert shown["error"]["blocked"]["task"] == "map_block_devices"
        assert "injected" in shown["error"]["blocked"]["message"]
        assert shown["undo_tries"] == 1
        held = {remnant["task"]: remnant for remnant in shown["held"]}
        assert next(iter(held)) == "map_block_devices"
        assert held["map_block_devices"]["host"] == "host1"
        assert all(remnant["since"] for remnant in held.values())
        print(*sorted(held["map_block_devices"]["things"]), sep="\n")

    volumes = {f"volume {volume['name']}" for volume in lab.things("volumes")}
    assert set(lab.child(child).output.splitlines()) == volumes


def test_only_what_stands_still_can_be_given_up_and_only_where_it_is_stuck(lab: Lab) -> None:
    found = stuck(lab, "map_block_devices")

    def child(controller):
        # One that was undone, one that is still to be, and none at all.
        for task in ("spawn", "claim_host", "nothing"):
            with pytest.raises(Conflict, match=f"not stuck in '{task}'") as refused:
                controller.skip(found, task, WHY)
            assert "stuck in map_block_devices" in refused.value.hint
        for why in ("", " \n", "x" * 300):
            with pytest.raises(InvalidRequest):
                controller.abandon(found, why)
        with pytest.raises(NotFound):
            controller.abandon("nothing", WHY)
        other = controller.submit(labs.request(name="vm2", volumes=[]))
        for verb in (controller.abandon, lambda *a: controller.skip(a[0], "spawn", a[1])):
            with pytest.raises(Conflict, match="queued"):
                verb(other.id, WHY)
        controller.abandon(found, WHY)
        with pytest.raises(Conflict, match="undone"):
            controller.abandon(found, WHY)

    ended = lab.child(child)
    assert ended.status == 0, ended.output


def test_guest_that_has_been_active_is_never_given_up(lab: Lab) -> None:
    assert lab.child(broken(labs.create, execute("mark_active", Break.KILL_BEFORE))).killed
    lab.execute("UPDATE vmwright_instances SET vm_state = 'active', launched_at = 1")
    lab.execute("UPDATE vmwright_operations SET flow_version = 99")
    assert lab.child(labs.resume).output.split()[-1] == "parked"
    world = lab.world()

    def child(controller):
        with pytest.raises(Conflict, match="has been active"):
            controller.abandon(operation(lab, "create")["id"], WHY)

    ended = lab.child(child)
    assert ended.status == 0, ended.output
    assert lab.world() == world
    assert lab.rows("SELECT seq FROM vmwright_debts") == []


@pytest.mark.parametrize("kind", ["create", "delete"])
def test_operation_whose_request_cannot_be_read_is_abandoned_all_the_same(
    lab: Lab, kind: str
) -> None:
    if kind == "create":
        assert lab.child(broken(labs.create, execute("spawn", Break.KILL_AFTER))).killed
    else:
        assert lab.child(labs.create).output.split() == ["done"]
        assert lab.child(broken(labs.delete, execute("destroy_guest", Break.KILL_BEFORE))).killed
    lab.execute('UPDATE vmwright_instances SET request = \'{"version": 1, "nics": []}\'')
    assert lab.child(labs.resume).output.split()[-1] == "parked"

    def child(controller):
        found = operation(lab, kind)["id"]
        (held, *_) = controller.describe_operation(controller.operation(found))["held"]
        assert held["task"] == "remains"
        print(controller.abandon(found, WHY).state)

    assert lab.child(child).output.split()[-1] == "undone"
    assert lab.child(labs.pay).status == 0
    if kind == "create":
        assert_everything_was_given_back(lab)
    else:
        (kept,) = lab.rows("SELECT location FROM vmwright_volumes WHERE name = 'kept'")
        assert [volume["name"] for volume in lab.things("volumes")] == [kept["location"]]
        assert lab.things("domains") == lab.things("reservations") == []


def test_users_volume_of_an_abandoned_parked_build_survives(lab: Lab) -> None:
    """It was there before, and has another instance's mark: a build's debts never name it."""
    assert lab.child(labs.create).output.split() == ["done"]
    assert lab.child(labs.delete).output.split() == ["done"]
    (kept,) = lab.things("volumes")
    wish = labs.request(volumes=[{"volume": "kept", "delete_on_termination": True}])
    build = lambda c: c.wait(c.create(wish).id, timeout=60)  # noqa: E731
    assert lab.child(broken(build, execute("mark_active", Break.KILL_BEFORE))).killed
    lab.execute("UPDATE vmwright_operations SET flow_version = 99 WHERE finished_at IS NULL")
    assert lab.child(labs.resume).output.split()[-1] == "parked"
    assert abandon(lab, operation(lab, "create")["id"]) == "undone"
    assert lab.child(labs.pay).status == 0
    assert lab.things("volumes") == [kept]


def test_who_is_no_administrator_gives_nothing_up(lab: Lab) -> None:
    found = stuck(lab, "spawn")

    def child(controller):
        for verb in (
            lambda: controller.skip(found, "spawn", WHY),
            lambda: controller.abandon(found, WHY),
            controller.debts,
            lambda: controller.drop_debt("x", WHY),
        ):
            with pytest.raises(Forbidden, match="vmwright:"):
                verb()

    ended = replace(lab, roles=("member",)).child(child)
    assert ended.status == 0, ended.output


def test_debt_that_is_refused_stops_no_other_and_can_be_dropped(lab: Lab) -> None:
    assert abandon(lab, stuck(lab, "spawn")) == "undone"
    # A host that answers, and says no to one thing for ever.
    refusing = lab.with_faults("ensure_no_reservation:1:refuse")

    def pay(controller):
        print(controller.pay_debts())

    assert refusing.child(pay).output.split() == ["1"]
    (debt,) = lab.rows("SELECT * FROM vmwright_debts")
    assert (debt["kind"], debt["tries"]) == ("reservation", 1)
    assert told(debt["last_error"])["code"] == "Refused"
    assert len(lab.rows("SELECT * FROM vmwright_ports WHERE instance_id IS NOT NULL")) == 2

    def drop(controller):
        (shown,) = controller.debts()
        assert (shown["kind"], shown["host"], shown["tries"]) == ("reservation", "host1", 1)
        controller.drop_debt(shown["id"], "that network is now managed by hand")
        with pytest.raises(NotFound):
            controller.drop_debt(shown["id"], WHY)

    ended = lab.child(drop)
    assert ended.status == 0, ended.output
    (event,) = lab.rows("SELECT detail FROM vmwright_events WHERE state = 'dropped'")
    assert told(event["detail"])["why"] == "that network is now managed by hand"
    assert told(event["detail"])["what"] == f"reservation {debt['key']}"
    assert len(lab.things("reservations")) == 1
    assert_nothing_held(lab)
