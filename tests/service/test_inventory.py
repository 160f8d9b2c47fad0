"""Things are registered whole or not at all, and leave nothing behind when they go."""

import json
import os

import pytest

from tests.support.crowds import all_at_once
from tests.support.deployments import Deployment
from tests.support.disk_images import qcow2_head
from tests.support.rows import an_attachment, an_operation, image_spec
from vmwright.backends.network import Subnet
from vmwright.backends.removal import Kind, Removal
from vmwright.backends.volumes import Base, Volume
from vmwright.errors import Conflict, InvalidRequest, NotFound, Unavailable
from vmwright.ids import (
    InstanceId,
    Mark,
    OperationId,
    PortId,
    Whose,
    base_name,
    new_id,
    volume_name,
)
from vmwright.persistence.claims import Demand
from vmwright.persistence.records import Port
from vmwright.request import VolumeSpec
from vmwright.settings import DatabaseSettings
from vmwright.waiting import Wait

MIB = 1 << 20
ODD_NAMES = ["", " a", "a\nb", "a\u202eb", "x" * 256]


@pytest.fixture
def deployment(tmp_path):
    made = Deployment(tmp_path, DatabaseSettings(connection=f"sqlite:///{tmp_path / 'store.db'}"))
    yield made
    made.close()


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
    ):
        with pytest.raises(NotFound) as missing:
            verb("nothing")
        assert missing.value.hint


# Images


def test_image_is_registered_with_what_its_bytes_say(deployment, inventory):
    content = qcow2_head(size=8 * MIB).ljust(MIB, b"\0")
    image = deployment.image(content=content, min_disk_gib=2, min_ram_mib=64)
    assert (image.disk_format, image.size_bytes) == ("qcow2", MIB)
    assert (image.virtual_size_bytes, image.min_disk_gib, image.min_ram_mib) == (8 * MIB, 2, 64)
    assert image.created_at > 0
    assert inventory.image("image") == inventory.image(image.id) == image
    assert deployment.images.path(image.location).read_bytes() == content


@pytest.mark.parametrize("changes", [{"min_disk_gib": -1}, {"min_ram_mib": -1}])
def test_needs_of_an_image_are_not_negative(deployment, changes):
    with pytest.raises(InvalidRequest):
        deployment.image(**changes)
    assert deployment.stored_bytes() == []


def test_refused_image_is_not_registered(deployment, inventory):
    with pytest.raises(InvalidRequest, match="backing"):
        deployment.image(content=qcow2_head(backing=512).ljust(MIB, b"\0"))
    assert list(inventory.images()) == []
    assert deployment.stored_bytes() == []


def test_same_content_under_two_names_lies_there_once_until_both_are_gone(deployment, inventory):
    first, second = deployment.image("first"), deployment.image("second")
    assert first.location == second.location
    inventory.delete_image("first")
    assert deployment.stored_bytes() == [second.location]
    inventory.delete_image("second")
    assert deployment.stored_bytes() == []


def test_image_of_a_living_instance_is_not_deleted(deployment, inventory):
    image = deployment.image()
    instance = deployment.instance(image)
    with pytest.raises(Conflict, match="in use") as refused:
        inventory.delete_image("image")
    assert instance.id in refused.value.hint
    assert deployment.stored_bytes() == [image.location]
    deployment.bury(instance)
    assert inventory.delete_image("image") == image


@pytest.mark.parametrize("role", ["kernel", "ramdisk", "volume"])
def test_image_that_an_instance_has_besides_is_not_deleted(deployment, inventory, role):
    disk, other = deployment.image("disk", b"disk"), deployment.image("other", b"other")
    if role == "volume":
        wish = VolumeSpec(
            volume=new_id(),
            source="image",
            name="v",
            size_gib=1,
            image=image_spec(other),
            delete_on_termination=True,
        )
        deployment.instance(disk, volumes=(wish,))
    else:
        deployment.instance(disk, **{role: image_spec(other)})
    with pytest.raises(Conflict):
        inventory.delete_image("other")


def test_id_of_an_image_in_a_users_words_is_no_use_of_it(deployment, inventory):
    disk, other = deployment.image("disk", b"disk"), deployment.image("other", b"other")
    deployment.instance(disk, metadata={"note": f"not {other.id}"})
    assert inventory.delete_image("other") == other


def test_image_of_a_living_volume_is_not_deleted(deployment, inventory):
    image = deployment.image()
    volume = inventory.create_volume("v", 1)
    table = deployment.database.schema.volumes
    with deployment.database.write() as connection:
        connection.execute(table.update().values(image_id=image.id))
    with pytest.raises(Conflict, match="volumes"):
        inventory.delete_image("image")
    inventory.delete_volume(volume.id)
    inventory.delete_image("image")


def cached(deployment, host, image) -> Base:
    """The image as a build leaves it on a host."""
    base = Base(
        sha256=image.sha256,
        disk_format=image.disk_format,
        size_bytes=image.size_bytes,
        virtual_size_bytes=image.virtual_size_bytes,
    )
    place = deployment.backend.host(host.connection_uri)
    place.volumes.ensure_base(base, deployment.images.path(image.location), Wait(5))
    return base


def test_deleted_image_is_cached_on_no_host_once_debts_are_paid(deployment, inventory):
    hosts = [inventory.create_host(name, f"simulated:///{name}") for name in ("one", "two")]
    image, kept = deployment.image(), deployment.image("kept", b"kept")
    for host in hosts:
        cached(deployment, host, image)
        cached(deployment, host, kept)
    inventory.delete_image("image")
    assert {kind for _, kind, _ in deployment.debts()} == {"base"}
    assert deployment.pay() == 0
    for host in hosts:
        left = deployment.world(host.name, "bases")
        assert left == [base_name(deployment.id, kept.sha256, kept.disk_format)]


def test_cached_image_that_another_name_needs_stays(deployment, inventory):
    host = inventory.create_host("one", "simulated:///one")
    first = deployment.image("first")
    deployment.image("second")
    cached(deployment, host, first)
    inventory.delete_image("first")
    assert deployment.debts() == []
    assert len(deployment.world("one", "bases")) == 1


def test_image_that_is_created_again_is_owed_no_more(deployment, inventory):
    inventory.create_host("one", "simulated:///one")
    deployment.image()
    inventory.delete_image("image")
    assert len(deployment.debts()) == 1
    deployment.image()
    assert deployment.debts() == []


def test_cached_image_under_an_overlay_stays_owed_until_that_is_gone(deployment, inventory):
    host = inventory.create_host("one", "simulated:///one")
    image = deployment.image()
    base = cached(deployment, host, image)
    place = deployment.backend.host(host.connection_uri)
    mark = Mark(
        deployment=deployment.id,
        instance=InstanceId(new_id()),
        operation=OperationId(new_id()),
        attempt=1,
    )
    name = volume_name(mark, "root", "qcow2")
    overlay = Volume(name=name, disk_format="qcow2", size_bytes=MIB, base=base)
    place.volumes.ensure_volume(overlay, Wait(5))
    inventory.delete_image("image")
    assert deployment.pay() == 1
    whose = Whose(deployment=deployment.id, instance=mark.instance)
    place.volumes.ensure_no_volume(name, whose, Wait(5))
    assert deployment.pay() == 0
    assert deployment.world("one", "bases") == []


def test_bytes_that_the_dead_left_are_removed_with_the_next_image(deployment):
    stray, fresh = "a" * 64 + ".raw", "b" * 64 + ".raw"
    deployment.image_root.mkdir(parents=True)
    for name in (stray, fresh):
        (deployment.image_root / name).touch()
    os.utime(deployment.image_root / stray, (1, 1))
    image = deployment.image()
    assert deployment.stored_bytes() == sorted([fresh, image.location])


def test_creating_and_deleting_the_same_content_at_once_never_loses_bytes(deployment, inventory):
    def come_and_go(number: int) -> None:
        for turn in range(5):
            name = f"image-{number}-{turn}"
            source = deployment.file(name=name)
            inventory.create_image(name, source, wait=Wait(60))
            if turn % 2:
                inventory.delete_image(name)

    outcomes = all_at_once([lambda n=n: come_and_go(n) for n in range(4)])
    assert outcomes == [None] * 4
    (location,) = {image.location for image in inventory.images()}
    assert deployment.stored_bytes() == [location]


def test_one_of_many_images_gets_a_name_and_the_others_leave_no_bytes(deployment, inventory):
    def create(number: int):
        source = deployment.file(b"%d" % number, name=f"source-{number}")
        return inventory.create_image("image", source, wait=Wait(60))

    outcomes = all_at_once([lambda n=n: create(n) for n in range(6)])
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict"] * 5 + ["Image"]
    (image,) = inventory.images()
    assert deployment.stored_bytes() == [image.location]


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


def attached(deployment, volume, host):
    """The volume as a running instance of it leaves it: made on a host, and in use."""
    instance = deployment.instance(deployment.image("of its instance"))
    with deployment.database.write() as connection:
        operation = an_operation(instance.id)
        deployment.stores.operations.add(connection, operation)
        mark = Mark(
            deployment=deployment.id, instance=instance.id, operation=operation.id, attempt=1
        )
        location = volume_name(mark, "data", "qcow2")
        deployment.stores.volumes.attach(
            connection, an_attachment(volume.id, instance.id, operation.id)
        )
        deployment.stores.volumes.put(
            connection, volume.id, host=host.id, location=location, made_by=operation.id
        )
    made = Volume(name=location, disk_format="qcow2", size_bytes=MIB)
    deployment.backend.host(host.connection_uri).volumes.ensure_volume(made, Wait(5))
    return instance


def test_attached_volume_is_not_deleted_and_later_removed_from_its_host(deployment, inventory):
    host = inventory.create_host("one", "simulated:///one")
    volume = inventory.create_volume("data", 1)
    instance = attached(deployment, volume, host)
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
    instance = attached(deployment, volume, host)
    with deployment.database.write() as connection:
        deployment.stores.volumes.detach(connection, instance.id, None)
    inventory.delete_volume("data")
    with deployment.database.read() as connection:
        (debt,) = deployment.stores.debts.all(connection)
    removal = Removal.from_store({"kind": debt.kind, "key": debt.key, "whose": debt.whose})
    assert removal.kind is Kind.VOLUME
    assert removal.whose == Whose(deployment=deployment.id, instance=instance.id)


# Hosts


def test_host_is_registered_with_what_it_says_of_itself(deployment, inventory):
    host = inventory.create_host("one", "simulated:///one")
    facts = deployment.backend.host(host.connection_uri).hypervisor.facts(Wait(5))
    assert (host.vcpus, host.memory_mib) == (facts.vcpus, facts.memory_mib)
    assert (host.disk_gib, host.hypervisor_uuid) == (facts.disk_gib, facts.uuid)
    assert (host.vcpu_ratio, host.memory_ratio, host.disk_ratio) == (16.0, 1.0, 1.0)
    assert (host.zone, host.enabled) == ("nova", True)


def test_figures_that_are_given_win(inventory):
    host = inventory.create_host(
        "one", "simulated:///one", vcpus=3, memory_mib=77, disk_gib=5, vcpu_ratio=2.0, zone="z"
    )
    assert (host.vcpus, host.memory_mib, host.disk_gib) == (3, 77, 5)
    assert (host.vcpu_ratio, host.zone) == (2.0, "z")


@pytest.mark.parametrize(
    "figures",
    [
        {"vcpus": 0},
        {"vcpus": -1},
        {"memory_mib": 0},
        {"disk_gib": 0},
        {"vcpu_ratio": 0.0},
        {"memory_ratio": -1.0},
        {"disk_ratio": float("nan")},
        {"vcpu_ratio": float("inf")},
        {"zone": ""},
    ],
    ids=str,
)
def test_figures_of_a_host_are_positive(inventory, figures):
    with pytest.raises(InvalidRequest):
        inventory.create_host("one", "simulated:///one", **figures)
    assert list(inventory.hosts()) == []


def test_address_that_the_backend_does_not_know_is_refused(inventory):
    with pytest.raises(InvalidRequest):
        inventory.create_host("one", "qemu:///system")


def test_hypervisor_is_registered_once_whatever_its_address(deployment, inventory):
    inventory.create_host("one", "simulated:///one")
    twin = deployment.home / "world" / "hosts" / "twin"
    twin.mkdir(parents=True)
    uuid = inventory.host("one").hypervisor_uuid
    (twin / "host.json").write_text(json.dumps({"uuid": uuid}))
    with pytest.raises(Conflict, match="host 'one'") as refused:
        inventory.create_host("twin", "simulated:///twin")
    assert "host_uuid" in refused.value.hint
    with pytest.raises(Conflict, match="connection_uri of host 'one' is taken"):
        inventory.create_host("other", "simulated:///one")


def silence(deployment, host: str) -> None:
    directory = deployment.home / "world" / "hosts" / host
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "down").touch()


def test_silent_host_is_unavailable_and_not_registered(deployment, inventory):
    silence(deployment, "one")
    with pytest.raises(Unavailable):
        inventory.create_host("one", "simulated:///one")
    assert list(inventory.hosts()) == []


def test_default_host_is_registered_on_first_use_and_found_again(deployment, inventory):
    host = inventory.ensure_default_host()
    assert host.connection_uri == deployment.backend.default_uri
    assert host.name == "host1"
    silence(deployment, "host1")
    assert inventory.ensure_default_host() == host


def test_default_host_gets_a_name_of_its_own_if_the_name_is_taken(inventory):
    inventory.create_host("host1", "simulated:///other")
    host = inventory.ensure_default_host()
    assert host.name == f"host1-{host.hypervisor_uuid}"


def test_default_host_that_is_silent_is_unavailable(deployment, inventory):
    silence(deployment, "host1")
    with pytest.raises(Unavailable):
        inventory.ensure_default_host()


def test_default_host_is_registered_once_by_many(inventory):
    outcomes = all_at_once([inventory.ensure_default_host] * 6)
    assert set(outcomes) == set(inventory.hosts())
    assert len(inventory.hosts()) == 1


def test_host_is_disabled_with_a_reason_and_enabled_again(inventory):
    inventory.create_host("one", "simulated:///one")
    disabled = inventory.disable_host("one", "new disks")
    assert (disabled.enabled, disabled.disabled_reason) == (False, "new disks")
    enabled = inventory.enable_host("one")
    assert (enabled.enabled, enabled.disabled_reason) == (True, None)
    with pytest.raises(InvalidRequest):
        inventory.disable_host("one", "a\nb")


@pytest.mark.parametrize("holder", ["claims", "instances", "volumes", "debts"])
def test_host_that_holds_something_of_ours_is_not_deleted(deployment, inventory, holder):
    host = inventory.create_host("one", "simulated:///one")
    instance = deployment.instance(deployment.image("of another"))
    stores = deployment.stores
    with deployment.database.write() as connection:
        if holder == "claims":
            stores.claims.claim(
                connection,
                host.id,
                Demand(vcpus=1, memory_mib=1, disk_gib=0),
                instance=instance.id,
                operation=OperationId(new_id()),
                attempt=1,
            )
        elif holder == "instances":
            stores.instances.place(connection, instance.id, host.id)
    if holder == "volumes":
        attached(deployment, inventory.create_volume("data", 1), host)
    if holder == "debts":
        inventory.create_network("net", "10.1.0.0/24")
        inventory.delete_network("net")
    with pytest.raises(Conflict, match=holder):
        inventory.delete_host("one")
    assert inventory.host("one").enabled


def test_host_that_holds_what_the_store_does_not_know_is_kept(deployment, inventory):
    inventory.create_host("one", "simulated:///one")
    stranger = deployment.home / "world/hosts/one/volumes/stranger.json"
    stranger.write_text("{}")
    with pytest.raises(Conflict, match="stranger") as refused:
        inventory.delete_host("one")
    assert refused.value.hint
    assert inventory.host("one").enabled
    stranger.unlink()
    inventory.delete_host("one")
    assert list(inventory.hosts()) == []


def test_deleted_host_is_forgotten_also_while_it_is_silent(deployment, inventory):
    host = inventory.create_host("one", "simulated:///one")
    silence(deployment, "one")
    assert inventory.delete_host("one") == host
    assert list(inventory.hosts()) == []
