"""A store that was restored from an older backup loses nobody's guest, volume or image.

What is on the host is read from its files; backups are taken and brought back past vmwright.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.attempts import until
from tests.support.backups import back_up, restore
from tests.support.breaking import Break, broken, execute
from tests.support.databases import PostgreSQL
from tests.support.lab import Lab
from tests.support.serving import started
from vmwright.backends.simulated.hypervisor import SimulatedHypervisor
from vmwright.backends.simulated.volumes import SimulatedVolumes
from vmwright.controller import Controller
from vmwright.errors import DeadlinePassed, StoreRestored, VmwrightError
from vmwright.waiting import Wait


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    """A prepared deployment, its store on either database."""
    if request.param == "sqlite":
        found: Lab = request.getfixturevalue("lab")
        return found
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return Lab(tmp_path, url=server.ready().connection).prepared()


def build(name: str, **changes: Any) -> Callable[[Controller], None]:
    def work(controller: Controller) -> None:
        wish = labs.request(name=name, **{"volumes": [{"size": 1}], **changes})
        print(controller.wait(controller.create(wish).id, timeout=60).state)

    return work


def delete(name: str) -> Callable[[Controller], None]:
    return lambda c: print(c.wait(c.delete(name).id, timeout=60).state)


def audit(lab: Lab) -> list[dict[str, str]]:
    ended = lab.child(lambda c: print(json.dumps([*c.audit()])))
    assert ended.status == 0, ended.output
    found: list[dict[str, str]] = json.loads(ended.output)
    return found


def accept(lab: Lab) -> list[str]:
    """Say that the store was restored; returns the states of what was under way."""
    ended = lab.child(lambda c: print(len(c.upkeep.accept_restored())))
    assert ended.status == 0, ended.output
    return [row["state"] for row in lab.rows("SELECT state FROM vmwright_operations ORDER BY seq")]


def repair(lab: Lab) -> list[dict[str, str]]:
    ended = lab.child(lambda c: print(json.dumps([*c.upkeep.repair()])))
    assert ended.status == 0, ended.output
    found: list[dict[str, str]] = json.loads(ended.output)
    return found


def told(lab: Lab, work: Callable[[Controller], Any]) -> str:
    """What the error is that this ends with."""

    def child(controller: Controller) -> None:
        try:
            work(controller)
        except VmwrightError as error:
            print(type(error).__name__)

    return lab.child(child).output.strip()


def domains(lab: Lab) -> dict[str, str]:
    return {domain["uuid"]: domain["state"] for domain in lab.things("domains")}


def test_service_that_finds_a_restored_store_ends_and_is_not_started_again(
    lab: Lab, tmp_path: Path
) -> None:
    """78 is among what the systemd unit does not restart after."""
    back_up(lab, tmp_path / "backup")
    assert lab.child(build("later")).output.split() == ["done"]
    restore(lab, tmp_path / "backup")
    with started(lab) as service:
        assert service.process.wait() == 78
    assert "vmwright db restored" in service.log.read_text()


def test_what_was_built_and_deleted_since_the_backup_is_told_and_left(
    store: Lab, tmp_path: Path
) -> None:
    """Instances built since are unknown, those deleted since are missing."""
    for name in ("stays", "goes"):
        assert store.child(build(name)).output.split() == ["done"]
    back_up(store, tmp_path / "backup")
    assert store.child(build("later")).output.split() == ["done"]
    assert store.child(delete("goes")).output.split() == ["done"]
    assert store.child(labs.pay).status == 0
    ids = {row["name"]: row["id"] for row in store.rows("SELECT * FROM vmwright_instances")}
    before = store.world()

    restore(store, tmp_path / "backup")
    found = audit(store)
    assert accept(store) == ["done", "done"]
    done = repair(store)

    assert store.world() == before
    verdicts = {(one["verdict"], one["instance_id"]) for one in found if one["instance_id"]}
    assert verdicts == {("unknown", ids["later"]), ("missing", ids["goes"])}
    kinds = [one["kind"] for one in found if one["instance_id"] == ids["later"]]
    assert sorted(kinds) == ["domain", "reservation", *["volume"] * 5]
    assert {one["kind"] for one in found if one["instance_id"] == ids["goes"]} == {
        "domain", "reservation", "volume",
    }  # fmt: skip
    (says,) = [one for one in found if one["kind"] == "store"]
    assert says["remedy"] == "vmwright db restored"
    assert {one["outcome"] for one in done} == {"left"}
    assert {one["verdict"] for one in done} == {"unknown", "missing"}

    # What is missing can be deleted: there is nothing to remove, and its room is free again.
    assert store.child(delete("goes")).output.split() == ["done"]
    assert {one["verdict"] for one in audit(store)} == {"unknown"}
    assert store.world() == before


def test_nothing_is_made_or_unmade_before_somebody_has_said_so(lab: Lab, tmp_path: Path) -> None:
    assert lab.child(build("stays")).output.split() == ["done"]
    back_up(lab, tmp_path / "backup")
    assert lab.child(build("later")).output.split() == ["done"]
    restore(lab, tmp_path / "backup")
    before, operations = lab.world(), lab.rows("SELECT * FROM vmwright_operations")

    for work in (
        build("another"),
        delete("stays"),
        lambda c: c.submit(labs.request(name="another")),
        lambda c: c.upkeep.repair(),
        lambda c: c.pay_debts(),
        lambda c: c.resume(c.operations()[0].id),
        lambda c: c.skip(c.operations()[0].id, "spawn", "tidy up"),
        lambda c: c.drop_debt("any", "tidy up"),
    ):
        assert told(lab, work) == StoreRestored.__name__
    assert (lab.world(), lab.rows("SELECT * FROM vmwright_operations")) == (before, operations)

    accept(lab)
    assert lab.child(build("another", volumes=[])).status == 0
    assert told(lab, lambda c: c.pay_debts()) == ""


def test_store_that_was_only_closed_or_killed_is_not_taken_for_restored(lab: Lab) -> None:
    for name in ("one", "two"):
        assert lab.child(build(name)).output.split() == ["done"]
    killed = lab.child(lambda c: (c.submit(labs.request()), os.kill(os.getpid(), 9)))
    assert killed.killed
    assert lab.child(labs.resume).output.split() == ["done"]
    assert [one["kind"] for one in audit(lab)] == []


slow = pytest.mark.slow
MOMENTS = {
    "before-its-addresses": (SimulatedHypervisor, "find_domain_named"),
    "before-its-disks": (SimulatedVolumes, "ensure_base"),
    "before-its-guest": (SimulatedHypervisor, "ensure_domain"),
    "when-its-guest-runs": (SimulatedHypervisor, "ensure_running"),
}


@pytest.mark.parametrize(
    "moment",
    [
        "before-its-addresses",
        pytest.param("before-its-disks", marks=slow),
        pytest.param("before-its-guest", marks=slow),
        "when-its-guest-runs",
    ],
)
def test_build_that_ended_after_the_backup_is_never_undone(
    lab: Lab, tmp_path: Path, moment: str
) -> None:
    """The restored store takes it for interrupted: to go on could give it another address or
    another host, and to take it back would take a guest that is used."""
    interrupted_backup(lab, moment, tmp_path / "backup")
    before = lab.world()
    restore(lab, tmp_path / "backup")
    (operation,) = lab.rows("SELECT * FROM vmwright_operations")
    assert operation["state"] == "running"
    assert told(lab, labs.resume) == StoreRestored.__name__

    assert accept(lab) == ["parked"]
    assert lab.child(labs.resume).output == ""
    # Asked for by name, or cancelled first: its guest is there, and nothing is done to it.
    assert told(lab, lambda c: c.resume(operation["id"])) == "Conflict"
    lab.child(lambda c: c.cancel(operation["id"]))
    assert told(lab, lambda c: c.resume(operation["id"])) == "Conflict"
    assert told(lab, lambda c: c.abandon(operation["id"], "tidy up")) == "Conflict"
    assert [one["outcome"] for one in repair(lab)] == ["left"]

    assert lab.world() == before
    assert list(domains(lab).values()) == ["running"]
    (found,) = [one for one in audit(lab) if one["kind"] == "operation"]
    assert found["verdict"] == "stale"
    assert found["why"].endswith("its guest is on host host1")


def test_build_that_was_parked_at_the_backup_and_resumed_since_is_never_undone(
    lab: Lab, tmp_path: Path
) -> None:
    """Why it was parked then says nothing of what became of it."""
    assert lab.child(broken(build("vm1"), execute("spawn", Break.KILL_AFTER))).killed
    assert replace(lab, takeovers=1).child(labs.resume).output.split() == ["parked"]
    (operation,) = lab.rows("SELECT * FROM vmwright_operations")
    back_up(lab, tmp_path / "backup")

    def go_on(controller: Controller) -> None:
        controller.resume(operation["id"])
        print(controller.wait(operation["id"], timeout=60).state)

    assert lab.child(go_on).output.split() == ["done"]
    before = lab.world()
    restore(lab, tmp_path / "backup")
    assert accept(lab) == ["parked"]
    assert told(lab, lambda c: c.resume(operation["id"])) == "Conflict"
    assert told(lab, lambda c: c.abandon(operation["id"], "tidy up")) == "Conflict"
    assert lab.world() == before
    assert list(domains(lab).values()) == ["running"]


def test_build_whose_guest_is_not_there_may_be_abandoned(lab: Lab, tmp_path: Path) -> None:
    interrupted_backup(lab, "before-its-addresses", tmp_path / "backup")
    assert lab.child(delete("vm1")).output.split() == ["done"]
    restore(lab, tmp_path / "backup")
    (operation,) = lab.rows("SELECT * FROM vmwright_operations")
    assert told(lab, lambda c: c.abandon(operation["id"], "tidy up")) == StoreRestored.__name__
    accept(lab)
    assert told(lab, lambda c: c.abandon(operation["id"], "tidy up")) == ""
    assert lab.child(labs.pay).status == 0
    assert audit(lab) == []


def test_damaged_operation_does_not_keep_a_store_from_being_accepted(
    lab: Lab, tmp_path: Path
) -> None:
    interrupted_backup(lab, "before-its-addresses", tmp_path / "backup")
    restore(lab, tmp_path / "backup")
    lab.execute("UPDATE vmwright_operations SET error = '[1]'")
    assert accept(lab) == ["parked"]


def test_build_whose_guest_is_not_there_may_go_on(lab: Lab, tmp_path: Path) -> None:
    """It was taken back after the backup, or its instance deleted: nothing can be lost."""
    interrupted_backup(lab, "before-its-addresses", tmp_path / "backup")
    assert lab.child(delete("vm1")).output.split() == ["done"]
    restore(lab, tmp_path / "backup")
    accept(lab)

    def go_on(controller: Controller) -> None:
        (operation,) = controller.operations()
        controller.resume(operation.id)
        print(controller.wait(operation.id, timeout=60).state)

    assert lab.child(go_on).output.split() == ["done"]
    assert list(domains(lab).values()) == ["running"]
    assert audit(lab) == []


def test_user_can_still_delete_what_was_finished_after_the_backup(lab: Lab, tmp_path: Path) -> None:
    interrupted_backup(lab, "when-its-guest-runs", tmp_path / "backup")
    restore(lab, tmp_path / "backup")
    accept(lab)
    assert lab.child(delete("vm1")).output.split() == ["done"]
    assert lab.things("domains") == []
    assert audit(lab) == []


@pytest.mark.parametrize(
    ("moment", "verdicts"), [("before-its-addresses", {"unknown"}), ("before-its-disks", set())]
)
def test_delete_of_what_was_finished_after_the_backup_leaves_its_user_the_volume(
    lab: Lab, tmp_path: Path, moment: str, verdicts: set[str]
) -> None:
    """Its guest has written to it since: it is no half-made thing of a build that failed."""
    volumes: list[dict[str, Any]] = [
        {"volume": "kept", "delete_on_termination": False},
        {"size": 1, "delete_on_termination": False},
    ]
    interrupted_backup(lab, moment, tmp_path / "backup", volumes=volumes)
    written = {disk["volume"] for disk in lab.things("domains")[0]["disks"][3:5]}
    restore(lab, tmp_path / "backup")
    accept(lab)
    assert lab.child(delete("vm1")).output.split() == ["done"]
    assert lab.things("domains") == []
    repair(lab)
    assert {one["verdict"] for one in audit(lab)} == verdicts
    assert {volume["name"] for volume in lab.things("volumes")} == written


def test_volume_of_an_instance_that_was_deleted_after_the_backup_outlives_its_build(
    lab: Lab, tmp_path: Path
) -> None:
    """Its guest was active, and wrote to it; then another one did, of whom the store knows
    nothing."""
    volumes = [{"volume": "kept", "delete_on_termination": False}]
    interrupted_backup(lab, "before-its-disks", tmp_path / "backup", volumes=volumes)
    assert lab.child(delete("vm1")).output.split() == ["done"]
    before = lab.things("volumes")
    assert len(before) == 1
    restore(lab, tmp_path / "backup")
    accept(lab)
    (operation,) = lab.rows("SELECT * FROM vmwright_operations")
    assert told(lab, lambda c: c.resume(operation["id"])) == "Conflict"
    assert told(lab, lambda c: c.abandon(operation["id"], "tidy up")) == "Conflict"
    assert lab.child(delete("vm1")).output.split() == ["done"]
    assert lab.child(labs.pay).status == 0
    assert lab.things("volumes") == before
    assert audit(lab) == []


def test_delete_of_what_was_not_finished_after_the_backup_leaves_nothing(
    lab: Lab, tmp_path: Path
) -> None:
    volumes = [{"volume": "kept"}, {"size": 1, "delete_on_termination": False}]
    interrupted_backup(lab, "before-its-disks", tmp_path / "backup", volumes=volumes)
    assert lab.child(delete("vm1")).output.split() == ["done"]
    lab.child(lambda c: [c.inventory.delete_volume(one.id) for one in c.inventory.volumes()])
    assert lab.child(labs.pay).status == 0
    assert lab.things("volumes") == []
    restore(lab, tmp_path / "backup")
    accept(lab)
    assert lab.child(delete("vm1")).output.split() == ["done"]
    assert audit(lab) == []
    rows = lab.rows("SELECT name, location FROM vmwright_volumes WHERE deleted_at IS NULL")
    assert rows == [{"name": "kept", "location": None}]


def interrupted_backup(lab: Lab, moment: str, to: Path, **changes: Any) -> None:
    """Take a backup in the middle of a build that then goes well."""
    owner, verb = MOMENTS[moment]

    def child(controller: Controller) -> None:
        original, taken = getattr(owner, verb), []

        def around(self: Any, *values: Any) -> Any:
            result = original(self, *values)
            if not taken:
                taken.append(True)
                back_up(lab, to)
            return result

        setattr(owner, verb, around)
        build("vm1", **changes)(controller)

    ended = lab.child(child)
    assert ended.output.split() == ["done"], ended.output


def test_snapshot_that_was_being_made_at_the_backup_is_kept(lab: Lab, tmp_path: Path) -> None:
    """The backup says that it is owed, in case whoever makes it dies; it was finished since."""
    assert lab.child(build("vm1", volumes=[{"volume": "kept"}])).output.split() == ["done"]
    assert lab.child(delete("vm1")).output.split() == ["done"]

    def child(controller: Controller) -> None:
        copy = SimulatedVolumes.ensure_copy

        def around(self: SimulatedVolumes, name: str, source: str, wait: Wait) -> None:
            back_up(lab, tmp_path / "backup")
            copy(self, name, source, wait)

        SimulatedVolumes.ensure_copy = around  # type: ignore[method-assign]
        controller.inventory.create_snapshot("precious", "kept", wait=Wait(60))

    assert lab.child(child).status == 0
    assert lab.child(build("later")).output.split() == ["done"]
    before = lab.world()
    restore(lab, tmp_path / "backup")
    lab.execute("UPDATE vmwright_debts SET not_before = 0")  # long after
    accept(lab)
    assert lab.child(labs.pay).status == 0
    repair(lab)

    assert lab.world() == before
    (found,) = [one for one in audit(lab) if one["kind"] == "snapshot"]
    assert found["verdict"] == "unknown"


def test_image_that_was_registered_after_the_backup_keeps_its_bytes(
    lab: Lab, tmp_path: Path
) -> None:
    assert lab.child(build("vm1")).output.split() == ["done"]
    back_up(lab, tmp_path / "backup")
    content = b"later" * 1000
    later = register(lab, "later", content)
    assert lab.child(build("vm2")).output.split() == ["done"]
    ages = time.time() - 7200
    os.utime(later, (ages, ages))

    restore(lab, tmp_path / "backup")
    register(lab, "again", b"again" * 1000)
    assert hashlib.sha256(later.read_bytes()).digest() == hashlib.sha256(content).digest()
    accept(lab)
    register(lab, "and again", b"and again" * 1000)
    repair(lab)

    assert later.read_bytes() == content
    (found,) = [one for one in audit(lab) if one["kind"] == "image"]
    assert (found["verdict"], found["key"]) == ("unknown", later.name)


def register(lab: Lab, name: str, content: bytes) -> Path:
    """An image, and where its bytes are."""
    source = lab.home / "source.raw"
    source.write_bytes(content)
    wish = (name, source, "raw")
    ended = lab.child(lambda c: c.inventory.create_image(*wish, wait=Wait(60)))
    assert ended.status == 0, ended.output
    source.unlink()
    (path,) = (lab.home / "images").rglob(f"{hashlib.sha256(content).hexdigest()}.raw")
    return path


def test_process_whose_store_forgets_under_it_begins_nothing_more(lab: Lab) -> None:
    """Its server fell back to a replica that lagged behind, and answers again at once."""

    def child(controller: Controller) -> None:
        controller.wait(controller.create(labs.request(name="first", volumes=[])).id, timeout=60)
        waiting = controller.submit(labs.request(name="second", volumes=[]))
        until(lambda: list((lab.home / "history").glob("*.json")) != [])
        lab.execute("DELETE FROM vmwright_events")
        until(lambda: refuses(controller.pay_debts))
        assert refuses(lambda: controller.create(labs.request(name="third", volumes=[])))
        controller.resume()
        with pytest.raises(DeadlinePassed):
            controller.wait(waiting.id, timeout=1.0)
        assert controller.operation(waiting.id).state == "queued"

    ended = lab.child(child)
    assert ended.status == 0, ended.output
    assert len(lab.things("domains")) == 1


def refuses(work: Callable[[], Any]) -> bool:
    try:
        work()
    except StoreRestored:
        return True
    return False


def test_machine_that_has_seen_nothing_of_the_store_trusts_it(lab: Lab, tmp_path: Path) -> None:
    """As docs/how-to/backup.md says: without what it asks to keep, somebody must say so."""
    assert lab.child(build("vm1")).output.split() == ["done"]
    back_up(lab, tmp_path / "backup")
    assert lab.child(build("vm2")).output.split() == ["done"]
    restore(lab, tmp_path / "backup")
    shutil.rmtree(lab.home / "history")
    assert [one["kind"] for one in audit(lab) if one["kind"] == "store"] == []
    before = lab.world()
    repair(lab)
    assert lab.world() == before
