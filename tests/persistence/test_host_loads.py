"""What is read of hosts is right, and costs the same number of queries for any number of them."""

import pytest
import sqlalchemy as sa

from tests.support.rows import (
    a_host,
    a_network,
    a_volume,
    stored_instance,
    stored_operation,
)
from vmwright.ids import HostId, InstanceId, NetworkId, VolumeId, new_id
from vmwright.persistence.claims import Demand
from vmwright.persistence.debts import HOST_AWAY, LATE_EFFECT
from vmwright.persistence.host_loads import HostLoad
from vmwright.states import AttemptOutcome, VmState

ONE = Demand(vcpus=1, memory_mib=512, disk_gib=3)
HOUR = 3600.0


@pytest.fixture
def hosts(stores):
    """Two of them, by name."""
    records = [
        a_host(name=name, connection_uri=f"simulated:///{name}") for name in ("first", "second")
    ]
    with stores.database.write() as connection:
        for record in records:
            stores.registries.hosts.add(connection, record)
    return {record.name: record.id for record in records}


def claim(stores, connection, host, **changes) -> InstanceId:
    instance = stored_instance(stores, connection, host_id=host, **changes)
    operation = new_id()
    assert stores.claims.claim(
        connection, host, ONE, instance=instance, operation=operation, attempt=1
    )
    return instance


def attempt(stores, connection, host, outcome) -> str:
    operation = stored_operation(stores, connection).id
    stores.attempts.begin(connection, operation, 1)
    stores.attempts.place(connection, operation, 1, host)
    stores.attempts.end(connection, operation, 1, outcome)
    return operation


def owe(stores, connection, host, reason) -> None:
    stores.debts.owe(
        connection,
        host=host,
        kind="volume",
        key=new_id(),
        whose={},
        reason=reason,
        delay=0.0,
        operation=None,
        instance=None,
    )


def loads(stores, window=HOUR):
    with stores.database.read() as connection:
        return dict(stores.host_loads.all(connection, failure_window=window))


def test_a_host_without_anything_has_no_load(stores, hosts):
    assert loads(stores) == {}


def test_claims_are_summed_and_builds_told_from_what_lives(stores, hosts):
    first, second = hosts["first"], hosts["second"]
    with stores.database.write() as connection:
        claim(stores, connection, first)
        claim(stores, connection, first, vm_state=VmState.ACTIVE)
        claim(stores, connection, second, vm_state=VmState.ACTIVE)
    assert loads(stores) == {
        first: HostLoad(vcpus=2, memory_mib=1024, disk_gib=6, instances=2, builds=1),
        second: HostLoad(vcpus=1, memory_mib=512, disk_gib=3, instances=1, builds=0),
    }


def test_only_faults_of_hosts_count_and_only_for_a_while(stores, hosts):
    first = hosts["first"]
    with stores.database.write() as connection:
        old = attempt(stores, connection, first, AttemptOutcome.FAILED)
        connection.execute(
            sa.update(stores.database.schema.attempts)
            .where(stores.database.schema.attempts.c.operation_id == old)
            .values(ended_at=1.0)
        )
        for outcome in AttemptOutcome:
            attempt(stores, connection, first, outcome)
        attempt(stores, connection, first, AttemptOutcome.FAILED)
        # An attempt that found no host is nobody's fault.
        attempt(stores, connection, None, AttemptOutcome.FAILED)
    assert loads(stores) == {first: HostLoad(failures=2)}


def test_only_what_was_left_while_away_makes_a_host_unclean(stores, hosts):
    first = hosts["first"]
    with stores.database.write() as connection:
        owe(stores, connection, first, HOST_AWAY)
        owe(stores, connection, first, HOST_AWAY)
        owe(stores, connection, first, LATE_EFFECT)
        owe(stores, connection, hosts["second"], LATE_EFFECT)
    assert loads(stores) == {first: HostLoad(uncleaned=2)}


def test_instances_and_volumes_are_found_where_they_are(stores, hosts):
    first, second = hosts["first"], hosts["second"]
    placed, elsewhere = (
        a_volume(name="placed", host_id=first, location="x"),
        a_volume(name="nowhere"),
    )
    with stores.database.write() as connection:
        here = stored_instance(stores, connection, host_id=second)
        nowhere = stored_instance(stores, connection)
        for volume in (placed, elsewhere):
            stores.volumes.add(connection, volume)
            if volume.location:
                stores.volumes.put(
                    connection, volume.id, host=first, location="x", made_by=new_id()
                )
    with stores.database.read() as connection:
        read = stores.host_loads
        assert read.hosts_of_instances(connection, [here, nowhere]) == {here: second}
        known = read.hosts_of_volumes(connection, [placed.id, elsewhere.id, VolumeId(new_id())])
        assert known == {placed.id: first}
        assert read.hosts_of_instances(connection, []) == {}


def test_networks_that_are_bound_are_where_they_are_bound_to(stores, hosts):
    both = frozenset(hosts.values())
    bound, everywhere = a_network(name="bound"), a_network(name="everywhere")
    with stores.database.write() as connection:
        for network in (bound, everywhere):
            stores.registries.networks.add(connection, network)
        stores.registries.networks.bind(connection, bound.id, both)
    asked = [bound.id, everywhere.id, NetworkId(new_id())]
    with stores.database.read() as connection:
        assert stores.host_loads.hosts_of_networks(connection, asked) == {bound.id: both}


def test_the_number_of_queries_does_not_grow_with_hosts(stores, hosts):
    def queries() -> int:
        asked: list[str] = []

        def count(_connection, _cursor, statement, *_):
            asked.append(statement)

        sa.event.listen(stores.database.reader, "before_cursor_execute", count)
        with stores.database.read() as connection:
            stores.host_loads.all(connection, failure_window=HOUR)
        sa.event.remove(stores.database.reader, "before_cursor_execute", count)
        return len(asked)

    few = queries()
    with stores.database.write() as connection:
        for number in range(20):
            host = a_host(name=f"more{number}", connection_uri=f"simulated:///more{number}")
            stores.registries.hosts.add(connection, host)
            claim(stores, connection, HostId(host.id))
    assert queries() == few == 1
