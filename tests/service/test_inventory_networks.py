"""Networks of each kind, the hosts that have them, and ports that users make on them."""

from dataclasses import replace

import pytest

from tests.support.databases import sqlite
from tests.support.deployments import deployed
from vmwright.backends.network import Subnet
from vmwright.backends.simulated import open_backend
from vmwright.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded, Unavailable
from vmwright.ids import OperationId, new_id
from vmwright.waiting import Wait

BRIDGE, LIBVIRT = {"bridge": "br0"}, {"libvirt_network": "default"}


@pytest.fixture
def deployment(tmp_path):
    with deployed(tmp_path, sqlite(tmp_path)) as made:
        yield made


@pytest.fixture
def inventory(deployment):
    return deployment.inventory


@pytest.fixture
def hosts(inventory):
    return [inventory.create_host(name, f"simulated:///{name}") for name in ("one", "two")]


# Kinds


def test_kind_follows_from_what_is_there_already(inventory):
    ours = inventory.create_network("ours", "10.1.0.0/24")
    bridge = inventory.create_network("lan", "10.2.0.0/24", **BRIDGE)
    libvirts = inventory.create_network("lv", "10.3.0.0/24", **LIBVIRT)
    assert [(known.kind, known.source) for known in (ours, bridge, libvirts)] == [
        ("nat", None),
        ("bridge", "br0"),
        ("libvirt", "default"),
    ]
    assert (bridge.bridge, bridge.libvirt_network) == ("br0", None)
    assert (libvirts.bridge, libvirts.libvirt_network) == (None, "default")
    assert {known.gateway[-2:] for known in (ours, bridge, libvirts)} == {".1"}


def test_pool_and_name_servers_are_kept(inventory):
    made = inventory.create_network(
        "lan", "10.1.0.0/24", pool=("10.1.0.9", "10.1.0.20"), dns=["192.0.2.53", "192.0.2.54"]
    )
    assert (made.pool, made.dns) == (("10.1.0.9", "10.1.0.20"), ["192.0.2.53", "192.0.2.54"])
    assert inventory.network("lan") == made


@pytest.mark.parametrize(
    "wish",
    [
        BRIDGE | LIBVIRT,
        *({"bridge": name} for name in ("", "a" * 16, "br 0", "../br", "..", "br0\n", "é")),
        *({"libvirt_network": name} for name in ("", "a/b", "a b", "a" * 65, "<x/>")),
        {"bridge": "vmw0123456789a"},
        {"libvirt_network": "vmw-44444444-4444-4444-8444-444444444444"},
        {"pool": ("10.1.0.9", "10.1.0.8")},
        {"pool": ("10.1.0.0", "10.1.0.8")},
        {"pool": ("10.1.0.9", "10.1.0.255")},
        {"pool": ("10.2.0.9", "10.2.0.10")},
        {"pool": ("10.1.0.1", "10.1.0.1")},
        {"pool": ("junk", "10.1.0.1")},
        {"dns": ["junk"]},
        {"dns": [f"192.0.2.{n}" for n in range(1, 7)]},
        {"hosts": ["a\nb"]},
    ],
    ids=ascii,
)
def test_network_that_cannot_be_is_refused(inventory, wish):
    with pytest.raises(InvalidRequest):
        inventory.create_network("odd", "10.1.0.0/24", **wish)
    assert list(inventory.networks()) == []


# Overlaps


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"hosts": ["one"]}),
        (BRIDGE, BRIDGE),
        (BRIDGE, BRIDGE | {"hosts": ["one"]}),
        (BRIDGE | {"hosts": ["one"]}, BRIDGE | {"hosts": ["one", "two"]}),
        (LIBVIRT, LIBVIRT),
    ],
    ids=ascii,
)
def test_networks_that_meet_do_not_overlap(inventory, hosts, first, second):
    inventory.create_network("first", "10.1.0.0/24", **first)
    with pytest.raises(Conflict, match="network 'first'"):
        inventory.create_network("second", "10.1.0.128/25", **second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, BRIDGE),
        (BRIDGE, LIBVIRT),
        (BRIDGE, {"bridge": "br1"}),
        (BRIDGE | {"hosts": ["one"]}, BRIDGE | {"hosts": ["two"]}),
    ],
    ids=ascii,
)
def test_networks_that_never_meet_may_overlap(inventory, hosts, first, second):
    inventory.create_network("first", "10.1.0.0/24", **first)
    assert inventory.create_network("second", "10.1.0.0/24", **second)


# Hosts


def names(inventory, network):
    return [host.name for host in inventory.hosts_of_network(network)]


def test_network_is_everywhere_until_it_is_bound(inventory, hosts):
    network = inventory.create_network("lan", "10.1.0.0/24")
    assert names(inventory, network) == []
    assert inventory.bind_network("lan", ["two", hosts[0].id, "one"]) == network
    assert names(inventory, network) == ["one", "two"]
    inventory.bind_network("lan", ["two"])
    assert names(inventory, network) == ["two"]
    inventory.bind_network("lan", [])
    assert names(inventory, network) == []


def test_network_is_not_bound_to_what_does_not_exist(inventory, hosts):
    network = inventory.create_network("lan", "10.1.0.0/24", hosts=["one"])
    with pytest.raises(NotFound, match="host 'three'"):
        inventory.bind_network("lan", ["two", "three"])
    assert names(inventory, network) == ["one"]
    with pytest.raises(NotFound):
        inventory.create_network("other", "10.2.0.0/24", hosts=["three"])
    assert list(inventory.networks()) == [network]


def test_network_is_not_bound_to_where_it_would_overlap(inventory, hosts):
    inventory.create_network("first", "10.1.0.0/24", **BRIDGE, hosts=["one"])
    second = inventory.create_network("second", "10.1.0.0/24", **BRIDGE, hosts=["two"])
    for hosts_wanted in (["one"], ["one", "two"], []):
        with pytest.raises(Conflict, match="network 'first'"):
            inventory.bind_network("second", hosts_wanted)
    assert names(inventory, second) == ["two"]


def test_host_that_a_network_is_bound_to_is_not_deleted(inventory, hosts):
    inventory.create_network("lan", "10.1.0.0/24", hosts=["one"])
    with pytest.raises(Conflict, match="network 'lan' is bound to it") as refused:
        inventory.delete_host("one")
    assert "network set" in refused.value.hint
    inventory.bind_network("lan", ["two"])
    assert inventory.delete_host("one") == hosts[0]


@pytest.mark.parametrize("wish", [BRIDGE, LIBVIRT], ids=ascii)
def test_deleted_network_of_others_owes_nothing(deployment, inventory, hosts, wish):
    inventory.create_network("lan", "10.1.0.0/24", **wish, hosts=["one"])
    inventory.delete_network("lan")
    assert deployment.debts() == []
    assert list(inventory.networks()) == []


def test_deleted_network_goes_also_if_a_lost_call_makes_it_late(deployment, inventory, hosts):
    """Whoever pays the debt waits for the call: it would come back after its removal."""
    network = inventory.create_network("lan", "10.1.0.0/24")
    settings = replace(
        deployment.settings,
        simulated=replace(deployment.settings.simulated, faults=("ensure_network:1:late:1",)),
    )
    backend = open_backend(settings, deployment.id)
    wanted = Subnet(network=network.id, cidr=network.cidr, gateway=network.gateway)
    with pytest.raises(Unavailable):
        backend.host(hosts[0].connection_uri).network.ensure_network(wanted, Wait(5))
    backend.close()
    assert len(deployment.world("one", "jobs")) == 1
    inventory.delete_network("lan")
    assert deployment.pay() == 0
    assert deployment.world("one", "jobs") == deployment.world("one", "networks") == []


# Ports


@pytest.fixture
def network(inventory):
    return inventory.create_network("lan", "10.1.0.0/24", pool=("10.1.0.9", "10.1.0.20"))


def test_port_holds_an_address_of_the_pool_from_its_creation_on(inventory, network):
    port = inventory.ports.create("web", "lan")
    assert (port.name, port.network_id, port.ip) == ("web", network.id, "10.1.0.9")
    assert (port.instance_id, port.user_made, port.project_id) == (None, True, "default")
    assert inventory.ports.create("db", network.id).ip == "10.1.0.10"
    assert [known.name for known in inventory.ports.all()] == ["web", "db"]
    assert inventory.ports.get("web") == inventory.ports.get(port.id) == port


def test_a_port_counts_as_an_address_of_its_project(inventory, network):
    inventory.quotas.set({"fixed_ips": 1})
    inventory.ports.create("web", "lan")
    with pytest.raises(QuotaExceeded, match="Quota exceeded for fixed_ips: Requested 1, but"):
        inventory.ports.create("db", "lan")
    assert [known.name for known in inventory.ports.all()] == ["web"]


def test_port_has_the_addresses_that_were_asked_for(inventory, network):
    port = inventory.ports.create("web", "lan", ip="10.1.0.200", mac="52-54-00-AA-BB-CC")
    assert (port.ip, port.mac) == ("10.1.0.200", "52:54:00:aa:bb:cc")
    with pytest.raises(Conflict, match=r"fixed IP 10\.1\.0\.200 is in use"):
        inventory.ports.create("db", "lan", ip="10.1.0.200")
    with pytest.raises(Conflict, match="MAC address 52:54:00:aa:bb:cc is in use"):
        inventory.ports.create("db", "lan", mac="52:54:00:aa:bb:cc")
    assert list(inventory.ports.all()) == [port]


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"ip": "10.2.0.9"}, "does not hold it"),
        ({"ip": "10.1.0.0"}, "its own or its broadcast"),
        ({"ip": "10.1.0.255"}, "its own or its broadcast"),
        ({"ip": "10.1.0.1"}, "has its gateway there"),
        ({"ip": "junk"}, "not an IPv4 address"),
        ({"mac": "01:00:5e:00:00:01"}, "multicast"),
        ({"name": " web"}, "white space"),
    ],
)
def test_port_that_cannot_be_is_refused(inventory, network, wish, reason):
    with pytest.raises(InvalidRequest, match=reason):
        inventory.ports.create(**({"name": "web", "network": "lan"} | wish))
    assert list(inventory.ports.all()) == []


def test_what_does_not_exist_is_not_found(inventory, network):
    for verb in (inventory.ports.get, inventory.ports.delete):
        with pytest.raises(NotFound, match=r"^Port id nothing could not be found\.$"):
            verb("nothing")
    with pytest.raises(NotFound, match="network 'nothing'"):
        inventory.ports.create("web", "nothing")


def test_port_keeps_its_network_until_it_is_deleted(inventory, network):
    port = inventory.ports.create("web", "lan")
    with pytest.raises(Conflict, match="in use"):
        inventory.delete_network("lan")
    assert inventory.ports.delete("web") == port
    inventory.delete_network("lan")
    assert list(inventory.ports.all()) == []


def test_port_that_an_instance_has_is_not_deleted(deployment, inventory, network):
    port = inventory.ports.create("web", "lan")
    instance = deployment.instance(deployment.image())
    operation = OperationId(new_id())
    with deployment.database.write() as connection:
        deployment.stores.ports.bind(
            connection, port.id, instance=instance.id, operation=operation, position=0
        )
    with pytest.raises(Conflict, match=r"^Port web is still in use\.$") as refused:
        inventory.ports.delete("web")
    assert instance.id in refused.value.hint
    with deployment.database.write() as connection:
        deployment.stores.ports.release(connection, instance.id, None)
    assert inventory.ports.delete("web") == port
