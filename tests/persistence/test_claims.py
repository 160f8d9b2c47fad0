"""A host never holds more than it has."""

import pytest

from tests.support.crowds import all_at_once
from tests.support.rows import a_host, stored_instance
from vmwright.errors import Conflict
from vmwright.ids import OperationId, new_id
from vmwright.persistence.claims import Demand

ONE = Demand(vcpus=1, memory_mib=1024, disk_gib=10)


@pytest.fixture
def host(stores):
    record = a_host()
    with stores.database.write() as connection:
        stores.registries.hosts.add(connection, record)
    return record


def claimed(stores, host, demand=ONE, *, operation=None, attempt=1, instance=None):
    """The operation that claimed it for an instance, or None if it did not fit."""
    operation = operation or OperationId(new_id())
    with stores.database.write() as connection:
        fits = stores.claims.claim(
            connection,
            host.id,
            demand,
            instance=instance or stored_instance(stores, connection),
            operation=operation,
            attempt=attempt,
        )
    return operation if fits else None


def used(stores, host):
    with stores.database.read() as connection:
        return stores.claims.used(connection, host.id)


def test_claims_fit_up_to_the_last_bit(stores, host):
    assert all(claimed(stores, host) for _ in range(4))
    assert used(stores, host) == Demand(vcpus=4, memory_mib=4096, disk_gib=40)
    assert claimed(stores, host) is None


@pytest.mark.parametrize(
    "demand",
    [
        Demand(vcpus=5, memory_mib=1, disk_gib=1),
        Demand(vcpus=1, memory_mib=4097, disk_gib=1),
        Demand(vcpus=1, memory_mib=1, disk_gib=41),
    ],
    ids=["vcpus", "memory", "disk"],
)
def test_each_resource_is_a_limit(stores, host, demand):
    assert claimed(stores, host, demand) is None
    assert used(stores, host) == Demand(vcpus=0, memory_mib=0, disk_gib=0)


def test_ratios_stretch_a_host(stores):
    record = a_host(vcpu_ratio=2.5, memory_ratio=0.5)
    with stores.database.write() as connection:
        stores.registries.hosts.add(connection, record)
    assert claimed(stores, record, Demand(vcpus=10, memory_mib=2048, disk_gib=1))
    assert claimed(stores, record, Demand(vcpus=0, memory_mib=1, disk_gib=1)) is None
    assert claimed(stores, record, Demand(vcpus=1, memory_mib=0, disk_gib=1)) is None


@pytest.mark.parametrize("change", [{"enabled": False}, {"draining": True}], ids=str)
def test_host_that_takes_nothing_new_is_not_claimed(stores, host, change):
    with stores.database.write() as connection:
        stores.registries.hosts.change(connection, host.id, **change)
    assert claimed(stores, host) is None


def test_unknown_host_is_not_claimed(stores):
    assert claimed(stores, a_host()) is None


def test_released_claims_leave_room(stores, host):
    with stores.database.write() as connection:
        instance = stored_instance(stores, connection)
    assert claimed(stores, host, instance=instance)
    assert all(claimed(stores, host) for _ in range(3))
    assert claimed(stores, host) is None
    with stores.database.write() as connection:
        stores.claims.release(connection, instance, None)
    assert claimed(stores, host)


def test_claim_is_found_and_released_by_its_operation(stores, host):
    with stores.database.write() as connection:
        instance = stored_instance(stores, connection)
    operation = claimed(stores, host, instance=instance)
    other = OperationId(new_id())
    with stores.database.write() as connection:
        assert stores.claims.held(connection, instance, operation, attempt=1) == host.id
        assert stores.claims.held(connection, instance, other, attempt=1) is None
        stores.claims.release(connection, instance, other)
        assert stores.claims.held(connection, instance, operation, attempt=1) == host.id
        stores.claims.release(connection, instance, operation)
        assert stores.claims.held(connection, instance, operation, attempt=1) is None


def test_twenty_threads_never_overcommit(stores, host):
    outcomes = all_at_once([lambda: claimed(stores, host)] * 20)
    assert [o for o in outcomes if isinstance(o, Exception)] == []
    assert len([operation for operation in outcomes if operation]) == 4
    assert used(stores, host) == Demand(vcpus=4, memory_mib=4096, disk_gib=40)


def test_two_hundred_claims_on_ten_hosts_never_overcommit(stores):
    """Each asks host after host in an order of its own; 40 of them fit."""
    hosts = [
        a_host(name=f"h{number}", connection_uri=f"simulated:///h{number}") for number in range(10)
    ]
    with stores.database.write() as connection:
        for host in hosts:
            stores.registries.hosts.add(connection, host)
        instances = [stored_instance(stores, connection) for _ in range(200)]

    def claim_anywhere(first, instance):
        with stores.database.write() as connection:
            return any(
                stores.claims.claim(
                    connection,
                    host.id,
                    ONE,
                    instance=instance,
                    operation=OperationId(new_id()),
                    attempt=1,
                )
                for host in hosts[first:] + hosts[:first]
            )

    def ten_claims(number):
        mine = instances[10 * number : 10 * number + 10]
        return [claim_anywhere((number + place) % 10, one) for place, one in enumerate(mine)]

    outcomes = all_at_once([lambda number=number: ten_claims(number) for number in range(20)])
    assert [o for o in outcomes if isinstance(o, Exception)] == []
    assert sum(map(sum, outcomes)) == 40
    for host in hosts:
        assert used(stores, host) == Demand(vcpus=4, memory_mib=4096, disk_gib=40)


def test_a_host_that_takes_nothing_new_takes_what_is_forced_on_it(stores, host):
    with stores.database.write() as connection:
        stores.registries.hosts.change(connection, host.id, enabled=False, draining=True)
        instance = stored_instance(stores, connection)
        for forced in (False, True):
            fits = stores.claims.claim(
                connection,
                host.id,
                ONE,
                instance=instance,
                operation=OperationId(new_id()),
                attempt=1,
                forced=forced,
            )
            assert fits is forced


def test_host_with_claims_is_not_removed(stores, host):
    claimed(stores, host)
    with pytest.raises(Conflict), stores.database.write() as connection:
        stores.registries.hosts.remove(connection, host.id)
