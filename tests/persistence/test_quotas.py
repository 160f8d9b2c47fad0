"""What counts against a quota is counted once: as wish while it is built, as rows afterwards."""

from dataclasses import asdict

import pytest

from tests.support.crowds import all_at_once
from tests.support.rows import a_host, a_network, a_port, a_volume, an_instance, stored_instance
from vmwright.ids import SnapshotId, new_id
from vmwright.persistence.quotas import Usage
from vmwright.persistence.records import Snapshot
from vmwright.states import VmState

NOTHING = Usage(instances=0, cores=0, ram=0, volumes=0, gigabytes=0, fixed_ips=0)
WISH = {"vcpus": 2, "memory_mib": 512, "new_volumes": 2, "new_gib": 7, "new_ips": 1}


@pytest.fixture
def network(stores):
    made = a_network()
    with stores.database.write() as connection:
        stores.registries.networks.add(connection, made)
    return made


def usage(stores, project="default") -> Usage:
    with stores.database.read() as connection:
        return stores.quotas.usage(connection, project)


def used(stores, **expected: int) -> bool:
    return asdict(usage(stores)) == asdict(NOTHING) | expected


def test_empty_project_has_nothing(stores):
    assert usage(stores) == NOTHING


def test_build_counts_as_its_request_whatever_was_made_of_it(stores, network):
    wanted = {"instances": 1, "cores": 2, "ram": 512, "volumes": 2, "gigabytes": 7, "fixed_ips": 1}
    with stores.database.write() as connection:
        instance = stored_instance(stores, connection, **WISH)
    assert used(stores, **wanted)
    with stores.database.write() as connection:
        stores.volumes.add(connection, a_volume(size_gib=4, made_for=instance))
        port = stores.database.schema.ports.insert().values(
            a_port(network.id, instance_id=instance).values()
        )
        connection.execute(port)
    assert used(stores, **wanted)


@pytest.mark.parametrize("state", [VmState.ACTIVE, VmState.ERROR])
def test_what_was_built_counts_as_its_rows(stores, network, state):
    with stores.database.write() as connection:
        instance = stored_instance(stores, connection, vm_state=state, **WISH)
        stores.volumes.add(connection, a_volume(size_gib=4, made_for=instance))
        connection.execute(
            stores.database.schema.ports.insert().values(
                a_port(network.id, instance_id=instance).values()
            )
        )
    assert used(stores, instances=1, cores=2, ram=512, volumes=1, gigabytes=4, fixed_ips=1)


def test_what_its_user_brought_counts_also_while_it_is_built(stores, network):
    """Its request does not ask for it: it was there before."""
    with stores.database.write() as connection:
        instance = stored_instance(stores, connection)
        stores.volumes.add(connection, a_volume(size_gib=4))
        for port in (
            a_port(network.id, ip_offset=2, instance_id=instance, user_made=True),
            a_port(network.id, ip_offset=3, user_made=True),
        ):
            connection.execute(stores.database.schema.ports.insert().values(port.values()))
    assert used(stores, instances=1, volumes=1, gigabytes=4, fixed_ips=2)


def test_deleted_things_do_not_count(stores):
    with stores.database.write() as connection:
        instance = stored_instance(stores, connection, **WISH)
        volume = a_volume(made_for=instance)
        stores.volumes.add(connection, volume)
        stores.instances.bury(connection, instance)
        stores.volumes.bury(connection, volume.id)
    assert usage(stores) == NOTHING


def test_volume_that_outlives_its_instance_counts_on(stores):
    with stores.database.write() as connection:
        instance = stored_instance(stores, connection, **WISH)
        stores.volumes.add(connection, a_volume(size_gib=4, made_for=instance))
        stores.instances.bury(connection, instance)
    assert used(stores, volumes=1, gigabytes=4)


def test_snapshots_count_as_gigabytes(stores):
    volume, host = a_volume(size_gib=4), a_host()
    with stores.database.write() as connection:
        stores.registries.hosts.add(connection, host)
        stores.volumes.add(connection, volume)
        for number, deleted_at in enumerate((None, 1.0)):
            snapshot = Snapshot(
                id=SnapshotId(new_id()),
                project_id="default",
                name=f"s{number}",
                volume_id=volume.id,
                size_gib=3,
                host_id=host.id,
                location=f"l{number}",
                bootable=False,
                deleted_at=deleted_at,
            )
            connection.execute(stores.database.schema.snapshots.insert().values(snapshot.values()))
    assert used(stores, volumes=1, gigabytes=7)


def test_projects_are_counted_apart(stores, network):
    with stores.database.write() as connection:
        stored_instance(stores, connection, project_id="other", **WISH)
        stores.volumes.add(connection, a_volume(project_id="other"))
        port = a_port(network.id, project_id="other")
        connection.execute(stores.database.schema.ports.insert().values(port.values()))
    assert usage(stores) == NOTHING
    assert usage(stores, "other").volumes == 3


def test_limits_are_set_and_unset_for_one_project(stores):
    with stores.database.write() as connection:
        stores.quotas.set(connection, "me", "cores", 8)
        stores.quotas.set(connection, "me", "cores", 9)
        stores.quotas.set(connection, "me", "instances", -1)
        assert stores.quotas.limits(connection, "me") == {"cores": 9, "instances": -1}
        assert stores.quotas.limits(connection, "you") == {}
        stores.quotas.unset(connection, "me", "cores")
        stores.quotas.unset(connection, "me", "ram")
        assert stores.quotas.limits(connection, "me") == {"instances": -1}


def test_limit_that_many_set_at_once_is_one_of_theirs(stores):
    def put(number: int) -> None:
        with stores.database.write() as connection:
            stores.quotas.set(connection, "me", "cores", number)

    assert all_at_once([lambda n=n: put(n) for n in range(8)]) == [None] * 8
    with stores.database.read() as connection:
        assert stores.quotas.limits(connection, "me")["cores"] in range(8)


def test_those_who_hold_a_project_never_exceed_its_limit(stores):
    """Also where the project's row has to be made first."""

    def accept() -> bool:
        with stores.database.write() as connection:
            stores.quotas.usage(connection, "me")
            stores.quotas.hold(connection, "me")
            if stores.quotas.usage(connection, "me").instances >= 3:
                return False
            stores.instances.add(connection, an_instance(project_id="me"))
            return True

    assert sorted(all_at_once([accept] * 20)) == [False] * 17 + [True] * 3
    assert usage(stores, "me").instances == 3
