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

OPERATION = OperationId(new_id())


class Asking:
    """Asks for addresses on one network, for a new instance each time."""

    def __init__(self, stores, cidr="10.1.0.0/29", gateway="10.1.0.1", name="net"):
        self.stores = stores
        self.record = a_network(cidr=cidr, gateway=gateway, name=name)
        with stores.database.write() as connection:
            stores.registries.networks.add(connection, self.record)

    def __call__(self, **changes):
        with self.stores.database.write() as connection:
            return self.within(connection, **changes)

    def within(self, connection, **changes):
        wish = {
            "port": PortId(new_id()),
            "operation": OPERATION,
            "position": 0,
            "network": self.record.id,
            "subnet": ipaddress.IPv4Network(self.record.cidr),
            "gateway": ipaddress.IPv4Address(self.record.gateway),
            "ip": None,
            "mac": None,
        } | changes
        if "instance" not in wish:
            wish["instance"] = stored_instance(self.stores, connection)
        return self.stores.ports.allocate(connection, project="default", **wish)


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


def test_holders_are_found_by_address(stores, ask):
    port = ask()
    with stores.database.read() as connection:
        assert stores.ports.holder_of_ip(connection, port.network_id, 2) == port.instance_id
        assert stores.ports.holder_of_ip(connection, port.network_id, 3) is None
        assert stores.ports.holder_of_mac(connection, port.mac) == port.instance_id
        assert stores.ports.uses_of_network(connection, port.network_id) == 1


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
import ipaddress, json, sys
from pathlib import Path
from tests.support.rows import stored_instance
from vmwright.ids import new_id
from vmwright.persistence.database import Database
from vmwright.persistence.stores import Stores
from vmwright.settings import DatabaseSettings
settings = DatabaseSettings(**json.loads({json.dumps(asdict(ready))!r}))
stores = Stores.of(Database.open(settings), Path({str(tmp_path / "key")!r}))
for _ in range(5):
    with stores.database.write() as connection:
        port = stores.ports.allocate(
            connection, port=new_id(), project="default",
            instance=stored_instance(stores, connection), operation=new_id(),
            position=0, network={network.id!r},
            subnet=ipaddress.IPv4Network("10.3.0.0/24"),
            gateway=ipaddress.IPv4Address("10.3.0.1"), ip=None, mac=None,
        )
    print(port.ip)
"""
    children = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    given = [line for child in children for line in child.communicate()[0].split()]
    assert [child.returncode for child in children] == [0] * 4
    assert sorted(given, key=ipaddress.IPv4Address) == [f"10.3.0.{n}" for n in range(2, 22)]
