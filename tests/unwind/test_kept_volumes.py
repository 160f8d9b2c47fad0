"""A volume is written by one guest at a time, also by one that nobody could remove.

Told by the files of the world, which say what each guest has open, and by rows.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.breaking import Break, broken, execute, revert
from tests.support.lab import Lab, copy_of, template
from tests.support.oracle import told
from vmwright.controller import Controller
from vmwright.errors import Conflict, InvalidRequest
from vmwright.waiting import Wait

WHY = "the disk of host1 is broken"
FAILS = execute("mark_active", Break.FAIL_BEFORE).refusing()
STAYS = revert("spawn", Break.FAIL_BEFORE)
EVERYTHING = [
    "DHCP reservations",
    "addresses",
    "guest, its local disks and config drive",
    "room on the host",
    "volumes",
]


def wish(name: str = "vm1", *, goes: bool = False) -> Any:
    """An instance with the user's own volume, which goes with it or stays."""
    return labs.request(
        name=name,
        networks=[{"network": "net1"}] if name != "vm1" else [{"port": "mine"}],
        volumes=[{"volume": "kept", "delete_on_termination": goes}],
    )


def build(name: str = "vm1", *, goes: bool = False) -> Callable[[Controller], None]:
    def child(controller: Controller) -> None:
        created = controller.create(wish(name, goes=goes))
        print(controller.wait(created.id, timeout=60).state)

    return child


def prepare_used(controller: Controller) -> None:
    """As `labs.prepare`; an instance that is gone has had the volume, and written to it."""
    labs.prepare(controller)
    controller.wait(controller.create(wish("vm0")).id, timeout=60)
    controller.wait(controller.delete("vm0").id, timeout=60)


@pytest.fixture(scope="session")
def prepared_used(tmp_path_factory):
    with template(tmp_path_factory.mktemp("used") / "lab", prepare_used) as directory:
        yield directory


@pytest.fixture
def used(prepared_used: Path, tmp_path: Path) -> Lab:
    found = copy_of(prepared_used, tmp_path / "lab")
    assert users_volume(found)["location"] in files(found)
    return found


def users_volume(lab: Lab) -> dict[str, Any]:
    (row,) = lab.rows("SELECT * FROM vmwright_volumes WHERE name = 'kept'")
    return row


def files(lab: Lab) -> list[str]:
    return [volume["name"] for volume in lab.things("volumes")]


def guests_with(lab: Lab, location: str) -> list[str]:
    return [
        domain["uuid"]
        for domain in lab.things("domains")
        if location in [disk["volume"] for disk in domain["disks"]]
    ]


def holders(lab: Lab) -> list[str]:
    """The names of the instances that volumes are attached to."""
    rows = lab.rows(
        "SELECT name FROM vmwright_instances WHERE id IN"
        " (SELECT instance_id FROM vmwright_attachments)"
    )
    return [row["name"] for row in rows]


def operation(lab: Lab) -> str:
    """The latest one."""
    (row, *_) = lab.rows("SELECT id FROM vmwright_operations ORDER BY seq DESC")
    return str(row["id"])


def fault(lab: Lab, name: str = "vm1") -> dict[str, Any]:
    (row,) = lab.rows("SELECT fault FROM vmwright_instances WHERE name = ?", name)
    return told(row["fault"])


def stuck(lab: Lab, work: Any, *breaking: Any) -> str:
    ended = replace(lab, undo_tries=1).child(broken(work, *breaking))
    assert ended.output.split() == ["stuck"], ended.output
    return operation(lab)


def skip(lab: Lab, found: str, task: str) -> str:
    def child(controller: Controller) -> None:
        controller.skip(found, task, WHY)
        # What is owed must not be paid before the test has looked.
        print(controller.wait(found, timeout=60).state)

    return replace(lab, reconcile_interval=3600.0).child(child).output.strip()


def abandon(lab: Lab, found: str, _task: str) -> str:
    return lab.child(lambda controller: print(controller.abandon(found, WHY).state)).output.strip()


def assert_nobody_else_gets_it(lab: Lab, hint: str = "vmwright debt list") -> None:
    def child(controller: Controller) -> None:
        inventory = controller.inventory
        for refused, verb in (
            (InvalidRequest, lambda: controller.submit(wish("vm9"))),
            (Conflict, lambda: inventory.create_snapshot("copy", "kept", wait=Wait(10))),
            (Conflict, lambda: inventory.delete_volume("kept")),
        ):
            with pytest.raises(refused, match="volume 'kept' is in use") as why:
                verb()
            assert hint in why.value.hint

    ended = lab.child(child)
    assert ended.status == 0, ended.output


def assert_free(lab: Lab, location: str) -> None:
    """It is where it was, in no guest, and the next one is given it."""
    assert holders(lab) == []
    assert guests_with(lab, location) == []
    assert location in files(lab)
    assert lab.child(build("vm8")).output.split() == ["done"]
    assert users_volume(lab)["location"] == location
    assert len(guests_with(lab, location)) == 1


def host_is_back(lab: Lab) -> None:
    (lab.home / "world" / "hosts" / "host1" / "down").unlink()
    # Tries that met the absent host have put them off.
    lab.execute("UPDATE vmwright_debts SET not_before = 0")
    assert lab.child(labs.pay).status == 0


@pytest.mark.parametrize("give_up", [skip, pytest.param(abandon, marks=pytest.mark.slow)])
def test_volume_of_a_guest_that_was_given_up_is_nobody_elses(
    used: Lab, give_up: Callable[[Lab, str, str], str]
) -> None:
    location = users_volume(used)["location"]
    assert give_up(used, stuck(used, build(), FAILS, STAYS), "spawn") == "undone"
    assert len(guests_with(used, location)) == 1
    assert holders(used) == ["vm1"]
    assert users_volume(used)["location"] == location
    assert_nobody_else_gets_it(used)
    assert used.child(labs.pay).status == 0
    assert_free(used, location)


def test_volume_of_a_build_that_nobody_here_can_read_is_nobody_elses(used: Lab) -> None:
    """Whether its guest was ever made is not known before somebody has looked."""
    location = users_volume(used)["location"]
    assert used.child(broken(build(), execute("mark_active", Break.KILL_BEFORE))).killed
    used.execute("UPDATE vmwright_operations SET flow_version = 99 WHERE finished_at IS NULL")
    assert used.child(labs.resume).output.split()[-1] == "parked"
    assert abandon(used, operation(used), "spawn") == "undone"
    assert len(guests_with(used, location)) == 1
    assert holders(used) == ["vm1"]
    assert_nobody_else_gets_it(used)
    assert used.child(labs.pay).status == 0
    assert_free(used, location)


def test_build_that_was_accepted_before_does_not_get_it_either(used: Lab) -> None:
    location = users_volume(used)["location"]
    assert used.child(lambda c: print(c.submit(wish("vm2")).id)).status == 0
    waiting = operation(used)
    found = stuck(used, build(), FAILS, STAYS)
    assert skip(used, found, "spawn") == "undone"

    def go_on(controller: Controller) -> None:
        controller.resume(waiting)
        print(controller.wait(waiting, timeout=60).state)

    assert replace(used, reconcile_interval=3600.0).child(go_on).output.split() == ["undone"]
    assert "is in use" in fault(used, "vm2")["message"]
    assert len(guests_with(used, location)) == 1
    assert holders(used) == ["vm1"]


def test_volume_that_no_other_instance_had_is_made_anew(lab: Lab) -> None:
    """What the guest that was given up writes to is not what the next one is given."""
    failing = stuck(lab, build(), FAILS, STAYS)
    first = users_volume(lab)["location"]
    assert skip(lab, failing, "spawn") == "stuck"
    assert skip(lab, failing, "map_block_devices") == "undone"
    assert holders(lab) == []
    again = replace(lab, reconcile_interval=3600.0).child(build("vm2"))
    assert again.output.split() == ["done"], again.output
    second = users_volume(lab)["location"]
    assert first != second
    assert [len(guests_with(lab, name)) for name in (first, second)] == [1, 1]
    assert lab.child(labs.pay).status == 0
    assert [len(guests_with(lab, name)) for name in (first, second)] == [0, 1]
    assert first not in files(lab)


def test_volume_of_a_deleted_instance_waits_for_its_guest(used: Lab) -> None:
    location = users_volume(used)["location"]
    assert used.child(build()).output.split() == ["done"]
    found = stuck(used, labs.delete, execute("destroy_guest", Break.FAIL_BEFORE))
    assert_nobody_else_gets_it(used, "vmwright delete")
    assert skip(used, found, "destroy_guest") == "done"
    assert len(guests_with(used, location)) == 1
    assert holders(used) == ["vm1"]
    assert_nobody_else_gets_it(used)
    assert used.child(labs.pay).status == 0
    assert_free(used, location)


def test_volume_that_goes_with_its_instance_stays_under_its_guest(used: Lab) -> None:
    location = users_volume(used)["location"]
    assert used.child(build(goes=True)).output.split() == ["done"]
    found = stuck(used, labs.delete, execute("destroy_guest", Break.FAIL_BEFORE))
    assert skip(used, found, "destroy_guest") == "stuck"
    assert skip(used, found, "release_block_devices") == "done"
    assert users_volume(used)["deleted_at"] is not None
    stubborn = used.with_faults("ensure_no_domain:1+:refuse")
    assert stubborn.child(lambda c: print(c.pay_debts() > 0)).output.split() == ["True"]
    assert len(guests_with(used, location)) == 1
    assert location in files(used)
    used.execute("UPDATE vmwright_debts SET not_before = 0")
    assert used.child(labs.pay).status == 0
    assert (used.things("domains"), files(used)) == ([], [])


@pytest.mark.parametrize("goes", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_volume_waits_for_a_guest_on_a_host_that_is_away(used: Lab, goes: bool) -> None:
    location = users_volume(used)["location"]
    assert used.child(build(goes=goes)).output.split() == ["done"]
    away = replace(used, faults=("ensure_no_domain:1:down",), reconcile_interval=3600.0)
    assert away.child(labs.delete).output.split() == ["done"]
    assert len(guests_with(used, location)) == 1
    assert location in files(used)
    if not goes:
        assert holders(used) == ["vm1"]
        assert_nobody_else_gets_it(used)
    host_is_back(used)
    if goes:
        assert (used.things("domains"), files(used)) == ([], [])
    else:
        assert_free(used, location)


@pytest.mark.slow
def test_volume_of_a_build_waits_for_a_guest_on_a_host_that_is_away(used: Lab) -> None:
    location = users_volume(used)["location"]
    away = replace(used, faults=("ensure_running:1:down",), reconcile_interval=3600.0)
    assert away.child(build()).output.split() == ["undone"]
    assert len(guests_with(used, location)) == 1
    assert holders(used) == ["vm1"]
    assert_nobody_else_gets_it(used)
    host_is_back(used)
    assert_free(used, location)


def test_build_that_goes_on_elsewhere_takes_no_volume_from_under_a_guest(hosts: Lab) -> None:
    """What it puts on a host is made again on the next one."""
    away = replace(hosts, faults=("ensure_running@host1:1:down",), reconcile_interval=3600.0)
    ended = away.child(build(goes=True))
    assert ended.output.split() == ["done"], ended.output
    places = [name for name in files(hosts) if guests_with(hosts, name)]
    assert all(len(guests_with(hosts, name)) == 1 for name in places)
    ours = users_volume(hosts)
    (host,) = hosts.rows("SELECT name FROM vmwright_hosts WHERE id = ?", ours["host_id"])
    assert host["name"] == "host2"
    assert holders(hosts) == ["vm1"]
    (held,) = hosts.rows("SELECT delete_on_termination FROM vmwright_attachments")
    assert held["delete_on_termination"] == 1
    assert_nobody_else_gets_it(hosts, "vmwright delete")


@pytest.mark.slow
def test_volume_that_lies_on_a_host_that_is_away_is_not_taken_elsewhere(used: Lab) -> None:
    location = users_volume(used)["location"]

    def child(controller: Controller) -> None:
        controller.inventory.create_host("host2", "simulated:///host2")
        build()(controller)

    away = replace(used, faults=("ensure_running@host1:1:down",), reconcile_interval=3600.0)
    assert away.child(child).output.split() == ["undone"]
    assert len(guests_with(used, location)) == 1
    assert holders(used) == ["vm1"]
    host_is_back(used)
    assert_free(used, location)


def test_instance_that_failed_is_deleted_without_its_users_volume(used: Lab) -> None:
    """It was to go with the instance, which never was."""
    location = users_volume(used)["location"]
    found = stuck(used, build(goes=True), FAILS, STAYS)
    assert skip(used, found, "spawn") == "undone"
    ended = replace(used, reconcile_interval=3600.0).child(labs.delete)
    assert ended.output.split() == ["done"], ended.output
    assert holders(used) == ["vm1"]
    assert users_volume(used)["deleted_at"] is None
    assert used.child(labs.pay).status == 0
    assert_free(used, location)


def test_volume_is_given_back_at_the_end_if_its_guest_was_removed_before(used: Lab) -> None:
    """The debt was there when the volume was to go, and not when all was over."""
    location = users_volume(used)["location"]
    found = stuck(used, build(), FAILS, STAYS)
    late = revert("check_not_created", Break.FAIL_BEFORE)

    def child(controller: Controller) -> None:
        controller.skip(found, "spawn", WHY)
        print(controller.wait(found, timeout=60).state)

    again = replace(used, undo_tries=1, reconcile_interval=3600.0).child(broken(child, late))
    assert again.output.split() == ["stuck"], again.output
    assert used.child(labs.pay).status == 0
    assert holders(used) == ["vm1"]
    retry = lambda c: print(c.wait(c.retry(found).id, timeout=60).state)  # noqa: E731
    assert used.child(retry).output.split() == ["undone"]
    assert_free(used, location)


def test_repair_leaves_a_volume_to_a_guest_that_could_not_be_removed(used: Lab) -> None:
    assert skip(used, stuck(used, build(), FAILS, STAYS), "spawn") == "undone"
    stubborn = used.with_faults("ensure_no_domain:1+:refuse")
    ended = stubborn.child(lambda c: print(*(one["outcome"] for one in c.upkeep.repair())))
    assert set(ended.output.split()) <= {"owed", "left"}
    assert holders(used) == ["vm1"]


@pytest.mark.slow
def test_volume_is_free_once_the_debt_of_its_guest_is_dropped(used: Lab) -> None:
    assert skip(used, stuck(used, build(), FAILS, STAYS), "spawn") == "undone"

    def drop(controller: Controller) -> None:
        (debt,) = (debt for debt in controller.debts() if debt["kind"] == "domain")
        controller.drop_debt(debt["id"], "removed by hand")

    ended = replace(used, reconcile_interval=3600.0).child(drop)
    assert ended.status == 0, ended.output
    assert holders(used) == []


# What the fault says of it.


def test_fault_tells_what_is_kept_apart_from_what_was_given_back(used: Lab) -> None:
    assert skip(used, stuck(used, build(), FAILS, STAYS), "spawn") == "undone"
    why = fault(used)
    assert why["kept"] == ["address 10.1.0.77", "room on host host1", "volume kept"]
    assert why["given_back"] == ["DHCP reservations"]
    assert any(thing.startswith("domain ") for thing in why["owed"])


def test_fault_of_an_abandoned_build_tells_what_is_kept(used: Lab) -> None:
    assert abandon(used, stuck(used, build(), FAILS, STAYS), "spawn") == "undone"
    why = fault(used)
    assert why["kept"] == ["address 10.1.0.77", "room on host host1", "volume kept"]
    assert why["given_back"] == []


@pytest.mark.slow
def test_fault_of_a_build_whose_host_is_away_says_that_nothing_there_came_back(lab: Lab) -> None:
    away = replace(lab, faults=("ensure_running:1:down",), reconcile_interval=3600.0)
    assert away.child(build()).output.split() == ["undone"]
    why = fault(lab)
    assert why["kept"] == ["address 10.1.0.77"]
    assert why["given_back"] == ["room on the host"]


@pytest.mark.parametrize(
    ("task", "left"),
    [("plug_network", {"DHCP reservations", "addresses"}), ("map_block_devices", {"volumes"})],
)
def test_fault_names_as_given_back_all_that_is_neither_owed_nor_kept(
    lab: Lab, task: str, left: set[str]
) -> None:
    found = stuck(lab, build(), FAILS, revert(task, Break.FAIL_BEFORE))
    assert skip(lab, found, task) == "undone"
    assert fault(lab)["given_back"] == [words for words in EVERYTHING if words not in left]


def test_disks_of_a_guest_that_are_owed_are_not_its_volumes(lab: Lab) -> None:
    def without(controller: Controller) -> None:
        created = controller.create(labs.request(volumes=[]))
        print(controller.wait(created.id, timeout=60).state)

    assert skip(lab, stuck(lab, without, FAILS, STAYS), "spawn") == "undone"
    assert fault(lab)["given_back"] == ["DHCP reservations", "volumes"]


def test_fault_of_a_build_that_owes_nothing_keeps_nothing(lab: Lab) -> None:
    assert lab.child(broken(build(), FAILS)).output.split() == ["undone"]
    why = fault(lab)
    assert (why["given_back"], why["owed"], why["kept"]) == (EVERYTHING, [], [])
