"""Whoever has no wish gets the lowest free address, however many are given out."""

import pytest
import sqlalchemy as sa

from tests.support.crowds import all_at_once
from tests.support.rows import a_network, stored_instance
from vmwright.errors import Conflict
from vmwright.ids import OperationId, PortId, new_id
from vmwright.persistence.ports import Allocation
from vmwright.persistence.stores import Stores

OPERATION = OperationId(new_id())


@pytest.fixture
def network(stores):
    record = a_network(cidr="10.3.0.0/20", gateway="10.3.0.1")
    with stores.database.write() as connection:
        stores.registries.networks.add(connection, record)
    return record


def hold(stores, network, offsets):
    """Have ports at these distances from the network's address."""
    rows = [
        {
            "id": new_id(),
            "network_id": network.id,
            "position": 0,
            "mac": f"52:54:00:00:{offset >> 8:02x}:{offset & 255:02x}",
            "ip": network.addresses.at(offset),
            "ip_offset": offset,
            "project_id": "default",
            "user_made": True,
        }
        for offset in offsets
    ]
    with stores.database.write() as connection:
        connection.execute(sa.insert(stores.database.schema.ports), rows)


def let_go(stores, network, *offsets):
    """As another process would: ours is told nothing."""
    column = stores.database.schema.ports.c
    with stores.database.write() as connection:
        connection.execute(
            sa.delete(stores.database.schema.ports).where(
                column.network_id == network.id, column.ip_offset.in_(offsets)
            )
        )


def ask(stores, network, **wish):
    with stores.database.write() as connection:
        return stores.ports.allocate(connection, wanted(stores, connection, network, **wish))


def wanted(stores, connection, network, **wish):
    usual = {
        "port": PortId(new_id()),
        "project": "default",
        "network": network.id,
        "addresses": network.addresses,
        "operation": OPERATION,
    }
    if "instance" not in wish:
        wish["instance"] = stored_instance(stores, connection)
    return Allocation(**(usual | wish))


def offset(stores, network):
    return ask(stores, network).ip_offset


def test_holes_are_filled_from_below(stores, network):
    hold(stores, network, set(range(2, 2000)) - {5, 700, 1999})
    assert [offset(stores, network) for _ in range(4)] == [5, 700, 1999, 2000]


def test_what_another_process_gave_back_is_found_once_nothing_is_left_above(stores, network):
    last = 2**12 - 2
    hold(stores, network, range(2, last))
    let_go(stores, network, 3, 9)
    assert offset(stores, network) == 3
    let_go(stores, network, 3)
    assert [offset(stores, network) for _ in range(3)] == [9, last, 3]
    with pytest.raises(Conflict, match="no free address"):
        offset(stores, network)
    let_go(stores, network, 1000)
    assert offset(stores, network) == 1000


def test_what_was_given_back_here_is_given_next(stores, network):
    hold(stores, network, range(2, 100))
    ports = [ask(stores, network) for _ in range(3)]
    with stores.database.write() as connection:
        stores.ports.release(connection, ports[0].instance_id, OPERATION)
    assert [offset(stores, network) for _ in range(2)] == [100, 103]


def test_a_users_port_that_was_removed_leaves_its_address(stores, network):
    mine = ask(stores, network, instance=None, operation=None)
    assert offset(stores, network) == 3
    with stores.database.write() as connection:
        stores.ports.remove(connection, mine.id)
    assert offset(stores, network) == mine.ip_offset == 2


def test_who_asks_again_is_given_the_same_also_once_the_network_is_full(stores, network):
    hold(stores, network, range(2, 2**12 - 2))
    port = ask(stores, network)
    again = ask(stores, network, port=port.id, instance=port.instance_id)
    assert (again.mac, again.ip) == (port.mac, port.ip)


def test_what_is_taken_of_a_mac_changes_no_address(stores, network):
    port = PortId(new_id())
    with stores.database.read() as connection:
        first = wanted(stores, connection, network, port=port, instance=None)
    usual = ask(stores, network, port=port, instance=None, operation=None)
    with stores.database.write() as connection:
        stores.ports.remove(connection, first.port)
    ask(stores, network, mac=usual.mac, ip="10.3.0.200")
    given = ask(stores, network, port=port, instance=None, operation=None)
    assert given.ip_offset in (usual.ip_offset, usual.ip_offset + 1)
    assert given.mac != usual.mac


def test_processes_that_fight_for_the_same_addresses_all_get_one(stores, network, tmp_path):
    """Each has its own memory of where to look, as processes have."""
    others = [Stores.of(stores.database, tmp_path / "key") for _ in range(12)]
    given = all_at_once([lambda own=own: ask(own, network) for own in others])
    assert [one for one in given if isinstance(one, Exception)] == []
    assert len({port.ip for port in given}) == 12


def test_an_allocation_asks_the_store_twice_however_full_the_network_is(stores, network):
    hold(stores, network, range(2, 3000))
    asked: list[str] = []

    def count(_connection, _cursor, statement, *_):
        asked.append(statement)

    with stores.database.write() as connection:
        wishes = [wanted(stores, connection, network) for _ in range(2)]
        stores.ports.allocate(connection, wishes[0])
    sa.event.listen(stores.database.writer, "before_cursor_execute", count)
    with stores.database.write() as connection:
        stores.ports.allocate(connection, wishes[1])
    sa.event.remove(stores.database.writer, "before_cursor_execute", count)
    savepoints = 2 * (connection.dialect.name in ("mysql", "mariadb"))
    assert len(asked) == 2 + savepoints, asked
