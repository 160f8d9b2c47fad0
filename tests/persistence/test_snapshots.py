"""Snapshots are found while they live, and their debt ends with their row, or not at all."""

import pytest

from tests.support.rows import a_host, a_volume
from vmwright.errors import NotFound
from vmwright.ids import InstanceId, OperationId, SnapshotId, Whose, new_id
from vmwright.persistence.debts import BEING_MADE
from vmwright.persistence.records import Snapshot


@pytest.fixture
def snapshot(stores):
    volume, host = a_volume(), a_host()
    found = Snapshot(
        id=SnapshotId(new_id()),
        project_id="default",
        name="saved",
        volume_id=volume.id,
        size_gib=1,
        host_id=host.id,
        location="here",
        bootable=True,
    )
    with stores.database.write() as connection:
        stores.volumes.add(connection, volume)
        stores.registries.hosts.add(connection, host)
        stores.snapshots.add(connection, found)
        return stores.snapshots.find(connection, "default", "saved")


def owe(stores, snapshot, delay):
    with stores.database.write() as connection:
        stores.debts.owe(
            connection,
            host=snapshot.host_id,
            kind="volume",
            key=snapshot.location,
            whose=Whose(deployment=new_id(), instance=InstanceId(snapshot.id)).to_store(),
            reason=BEING_MADE,
            delay=delay,
            operation=None,
            instance=None,
        )


def test_living_snapshot_is_found_by_name_id_and_place(stores, snapshot):
    with stores.database.read() as connection:
        assert stores.snapshots.find(connection, "default", snapshot.id) == snapshot
        assert list(stores.snapshots.all(connection, "default")) == [snapshot]
        assert stores.snapshots.at(connection, "here")
        assert not stores.snapshots.at(connection, "there")
        assert stores.snapshots.on_host(connection, snapshot.host_id) == 1
        assert list(stores.snapshots.all(connection, "other")) == []
        with pytest.raises(NotFound):
            stores.snapshots.find(connection, "other", "saved")


def test_deleted_snapshot_is_found_by_id_only_until_its_host_goes(stores, snapshot):
    with stores.database.write() as connection:
        stores.snapshots.forget_buried(connection, snapshot.host_id)
        stores.snapshots.bury(connection, snapshot.id)
        assert stores.snapshots.get(connection, snapshot.id).deleted_at is not None
        assert list(stores.snapshots.all(connection, "default")) == []
        assert not stores.snapshots.at(connection, "here")
        assert stores.snapshots.on_host(connection, snapshot.host_id) == 0
        stores.snapshots.forget_buried(connection, snapshot.host_id)
        stores.registries.hosts.remove(connection, snapshot.host_id)
        assert stores.snapshots.get(connection, snapshot.id) is None


def test_debt_that_is_not_due_can_be_taken_back_once(stores, snapshot):
    owe(stores, snapshot, delay=60)
    with stores.database.write() as connection:
        key = {"kind": "volume", "key": snapshot.location}
        assert stores.debts.is_put_off(connection, snapshot.host_id, **key)
        assert stores.debts.remaining(connection) == 0
        assert stores.debts.take_back(connection, **key)
        assert not stores.debts.is_put_off(connection, snapshot.host_id, **key)
        assert not stores.debts.take_back(connection, **key)


def test_debt_that_is_due_is_not_taken_back(stores, snapshot):
    owe(stores, snapshot, delay=0)
    with stores.database.write() as connection:
        key = {"kind": "volume", "key": snapshot.location}
        assert not stores.debts.is_put_off(connection, snapshot.host_id, **key)
        assert stores.debts.remaining(connection) == 1
        assert not stores.debts.take_back(connection, **key)
        assert len(stores.debts.all(connection)) == 1


def test_volume_taken_back_is_bound_to_the_host_of_its_snapshot_only(stores, snapshot):
    maker = OperationId(new_id())
    free, bound = a_volume(), a_volume(snapshot_id=snapshot.id, host_id=snapshot.host_id)
    with stores.database.write() as connection:
        for volume in (free, bound):
            stores.volumes.add(connection, volume)
            stores.volumes.put(
                connection, volume.id, host=snapshot.host_id, location=volume.id, made_by=maker
            )
        stores.volumes.forget_made_by(connection, maker, [free.id, bound.id])
        found = [stores.volumes.get(connection, volume.id) for volume in (free, bound)]
        assert stores.volumes.uses_of_snapshot(connection, snapshot.id) == 1
    assert [volume.host_id for volume in found] == [None, snapshot.host_id]
    assert [volume.location for volume in found] == [None, None]
