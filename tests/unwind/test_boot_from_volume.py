"""A guest without a root disk of its own: it boots from a volume, and another one is a snapshot."""

from pathlib import Path

import pytest

from tests.support import lab as labs
from tests.support.breaking import Break, broken, execute, revert
from tests.support.lab import Lab, copy_of
from tests.support.oracle import assert_ended, attachments
from vmwright.controller import Controller
from vmwright.waiting import Wait

WISH = {
    "image": None,
    "volumes": [{"snapshot": "saved"}, {"volume": "system", "boot_index": 0, "bus": "scsi"}],
}
at_each_task = pytest.mark.parametrize("task", ["map_block_devices", "spawn"])
when_killed = pytest.mark.parametrize("how", [Break.KILL_BEFORE, Break.KILL_AFTER])


def fill(controller: Controller) -> None:
    """A snapshot of a volume that was used, and a volume to boot from that was not."""
    inventory = controller.inventory
    labs.create(controller)
    labs.delete(controller)
    inventory.create_snapshot("saved", "kept", wait=Wait(60))
    inventory.create_volume("system", image="demo")
    for name in ("kept", "saved"):
        print(name)


@pytest.fixture(scope="module")
def filled(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("filled") / "lab"
    ended = copy_of(prepared, home).child(fill)
    assert ended.output.split() == ["done", "done", "kept", "saved"], ended.output
    return home


@pytest.fixture
def lab(filled: Path, tmp_path: Path) -> Lab:
    return copy_of(filled, tmp_path / "lab")


@pytest.fixture
def before(lab: Lab) -> tuple[object, ...]:
    return state(lab)


def state(lab: Lab) -> tuple[object, ...]:
    """The world, and what the store says of everything that is not an instance's."""
    columns = "name, host_id, location, made_by, snapshot_id, image_id"
    volumes = f"SELECT {columns} FROM vmwright_volumes WHERE deleted_at IS NULL ORDER BY seq"
    debts = lab.rows("SELECT * FROM vmwright_debts")
    return lab.world(), lab.rows(volumes), lab.rows("SELECT * FROM vmwright_snapshots"), debts


def create(controller: Controller) -> None:
    operation = controller.create(labs.request(name="vm2", **WISH))
    print(controller.wait(operation.id, timeout=60).state)


def delete(controller: Controller) -> None:
    print(controller.wait(controller.delete("vm2").id, timeout=60).state)


def assert_guest_boots_from_its_volume(lab: Lab) -> None:
    (domain,) = lab.things("domains")
    assert domain["state"] == "running"
    system, saved = (
        next(row for row in attachments(lab) if row["position"] == position) for position in (1, 0)
    )
    found = [(disk["serial"], disk["bus"], disk["boot_index"]) for disk in domain["disks"]]
    assert found == [
        (system["volume_id"][:20], "scsi", 0),
        ("ephemeral0", "virtio", None),
        ("swap", "virtio", None),
        (saved["volume_id"][:20], "virtio", None),
        ("config-2", "virtio", None),
    ]
    stored = {volume["name"]: volume for volume in lab.things("volumes")}
    below = [stored[disk["volume"]] for disk in domain["disks"]]
    assert [disk["base"] is not None for disk in below] == [True, False, False, False, False]
    assert below[3]["backing"] == location(lab, "snapshots", "saved")
    assert not [name for name in stored if ".root." in name]
    rows = lab.rows("SELECT name, bootable FROM vmwright_volumes WHERE deleted_at IS NULL")
    assert {row["name"]: bool(row["bootable"]) for row in rows} == {
        "kept": False,
        "system": True,
        "vm2-volume-1": False,
    }
    assert_ended(lab)


def location(lab: Lab, table: str, name: str) -> str:
    (row,) = lab.rows(f"SELECT location FROM vmwright_{table} WHERE name = ?", name)
    return row["location"]


def test_a_build_boots_from_a_volume_and_its_end_leaves_only_that(lab: Lab) -> None:
    kept = {volume["name"] for volume in lab.things("volumes")}
    ended = lab.child(create)
    assert ended.output.split() == ["done"], ended.output
    assert_guest_boots_from_its_volume(lab)
    ended = lab.child(delete)
    assert ended.output.split() == ["done"], ended.output
    kept |= {location(lab, "volumes", "system")}
    assert {volume["name"] for volume in lab.things("volumes")} == kept


@at_each_task
@pytest.mark.parametrize("how", [Break.FAIL_BEFORE, Break.FAIL_AFTER])
def test_failure_leaves_no_trace(
    lab: Lab, before: tuple[object, ...], task: str, how: Break
) -> None:
    ended = lab.child(broken(create, execute(task, how)))
    assert ended.output.split() == ["undone"], ended.output
    assert state(lab) == before


@at_each_task
@when_killed
def test_power_cut_while_building_is_resumed(lab: Lab, task: str, how: Break) -> None:
    assert lab.child(broken(create, execute(task, how))).killed
    ended = lab.child(labs.resume)
    assert ended.output.split() == ["done"], ended.output
    assert_guest_boots_from_its_volume(lab)


@at_each_task
@when_killed
def test_power_cut_while_undoing_is_resumed(
    lab: Lab, before: tuple[object, ...], task: str, how: Break
) -> None:
    failing = execute("mark_active", Break.FAIL_BEFORE)
    assert lab.child(broken(create, failing, revert(task, how))).killed
    ended = lab.child(broken(labs.resume, failing))
    assert ended.output.split() == ["undone"], ended.output
    lab.child(labs.pay)
    assert state(lab) == before


@pytest.mark.parametrize("task", ["destroy_guest", "release_block_devices"])
@when_killed
def test_power_cut_of_a_delete_is_resumed(lab: Lab, task: str, how: Break) -> None:
    lab.child(create)
    assert lab.child(broken(delete, execute(task, how))).killed
    ended = lab.child(labs.resume)
    assert ended.output.split() == ["done"], ended.output
    lab.child(labs.pay)
    assert lab.things("domains") == []
    kept = {location(lab, "volumes", name) for name in ("kept", "system")}
    kept |= {location(lab, "snapshots", "saved")}
    assert {volume["name"] for volume in lab.things("volumes")} == kept


def test_a_snapshot_binds_its_volumes_to_its_host(lab: Lab) -> None:
    def elsewhere(controller: Controller) -> None:
        inventory = controller.inventory
        (first,) = inventory.hosts()
        inventory.create_host("second", "simulated:///second")
        inventory.disable_host(first.id, "repair")
        operation = controller.create(labs.request(name="vm2", **WISH))
        print(controller.wait(operation.id, timeout=60).state)

    ended = lab.child(elsewhere)
    assert ended.output.split() == ["undone"], ended.output
    (row,) = lab.rows("SELECT fault FROM vmwright_instances WHERE name = 'vm2'")
    assert "second: volume 'vm2-volume-1' is on another host" in row["fault"]
