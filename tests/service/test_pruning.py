"""The history of what was deleted long ago goes, little by little, and nothing else does."""

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.attempts import until
from tests.support.crowds import all_at_once
from tests.support.dialects import IN_TURN
from tests.support.lab import Lab
from tests.support.servers import Server
from tests.support.serving import serving
from vmwright.controller import Controller
from vmwright.errors import StoreRestored
from vmwright.ids import new_id
from vmwright.persistence.database import Database
from vmwright.persistence.stores import Stores
from vmwright.reconcilers.pruning import prune

LONG_AGO = "UPDATE vmwright_{} SET deleted_at = deleted_at - 100 * 86400"
TABLES = ("instances", "volumes", "snapshots")


@pytest.fixture(params=IN_TURN)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    """A prepared deployment, its store on either database."""
    if request.param == "sqlite":
        found: Lab = request.getfixturevalue("lab")
        return found
    server: Server = request.getfixturevalue(request.param)
    return Lab(tmp_path, url=server.ready().connection).prepared()


@pytest.fixture(scope="module")
def template(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A deployment that `gone_and_one_that_lives` has worked on."""
    lab = labs.copy_of(prepared, tmp_path_factory.mktemp("pruning") / "lab")
    gone_and_one_that_lives(lab)
    return lab.home


@pytest.fixture
def aged(template: Path, tmp_path: Path) -> Lab:
    """A copy of it."""
    return labs.copy_of(template, tmp_path / "lab")


def wish(name: str, **changes: Any) -> Any:
    return labs.request(name=name, **{"volumes": [{"size": 1}], **changes})


def build(controller: Controller, name: str, **changes: Any) -> str:
    ended = controller.wait(controller.create(wish(name, **changes)).id, 60)
    assert ended.state == "done", ended
    return ended.instance_id


def come_and_go(controller: Controller, name: str, **changes: Any) -> str:
    """Have one built and deleted; its id."""
    instance = build(controller, name, **changes)
    assert controller.wait(controller.delete(instance).id, 60).state == "done"
    return instance


def done(lab: Lab, work: Callable[[Controller], object]) -> list[str]:
    ended = lab.child(work)
    assert ended.status == 0, ended.output
    return ended.output.split()


def gone_and_one_that_lives(lab: Lab) -> str:
    """The id of an instance that was deleted long ago; another one was built since."""

    def work(controller: Controller) -> None:
        print(come_and_go(controller, "gone"))
        build(controller, "lives")

    (gone,) = done(lab, work)
    age(lab)
    return gone


def age(lab: Lab) -> None:
    for table in TABLES:
        lab.execute(LONG_AGO.format(table))


def pruned(lab: Lab, days: float = 90.0) -> int:
    """How much goes."""
    database = Database.open(lab.settings.database)
    try:
        stores = Stores.of(database, lab.home / "key")
        return prune(stores, days=days, stopping=threading.Event())
    finally:
        database.close()


def gone_of(lab: Lab) -> str:
    """The id of the one that was deleted long ago."""
    (row,) = lab.rows("SELECT id FROM vmwright_instances WHERE name = 'gone'")
    return str(row["id"])


def names(lab: Lab, *ids: str) -> dict[str, int]:
    """How many rows of each table say one of these ids anywhere."""
    found = {
        table: sum(any(one in repr(row) for one in ids) for row in rows)
        for table, rows in lab.all_rows().items()
    }
    return {table: count for table, count in found.items() if count}


def all_ids(lab: Lab, instance: str) -> list[str]:
    """Of an instance, its operations and their runs."""
    of = f"WHERE instance_id = '{instance}'"
    rows = lab.rows(f"SELECT id, flow_detail_id FROM vmwright_operations {of}")
    made = lab.rows(f"SELECT id FROM vmwright_volumes WHERE made_for = '{instance}'")
    return [instance, *(value for row in [*rows, *made] for value in row.values())]


def test_what_was_deleted_long_ago_goes_with_all_that_only_it_had(store: Lab) -> None:
    gone = gone_and_one_that_lives(store)
    ids, before = all_ids(store, gone), store.all_rows()
    assert names(store, *ids).keys() >= {
        "atomdetails",
        "flowdetails",
        "vmwright_attempts",
        "vmwright_events",
        "vmwright_instances",
        "vmwright_operations",
        "vmwright_secrets",
        "vmwright_volumes",
    }
    assert pruned(store) == 2
    assert names(store, *ids) == {"vmwright_tombstones": 2}
    kinds = store.rows("SELECT kind FROM vmwright_tombstones ORDER BY kind")
    assert [row["kind"] for row in kinds] == ["instance", "volume"]
    after = store.all_rows()
    left = {table: [r for r in before[table] if r not in after[table]] for table in before}
    # Two runs of the one that is gone, with their logbooks, and nothing of the other one.
    assert (
        len(left["logbooks"]) == len(left["flowdetails"]) == len(left["vmwright_operations"]) == 2
    )
    assert len(left["vmwright_instances"]) == len(left["vmwright_volumes"]) == 1
    assert [row["name"] for row in store.rows("SELECT name FROM vmwright_instances")] == ["lives"]
    assert pruned(store) == 0


def test_zero_days_keep_everything(aged: Lab) -> None:
    before = aged.all_rows()
    assert pruned(aged, days=0.0) == 0
    assert aged.all_rows() == before


SPARED = {
    "deleted of late": "UPDATE vmwright_instances SET deleted_at = deleted_at + 11 * 86400",
    "never deleted": "UPDATE vmwright_instances SET deleted_at = NULL",
    "an operation goes on": "UPDATE vmwright_operations SET state = 'interrupted'",
    "an operation is stuck": "UPDATE vmwright_operations SET state = 'stuck'",
    "an operation has it": "UPDATE vmwright_instances SET operation_id = id",
    "something is owed": "INSERT INTO vmwright_debts (id, host_id, kind, key, whose, reason,"
    " instance_id, not_before, tries, created_at) SELECT id, id, 'domain', id, '{{}}', 'host away',"
    " id, 0, 0, 0 FROM vmwright_instances WHERE id = '{gone}'",
    "it has room": "INSERT INTO vmwright_claims (host_id, instance_id, operation_id, attempt,"
    " vcpus, memory_mib, disk_gib) SELECT host_id, '{gone}', operation_id, attempt, vcpus,"
    " memory_mib, disk_gib FROM vmwright_claims",
    "it has an address": "UPDATE vmwright_ports SET instance_id = '{gone}'",
    "it has a volume": "UPDATE vmwright_attachments SET instance_id = '{gone}'",
    "the latest event is its": "UPDATE vmwright_events SET instance_id = '{gone}'",
    "one of its request lives": "UPDATE vmwright_instances SET reservation_id = 'r-same'",
}


@pytest.mark.parametrize("why", SPARED)
def test_who_is_needed_for_anything_stays_whole(aged: Lab, why: str) -> None:
    gone = gone_of(aged)
    aged.execute(SPARED[why].format(gone=gone))
    before = names(aged, gone)
    pruned(aged)
    assert names(aged, gone) == before
    assert "vmwright_tombstones" not in before


def test_volume_is_remembered_as_long_as_who_it_was_made_for(lab: Lab) -> None:
    """And a user's own, from its end on."""

    def work(controller: Controller) -> None:
        build(controller, "lives")
        controller.inventory.create_volume("own", size_gib=1)
        controller.inventory.delete_volume("own")

    done(lab, work)
    lab.execute("UPDATE vmwright_volumes SET deleted_at = 1 WHERE made_for IS NOT NULL")
    age(lab)
    # It is attached, and who it was made for lives.
    assert pruned(lab) == 1
    lab.execute("DELETE FROM vmwright_attachments")
    assert pruned(lab) == 0


def test_audit_says_the_same_of_what_turns_up_before_and_after(lab: Lab) -> None:
    """A host that comes back from its own backup has what was deleted: it was ours, and is not
    taken for somebody else's, nor for what the store has never heard of."""
    (gone,) = done(lab, lambda c: print(build(c, "gone")))
    shutil.copytree(lab.home / "world", lab.home / "backup")
    done(lab, lambda c: c.wait(c.delete(gone).id, 60))
    done(lab, lambda c: build(c, "lives", networks=[], volumes=[]))
    age(lab)
    for kind in ("domains", "volumes", "reservations"):
        for path in (lab.home / "backup").glob(f"hosts/*/{kind}/*"):
            target = lab.home / "world" / path.relative_to(lab.home / "backup")
            if path.is_file() and not target.exists():
                shutil.copy2(path, target)

    def audited() -> list[dict[str, Any]]:
        (text,) = lab.child(lambda c: print(json.dumps([*c.audit()]))).output.splitlines()
        found: list[dict[str, Any]] = json.loads(text)
        return sorted(found, key=repr)

    before = audited()
    about = {(one["kind"], one["verdict"]) for one in before if one["instance_id"] == gone}
    assert about >= {("domain", "leftover"), ("volume", "leftover")}
    assert pruned(lab) == 2
    assert audited() == before
    done(lab, lambda c: c.upkeep.repair())
    assert not [one for one in audited() if one["verdict"] == "leftover"]
    assert gone not in repr(lab.things("domains"))


def test_machine_that_was_away_knows_the_store_again(aged: Lab) -> None:
    """What it saw last was removed since."""
    lab = aged
    (seen,) = (lab.home / "history").glob("*.json")
    saw = json.loads(seen.read_text())
    first = lab.rows("SELECT seq, operation_id, at FROM vmwright_events ORDER BY seq LIMIT 1")[0]
    old = {**saw, "seq": first["seq"], "operation": first["operation_id"], "at": first["at"]}
    assert pruned(lab) == 2
    assert not lab.rows(f"SELECT seq FROM vmwright_events WHERE seq = {first['seq']}")
    seen.write_text(json.dumps(old))
    assert done(lab, labs.create) == ["done"]
    # One that saw what no pruned store can have had is told so.
    seen.write_text(json.dumps({**old, "seq": 10**9}))
    assert lab.child(labs.create).status != 0


def test_store_that_came_from_a_backup_is_left_as_it_is(aged: Lab) -> None:
    """Until somebody has said that it counts."""
    (seen,) = (aged.home / "history").glob("*.json")
    seen.write_text(json.dumps({**json.loads(seen.read_text()), "seq": 10**9}))
    before = aged.all_rows()

    def child(controller: Controller) -> None:
        with pytest.raises(StoreRestored):
            controller._shop.worker._prune()

    assert done(aged, child) == []
    assert aged.all_rows() == before


def test_several_prune_at_once_and_numbers_of_events_are_not_used_again(store: Lab) -> None:
    done(store, lambda c: [come_and_go(c, f"gone{number}", volumes=[]) for number in range(2)])
    age(store)
    highest = store.rows("SELECT max(seq) AS seq FROM vmwright_events")[0]["seq"]
    store.execute("UPDATE vmwright_events SET instance_id = 'somebody'")
    counts = all_at_once([lambda: pruned(store)] * 3)
    assert sum(map(int, counts)) == 2, counts
    assert len(store.rows("SELECT id FROM vmwright_tombstones")) == 2
    assert store.rows("SELECT seq FROM vmwright_events") == []
    done(store, lambda c: c.submit(wish("next")))
    assert store.rows("SELECT min(seq) AS seq FROM vmwright_events")[0]["seq"] > highest


def test_request_is_answered_whole_or_built_anew(lab: Lab) -> None:
    """By its idempotency key: as long as one of its instances is remembered, all are."""
    key = new_id()
    pair = wish("pair", volumes=[], min_count=2, max_count=2, idempotency_key=key)

    def first(controller: Controller) -> None:
        (reservation,) = controller.create_all(pair)
        for operation in reservation.operations:
            controller.wait(operation.id, 60)
        controller.wait(controller.delete(reservation.operations[0].instance_id).id, 60)
        print(reservation.id)

    def again(controller: Controller) -> None:
        (reservation,) = controller.submit_all(pair)
        print(reservation.id, len(reservation.operations))

    def again_and_end(controller: Controller) -> None:
        again(controller)
        controller.wait(controller.delete("pair-2").id, 60)
        build(controller, "lives", volumes=[])

    (reservation,) = done(lab, first)
    age(lab)
    assert pruned(lab) == 0
    assert done(lab, again_and_end) == [reservation, "2"]
    age(lab)
    assert pruned(lab) == 2
    assert done(lab, again)[0] != reservation


def test_service_prunes_while_it_builds(aged: Lab) -> None:
    lab, gone = aged, gone_of(aged)
    with serving(replace(lab, reconcile_interval=0.1)) as service:
        until(lambda: "vmwright_instances" not in names(lab, gone))
        done(lab, lambda c: c.wait(c.submit(wish("new")).id, 60))
        until(lambda: "vmwright_volumes" not in names(lab, gone))
        until(lambda: "history of what was deleted" in service.log.read_text())
        assert service.stop() == 0
