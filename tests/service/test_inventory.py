"""Things are registered whole or not at all, and leave nothing behind when they go."""

import pytest

from tests.support.databases import sqlite
from tests.support.deployments import deployed
from vmwright.backends.network import Subnet
from vmwright.backends.removal import Kind, Removal
from vmwright.errors import Conflict, InvalidRequest, NotFound
from vmwright.ids import (
    OperationId,
    PortId,
    Whose,
    new_id,
)
from vmwright.persistence.records import Port
from vmwright.waiting import Wait

MIB = 1 << 20
ODD_NAMES = ["", " a", "a\nb", "a\u202eb", "x" * 256]


@pytest.fixture
def deployment(tmp_path):
    with deployed(tmp_path, sqlite(tmp_path)) as made:
        yield made


@pytest.fixture
def inventory(deployment):
    return deployment.inventory


# Names


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_names_follow_one_rule(deployment, inventory, name):
    source = deployment.file()
    for register in (
        lambda: inventory.create_image(name, source, wait=Wait(60)),
        lambda: inventory.create_flavor(name, 1, 1, 1),
        lambda: inventory.create_network(name, "10.1.0.0/24"),
        lambda: inventory.create_volume(name, 1),
        lambda: inventory.create_host(name, "simulated:///one"),
    ):
        with pytest.raises(InvalidRequest, match=r"^name: "):
            register()
    assert deployment.stored_bytes() == []


def test_taken_names_are_conflicts_and_nothing_is_stored(deployment, inventory):
    for register, all_of in (
        (lambda n: deployment.image(content=b"%d" % n), inventory.images),
        (lambda n: inventory.create_flavor("one", 1, n, 1), inventory.flavors),
        (lambda n: inventory.create_network("one", f"10.{n}.0.0/24"), inventory.networks),
        (lambda n: inventory.create_host("one", f"simulated:///h{n}"), inventory.hosts),
    ):
        first = register(1)
        with pytest.raises(Conflict) as refused:
            register(2)
        assert refused.value.hint
        assert list(all_of()) == [first]
    assert len(deployment.stored_bytes()) == 1


def test_what_does_not_exist_is_not_found(inventory):
    for verb in (
        inventory.image,
        inventory.delete_image,
        inventory.flavor,
        inventory.delete_flavor,
        inventory.network,
        inventory.delete_network,
        inventory.volume,
        inventory.delete_volume,
        inventory.host,
        inventory.delete_host,
        inventory.enable_host,
        inventory.set_host,
        inventory.drain_host,
        inventory.host_use,
        inventory.set_flavor,
        lambda name: inventory.set_image_properties(name, {}),
    ):
        with pytest.raises(NotFound) as missing:
            verb("nothing")
        assert missing.value.hint


# Flavors


def test_flavor_is_registered(inventory):
    flavor = inventory.create_flavor("small", 2, 512, 0)
    assert (flavor.vcpus, flavor.ram_mib, flavor.disk_gib) == (2, 512, 0)
    assert inventory.flavor("small") == flavor
    assert inventory.delete_flavor(flavor.id) == flavor
    assert list(inventory.flavors()) == []


@pytest.mark.parametrize(
    "figures", [(0, 1, 0), (1, 0, 0), (1, 1, -1), (5000, 1, 0), (1, 2**40, 0), (1, 1, 2**40)]
)
def test_flavors_have_sane_figures(inventory, figures):
    with pytest.raises(InvalidRequest):
        inventory.create_flavor("odd", *figures)


def test_flavor_may_have_more_disks_and_extra_specs(inventory):
    flavor = inventory.create_flavor(
        "small", 1, 512, 0, ephemeral_gib=5, swap_mib=64, extra_specs={"trait:SSD": "required"}
    )
    assert (flavor.ephemeral_gib, flavor.swap_mib, flavor.enabled) == (5, 64, True)
    assert inventory.flavor("small").extra_specs == {"trait:SSD": "required"}


ODD_SPECS = [{"a/b": "c"}, {"a": "x" * 256}, {f"key{n}": "" for n in range(129)}]


@pytest.mark.parametrize(
    "more",
    [{"ephemeral_gib": -1}, {"swap_mib": -1}, *({"extra_specs": odd} for odd in ODD_SPECS)],
    ids=lambda more: str(more)[:40],
)
def test_what_a_flavor_says_has_limits(inventory, more):
    with pytest.raises(InvalidRequest):
        inventory.create_flavor("odd", 1, 1, 1, **more)
    assert list(inventory.flavors()) == []


@pytest.mark.parametrize("specs", ODD_SPECS, ids=lambda specs: str(specs)[:40])
def test_extra_specs_have_the_same_limits_later(inventory, specs):
    flavor = inventory.create_flavor("small", 1, 1, 1)
    with pytest.raises(InvalidRequest):
        inventory.set_flavor("small", enabled=False, extra_specs=specs)
    assert inventory.flavor("small") == flavor


def test_flavor_is_changed_key_by_key(inventory):
    inventory.create_flavor("small", 1, 512, 0, extra_specs={"a": "1", "b": "2"})
    inventory.set_flavor("small", enabled=False)
    changed = inventory.set_flavor("small", extra_specs={"b": "3", "c": "4"}, without=["a", "z"])
    assert (changed.extra_specs, changed.enabled) == ({"b": "3", "c": "4"}, False)
    assert inventory.set_flavor("small", enabled=True).enabled
    assert inventory.flavor("small").extra_specs == {"b": "3", "c": "4"}


# Networks


def test_first_address_of_a_network_is_its_gateway_unless_said_otherwise(inventory):
    assert inventory.create_network("one", "10.1.0.0/24").gateway == "10.1.0.1"
    assert inventory.create_network("two", "10.2.0.0/29", "10.2.0.6").gateway == "10.2.0.6"


@pytest.mark.parametrize(
    ("cidr", "reason"),
    [
        ("10.1.0.5/24", "zeros after the prefix"),
        ("10.1.0.0", "prefix"),
        ("10.1.0.0/33", "not an IPv4 network"),
        ("fd00::/64", "not an IPv4 network"),
        ("junk", "not an IPv4 network"),
        ("10.1.0.0/30", "/29"),
        ("8.0.0.0/7", "/8"),
        ("127.0.0.0/24", "loopback"),
        ("169.254.0.0/24", "link-local"),
        ("169.0.0.0/8", "link-local"),
        ("224.0.0.0/24", "multicast"),
        ("240.0.0.0/24", "reserved"),
        ("0.0.0.0/8", "this network"),
    ],
)
def test_networks_that_no_guest_can_use_are_refused(inventory, cidr, reason):
    with pytest.raises(InvalidRequest, match=reason):
        inventory.create_network("odd", cidr)
    assert list(inventory.networks()) == []


@pytest.mark.parametrize("gateway", ["10.1.0.0", "10.1.0.255", "10.2.0.1", "junk", ""])
def test_gateway_is_an_address_of_the_network(inventory, gateway):
    with pytest.raises(InvalidRequest):
        inventory.create_network("odd", "10.1.0.0/24", gateway)


@pytest.mark.parametrize("cidr", ["10.1.0.0/24", "10.1.0.0/25", "10.0.0.0/8", "10.1.0.128/29"])
def test_networks_do_not_overlap(inventory, cidr):
    inventory.create_network("one", "10.1.0.0/24")
    with pytest.raises(Conflict, match="network 'one'"):
        inventory.create_network("two", cidr)


def test_network_with_addresses_given_out_is_not_deleted(deployment, inventory):
    network = inventory.create_network("one", "10.1.0.0/24")
    instance = deployment.instance(deployment.image())
    port = Port(
        id=PortId(new_id()),
        network_id=network.id,
        instance_id=instance.id,
        operation_id=OperationId(new_id()),
        position=0,
        mac="52:54:00:00:00:01",
        ip="10.1.0.2",
        ip_offset=2,
        project_id="default",
    )
    ports = deployment.database.schema.ports
    with deployment.database.write() as connection:
        connection.execute(ports.insert().values(port.values()))
    with pytest.raises(Conflict, match="in use"):
        inventory.delete_network("one")
    with deployment.database.write() as connection:
        deployment.stores.ports.release(connection, instance.id, None)
    assert inventory.delete_network("one") == network


def test_deleted_network_is_on_no_host_once_debts_are_paid(deployment, inventory):
    hosts = [inventory.create_host(name, f"simulated:///{name}") for name in ("one", "two")]
    network = inventory.create_network("net", "10.1.0.0/24")
    subnet = Subnet(network=network.id, cidr=network.cidr, gateway=network.gateway)
    deployment.backend.host(hosts[0].connection_uri).network.ensure_network(subnet, Wait(5))
    inventory.delete_network("net")
    assert deployment.debts() == [("one", "network", network.id), ("two", "network", network.id)]
    assert deployment.pay() == 0
    assert deployment.world("one", "networks") == []


# Volumes


def test_volume_is_registered_without_a_place(inventory):
    volume = inventory.create_volume("data", 3)
    assert (volume.name, volume.size_gib, volume.disk_format) == ("data", 3, "qcow2")
    assert (volume.host_id, volume.location) == (None, None)
    assert list(inventory.volumes()) == [inventory.volume("data")] == [volume]


@pytest.mark.parametrize("size", [0, -1, 2**31])
def test_volumes_have_a_size(inventory, size):
    with pytest.raises(InvalidRequest):
        inventory.create_volume("odd", size)


def test_volume_that_was_never_made_owes_nothing(deployment, inventory):
    inventory.create_volume("data", 1)
    inventory.delete_volume("data")
    assert list(inventory.volumes()) == []
    assert deployment.debts() == []


def test_attached_volume_is_not_deleted_and_later_removed_from_its_host(deployment, inventory):
    host = inventory.create_host("one", "simulated:///one")
    volume = inventory.create_volume("data", 1)
    instance = deployment.attached(volume, host)
    with pytest.raises(Conflict, match=instance.id):
        inventory.delete_volume("data")
    assert inventory.volume("data").deleted_at is None
    with deployment.database.write() as connection:
        deployment.stores.volumes.detach(connection, instance.id, None)
    inventory.delete_volume("data")
    assert len(deployment.world("one", "volumes")) == 1
    assert deployment.pay() == 0
    assert deployment.world("one", "volumes") == []


def test_debt_of_a_volume_is_stored_as_a_removal_of_its_makers_things(deployment, inventory):
    host = inventory.create_host("one", "simulated:///one")
    volume = inventory.create_volume("data", 1)
    instance = deployment.attached(volume, host)
    with deployment.database.write() as connection:
        deployment.stores.volumes.detach(connection, instance.id, None)
    inventory.delete_volume("data")
    with deployment.database.read() as connection:
        (debt,) = deployment.stores.debts.all(connection)
    removal = Removal.from_store({"kind": debt.kind, "key": debt.key, "whose": debt.whose})
    assert removal.kind is Kind.VOLUME
    assert removal.whose == Whose(deployment=deployment.id, instance=instance.id)
