"""No two interfaces share an address, however many ask at once."""

import ipaddress
import json
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from tests.support.crowds import all_at_once
from tests.support.rows import a_network, stored_instance
from vmwright.errors import Conflict, NotFound
from vmwright.ids import OperationId, PortId, new_id
from vmwright.persistence.ports import Allocation

OPERATION = OperationId(new_id())


class Asking:
    """Asks for addresses on one network, for a new instance each time."""

    def __init__(self, stores, **network):
        self.stores = stores
        self.record = a_network(**network)
        with stores.database.write() as connection:
            stores.registries.networks.add(connection, self.record)

    def __call__(self, **changes):
        with self.stores.database.write() as connection:
            return self.within(connection, **changes)

    def within(self, connection, **changes):
        if "instance" not in changes:
            changes["instance"] = stored_instance(self.stores, connection)
        return self.stores.ports.allocate(connection, self.wanted(**changes))

    def wanted(self, **changes):
        wish = {
            "port": PortId(new_id()),
            "project": "default",
            "network": self.record.id,
            "addresses": self.record.addresses,
            "operation": OPERATION,
        }
        return Allocation(**(wish | changes))

    def users_port(self, **changes):
        """A port that belongs to no instance yet."""
        wish = {"instance": None, "operation": None, "name": "mine"} | changes
        return self(**wish)


@pytest.fixture
def ask(stores):
    return Asking(stores)


def test_lowest_free_address_is_given_and_the_gateway_skipped(ask):
    assert [ask().ip for _ in range(3)] == ["10.1.0.2", "10.1.0.3", "10.1.0.4"]


@pytest.mark.parametrize(
    ("gateway", "given"),
    [
        ("10.1.0.1", ["2", "3", "4", "5", "6"]),
        ("10.1.0.3", ["1", "2", "4", "5", "6"]),
        ("10.1.0.6", ["1", "2", "3", "4", "5"]),
    ],
)
def test_full_subnet_is_a_conflict_wherever_its_gateway_is(stores, gateway, given):
    ask = Asking(stores, gateway=gateway)
    assert [ask().ip.rpartition(".")[2] for _ in range(5)] == given
    with pytest.raises(Conflict, match="no free address"):
        ask()


def test_address_that_was_given_back_is_given_again(stores, ask):
    ports = [ask() for _ in range(4)]
    with stores.database.write() as connection:
        stores.ports.release(connection, ports[1].instance_id, OPERATION)
    assert ask().ip == ports[1].ip


def test_asking_again_gives_the_same(ask):
    first = ask()
    again = ask(port=first.id, instance=first.instance_id, ip="10.1.0.5")
    assert replace(again, seq=0) == replace(first, seq=0)


def test_wishes_are_granted(ask):
    port = ask(ip="10.1.0.5", mac="52:54:00:aa:bb:cc")
    assert (port.ip, port.mac) == ("10.1.0.5", "52:54:00:aa:bb:cc")
    assert ask().ip == "10.1.0.2"


def test_macs_are_of_a_single_interface_and_derive_from_the_port(ask):
    ports = [ask() for _ in range(4)]
    assert len({port.mac for port in ports}) == 4
    assert all(port.mac.startswith("52:54:00:") for port in ports)


def test_taken_wishes_are_conflicts(ask):
    ask(ip="10.1.0.5", mac="52:54:00:aa:bb:cc")
    with pytest.raises(Conflict, match=r"fixed IP 10\.1\.0\.5 is in use") as refused:
        ask(ip="10.1.0.5")
    assert refused.value.hint
    with pytest.raises(Conflict, match="MAC address 52:54:00:aa:bb:cc is in use"):
        ask(mac="52:54:00:aa:bb:cc")


def test_macs_are_unique_across_networks(stores, ask):
    other = Asking(stores, cidr="10.2.0.0/24", gateway="10.2.0.1", name="other")
    ask(mac="52:54:00:aa:bb:cc")
    with pytest.raises(Conflict):
        other(mac="52:54:00:aa:bb:cc")


def test_refused_wish_leaves_the_transaction_usable(stores, ask):
    ask(ip="10.1.0.5")
    with stores.database.write() as connection:
        with pytest.raises(Conflict):
            ask.within(connection, ip="10.1.0.5")
        assert ask.within(connection).ip == "10.1.0.2"


def test_taken_addresses_are_known(stores, ask):
    port = ask()
    with stores.database.read() as connection:
        assert stores.ports.is_ip_taken(connection, port.network_id, 2)
        assert not stores.ports.is_ip_taken(connection, port.network_id, 3)
        assert stores.ports.is_mac_taken(connection, port.mac)
        assert not stores.ports.is_mac_taken(connection, "52:54:00:aa:bb:cc")
        assert stores.ports.uses_of_network(connection, port.network_id) == 1


@pytest.mark.parametrize(
    ("pool", "given"),
    [
        (("10.1.0.3", "10.1.0.4"), ["3", "4"]),
        (("10.1.0.1", "10.1.0.3"), ["2", "3"]),
        (("10.1.0.6", "10.1.0.6"), ["6"]),
    ],
)
def test_addresses_are_chosen_from_the_pool(stores, pool, given):
    ask = Asking(stores, pool_first=pool[0], pool_last=pool[1])
    assert [ask().ip.rpartition(".")[2] for _ in given] == given
    with pytest.raises(Conflict, match=f"{pool[0]} to {pool[1]} has no free address"):
        ask()


def test_gateway_in_the_middle_of_the_pool_is_given_to_nobody(stores):
    ask = Asking(stores, gateway="10.1.0.4", pool_first="10.1.0.3", pool_last="10.1.0.5")
    assert [ask().ip for _ in range(2)] == ["10.1.0.3", "10.1.0.5"]


def test_who_asks_gets_an_address_outside_of_the_pool(stores):
    ask = Asking(stores, pool_first="10.1.0.3", pool_last="10.1.0.4")
    assert ask(ip="10.1.0.6").ip == "10.1.0.6"
    assert ask().ip == "10.1.0.3"


# Ports of users


def bind(stores, connection, port, instance, operation=OPERATION):
    return stores.ports.bind(
        connection, port.id, instance=instance, operation=operation, position=1
    )


def test_users_port_holds_its_addresses_without_an_instance(stores, ask):
    port = ask.users_port()
    assert (port.ip, port.user_made, port.instance_id) == ("10.1.0.2", True, None)
    assert ask().ip == "10.1.0.3"


def test_users_port_is_bound_again_by_the_same_operation_only(stores, ask):
    port = ask.users_port()
    with stores.database.write() as connection:
        instance, other = (stored_instance(stores, connection) for _ in range(2))
        bound = bind(stores, connection, port, instance)
        assert bind(stores, connection, port, instance) == bound
        assert (bound.instance_id, bound.operation_id, bound.position) == (instance, OPERATION, 1)
        assert (bound.mac, bound.ip) == (port.mac, port.ip)
        for taker, operation in ((other, OPERATION), (instance, OperationId(new_id()))):
            with pytest.raises(Conflict, match=r"^Port mine is still in use\.$") as refused:
                bind(stores, connection, port, taker, operation)
            assert instance in refused.value.hint


def test_port_that_was_deleted_meanwhile_is_not_found(stores, ask):
    port = ask.users_port()
    with stores.database.write() as connection:
        stores.ports.remove(connection, port.id)
        instance = stored_instance(stores, connection)
        with pytest.raises(NotFound, match=f"^Port id {port.id} could not be found.$"):
            bind(stores, connection, port, instance)


@pytest.mark.parametrize("operation", [OPERATION, None], ids=["of-operation", "of-instance"])
def test_release_deletes_what_was_made_with_the_instance_and_keeps_the_users(
    stores, ask, operation
):
    port = ask.users_port()
    made = ask()
    with stores.database.write() as connection:
        bind(stores, connection, port, made.instance_id)
        for _ in range(2):
            stores.ports.release(connection, made.instance_id, operation)
            assert stores.ports.of_instance(connection, made.instance_id) == []
        kept = stores.ports.get(connection, port.id)
        assert stores.ports.get(connection, made.id) is None
    assert replace(kept, seq=0) == replace(port, seq=0)


def test_release_by_another_operation_unbinds_nothing(stores, ask):
    port = ask.users_port()
    with stores.database.write() as connection:
        instance = stored_instance(stores, connection)
        bound = bind(stores, connection, port, instance)
        stores.ports.release(connection, instance, OperationId(new_id()))
        assert stores.ports.get(connection, port.id) == bound


def test_bound_port_is_not_deleted(stores, ask):
    port = ask.users_port()
    with stores.database.write() as connection:
        bind(stores, connection, port, stored_instance(stores, connection))
        with pytest.raises(Conflict, match="Port mine is still in use"):
            stores.ports.remove(connection, port.id)
        assert stores.ports.get(connection, port.id)


def test_ports_are_found_by_name_or_id_in_their_project_only(stores, ask):
    port = ask.users_port()
    for _ in range(2):
        ask.users_port(name="twin")
    with stores.database.read() as connection:
        for word in ("mine", port.id):
            assert stores.ports.find(connection, "default", word).id == port.id
            with pytest.raises(NotFound, match=f"^Port id {word} could not be found.$"):
                stores.ports.find(connection, "other", word)
        with pytest.raises(Conflict, match="several ports are named 'twin'"):
            stores.ports.find(connection, "default", "twin")
        names = [known.name for known in stores.ports.of_project(connection, "default")]
        assert names == ["mine", "twin", "twin"]
        assert stores.ports.of_project(connection, "other") == []


def test_one_of_many_instances_gets_a_port(stores, ask):
    port = ask.users_port()

    def take():
        with stores.database.write() as connection:
            instance = stored_instance(stores, connection)
            return bind(stores, connection, port, instance, OperationId(new_id()))

    outcomes = all_at_once([take] * 8)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict"] * 7 + ["Port"]


def test_only_what_an_operation_took_is_given_back(stores, ask):
    port = ask()
    other = OperationId(new_id())
    with stores.database.write() as connection:
        stores.ports.release(connection, port.instance_id, other)
        kept = stores.ports.of_instance(connection, port.instance_id)
        assert [known.id for known in kept] == [port.id]
        stores.ports.release(connection, port.instance_id, None)
        assert stores.ports.of_instance(connection, port.instance_id) == []


def test_network_that_is_gone_is_not_found(stores, ask):
    with stores.database.write() as connection:
        stores.registries.networks.remove(connection, ask.record.id)
    with pytest.raises(NotFound, match="was deleted"):
        ask()


def test_network_with_addresses_given_out_is_not_removed(stores, ask):
    ask()
    with (
        pytest.raises(Conflict, match="in use"),
        stores.database.write() as connection,
    ):
        stores.registries.networks.remove(connection, ask.record.id)
    with stores.database.read() as connection:
        assert stores.registries.networks.find(connection, "net")


def test_threads_that_ask_at_once_get_distinct_addresses(stores):
    ask = Asking(stores, cidr="10.3.0.0/24", gateway="10.3.0.1")
    given = all_at_once([ask] * 8)
    assert sorted(port.ip for port in given) == [f"10.3.0.{n}" for n in range(2, 10)]
    assert len({port.mac for port in given}) == 8


def test_threads_that_want_the_same_address_get_it_once(ask):
    given = all_at_once([lambda: ask(ip="10.1.0.4")] * 8)
    assert sorted(type(outcome).__name__ for outcome in given) == ["Conflict"] * 7 + ["Port"]


def test_processes_that_ask_at_once_get_distinct_addresses(stores, ready, tmp_path):
    network = Asking(stores, cidr="10.3.0.0/24", gateway="10.3.0.1").record
    program = f"""
import json, sys
from pathlib import Path
from tests.support.rows import stored_instance
from vmwright.ids import new_id
from vmwright.networks import Addresses
from vmwright.persistence.database import Database
from vmwright.persistence.ports import Allocation
from vmwright.persistence.stores import Stores
from vmwright.settings import DatabaseSettings
settings = DatabaseSettings(**json.loads({json.dumps(asdict(ready))!r}))
stores = Stores.of(Database.open(settings), Path({str(tmp_path / "key")!r}))
for _ in range(5):
    with stores.database.write() as connection:
        wanted = Allocation(
            port=new_id(), project="default", network={network.id!r},
            addresses=Addresses(cidr="10.3.0.0/24", gateway="10.3.0.1"),
            instance=stored_instance(stores, connection), operation=new_id(),
        )
        port = stores.ports.allocate(connection, wanted)
    print(port.ip)
"""
    children = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    given = [line for child in children for line in child.communicate()[0].split()]
    assert [child.returncode for child in children] == [0] * 4
    assert sorted(given, key=ipaddress.IPv4Address) == [f"10.3.0.{n}" for n in range(2, 22)]
