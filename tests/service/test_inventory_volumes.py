"""Volumes that begin as something, and what is kept of them."""

from dataclasses import replace

import pytest

from tests.support.databases import sqlite
from tests.support.deployments import deployed
from tests.support.rows import a_spec, an_image
from vmwright.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded
from vmwright.ids import VolumeId, new_id
from vmwright.spec import SnapshotSpec, VolumeSpec
from vmwright.waiting import Wait


@pytest.fixture
def deployment(tmp_path):
    with deployed(tmp_path, sqlite(tmp_path)) as made:
        yield made


@pytest.fixture
def inventory(deployment):
    return deployment.inventory


@pytest.fixture
def host(inventory):
    return inventory.create_host("one", "simulated:///one")


@pytest.fixture
def volume(deployment, inventory, host):
    """A volume of 2 GiB that lies on its host, and that no instance has any more."""
    volume = inventory.create_volume("data", 2, bootable=True)
    instance = deployment.attached(volume, host)
    with deployment.database.write() as connection:
        deployment.stores.volumes.detach(connection, instance.id, None)
    return inventory.volume("data")


@pytest.fixture
def snapshot(inventory, volume):
    return inventory.create_snapshot("saved", "data", wait=Wait(60))


def clone(snapshot):
    """A wish for a volume that begins as the snapshot."""
    return VolumeSpec(
        volume=VolumeId(new_id()),
        source="snapshot",
        name="clone",
        size_gib=2,
        snapshot=SnapshotSpec(id=snapshot.id, host=snapshot.host_id, location=snapshot.location),
        delete_on_termination=True,
    )


# What volumes begin as


def test_volume_of_an_image_is_bootable_and_holds_the_image(deployment, inventory):
    image = deployment.image("system")
    volume = inventory.create_volume("root", image="system")
    assert (volume.size_gib, volume.image_id, volume.bootable) == (1, image.id, True)
    assert (volume.host_id, volume.location, volume.snapshot_id) == (None, None, None)
    with pytest.raises(Conflict, match="1 volumes"):
        inventory.delete_image("system")
    inventory.delete_volume("root")
    inventory.delete_image("system")


def test_empty_volume_is_bootable_if_its_user_says_so(inventory):
    assert not inventory.create_volume("data", 1).bootable
    assert inventory.create_volume("root", 1, bootable=True).bootable


def test_volume_of_a_snapshot_is_bound_to_its_host(inventory, host, snapshot):
    volume = inventory.create_volume("again", snapshot="saved")
    assert (volume.size_gib, volume.snapshot_id, volume.bootable) == (2, snapshot.id, True)
    assert (volume.host_id, volume.location, volume.image_id) == (host.id, None, None)
    assert inventory.create_volume("larger", 3, snapshot=snapshot.id).size_gib == 3


@pytest.mark.parametrize(
    "wish",
    [
        pytest.param({}, id="no size"),
        pytest.param({"image": "system", "snapshot": "saved"}, id="two sources"),
        pytest.param({"snapshot": "saved", "size_gib": 1}, id="smaller than its snapshot"),
    ],
)
def test_volume_that_cannot_be_is_refused(deployment, inventory, snapshot, wish):
    deployment.image("system")
    before = inventory.volumes()
    with pytest.raises(InvalidRequest):
        inventory.create_volume("odd", **wish)
    assert inventory.volumes() == before


def test_volume_of_what_does_not_exist_is_not_found(inventory):
    for wish in ({"image": "nothing"}, {"snapshot": "nothing"}):
        with pytest.raises(NotFound, match="nothing"):
            inventory.create_volume("data", **wish)
    assert list(inventory.volumes()) == []


# Snapshots


def test_snapshot_is_kept_of_a_volume(deployment, inventory, host, volume, snapshot):
    assert (snapshot.name, snapshot.volume_id, snapshot.size_gib) == ("saved", volume.id, 2)
    assert (snapshot.host_id, snapshot.bootable) == (host.id, True)
    assert list(inventory.snapshots()) == [inventory.snapshot("saved")] == [snapshot]
    assert sorted(deployment.world("one", "volumes")) == sorted(
        [volume.location, snapshot.location]
    )
    assert deployment.debts() == []


def test_snapshot_outlives_its_volume(deployment, inventory, volume, snapshot):
    inventory.delete_volume("data")
    assert deployment.pay() == 0
    assert deployment.world("one", "volumes") == [snapshot.location]
    assert inventory.snapshot("saved") == snapshot


def test_volume_that_was_never_used_has_no_snapshot(deployment, inventory):
    inventory.create_volume("data", 1)
    with pytest.raises(Conflict, match="nothing is in it yet"):
        inventory.create_snapshot("saved", "data", wait=Wait(60))
    assert deployment.debts() == []


def test_volume_in_use_has_no_snapshot(deployment, inventory, host):
    volume = inventory.create_volume("data", 1)
    instance = deployment.attached(volume, host)
    with pytest.raises(Conflict, match=instance.id):
        inventory.create_snapshot("saved", "data", wait=Wait(60))
    assert deployment.debts() == []


def test_volume_that_is_gone_from_its_host_has_no_snapshot(deployment, inventory, host, volume):
    (deployment.home / f"world/hosts/one/volumes/{volume.location}.json").unlink()
    with pytest.raises(Conflict, match="does not exist"):
        inventory.create_snapshot("saved", "data", wait=Wait(60))
    assert deployment.pay() == 0
    assert list(inventory.snapshots()) == []


def test_name_of_several_snapshots_is_a_conflict_that_lists_them(inventory, snapshot):
    twin = inventory.create_snapshot("saved", "data", wait=Wait(60))
    with pytest.raises(Conflict) as refused:
        inventory.delete_snapshot("saved")
    assert snapshot.id in refused.value.hint
    assert twin.id in refused.value.hint
    assert inventory.delete_snapshot(twin.id).id == twin.id


def test_deleted_snapshot_is_gone_from_its_host_once_debts_are_paid(
    deployment, inventory, volume, snapshot
):
    assert inventory.delete_snapshot("saved") == snapshot
    assert list(inventory.snapshots()) == []
    with pytest.raises(NotFound):
        inventory.snapshot(snapshot.id)
    assert deployment.debts() == [("one", "volume", snapshot.location)]
    assert deployment.pay() == 0
    assert deployment.world("one", "volumes") == [volume.location]


def test_snapshot_that_a_volume_begins_as_is_kept(inventory, snapshot):
    inventory.create_volume("again", snapshot="saved")
    with pytest.raises(Conflict, match="1 volumes"):
        inventory.delete_snapshot("saved")
    assert inventory.snapshot("saved") == snapshot
    inventory.delete_volume("again")
    inventory.delete_snapshot("saved")


def test_snapshot_that_a_build_will_use_is_kept(deployment, inventory, snapshot):
    image = an_image()
    spec = a_spec(image, volumes=(clone(snapshot),))
    instance = deployment.instance(image, **{"volumes": spec.volumes})
    with pytest.raises(Conflict, match="instance"):
        inventory.delete_snapshot("saved")
    deployment.bury(instance)
    inventory.delete_snapshot("saved")


def test_host_with_snapshots_is_not_deleted_and_one_that_had_some_is(
    deployment, inventory, volume, snapshot
):
    inventory.delete_volume("data")
    assert deployment.pay() == 0
    with pytest.raises(Conflict, match="snapshots"):
        inventory.delete_host("one")
    inventory.delete_snapshot("saved")
    assert deployment.pay() == 0
    inventory.delete_host("one")
    assert list(inventory.hosts()) == []


def test_snapshots_of_other_projects_are_not_seen(deployment, inventory, snapshot):
    others = replace(snapshot, id=new_id(), project_id="other", location="elsewhere")
    with deployment.database.write() as connection:
        deployment.stores.snapshots.add(connection, others)
    assert list(inventory.snapshots()) == [snapshot]
    with pytest.raises(NotFound):
        inventory.snapshot(others.id)


# What a project may have


@pytest.mark.parametrize(
    ("resource", "limit", "make"),
    [
        ("volumes", 1, lambda inventory: inventory.create_volume("another", 1)),
        ("gigabytes", 3, lambda inventory: inventory.create_volume("another", 2)),
        ("gigabytes", 3, lambda inventory: inventory.create_snapshot("s", "data", wait=Wait(60))),
    ],
)
def test_what_is_made_without_an_instance_counts_too(inventory, volume, resource, limit, make):
    inventory.quotas.set({resource: limit})
    with pytest.raises(QuotaExceeded, match=f"Quota exceeded for {resource}: Requested"):
        make(inventory)
    inventory.quotas.set({resource: limit + 1})
    make(inventory)
