"""Images come whole, go whole, and leave no copy behind on any host."""

import os

import pytest

from tests.support.crowds import all_at_once
from tests.support.databases import sqlite
from tests.support.deployments import deployed
from tests.support.disk_images import qcow2_head
from tests.support.rows import image_spec
from vmwright.backends.volumes import Base, Volume
from vmwright.errors import Conflict, InvalidRequest
from vmwright.ids import (
    InstanceId,
    Mark,
    OperationId,
    Whose,
    base_name,
    new_id,
    volume_name,
)
from vmwright.spec import VolumeSpec
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


PROPERTIES = {
    "img_config_drive": "mandatory",
    "auto_disk_config": "True",
    "hw_disk_bus": "SCSI",
    "kernel_id": "vmlinuz of mine",
    "os_distro": "debian",
}


def test_image_has_properties_which_are_changed_key_by_key(deployment, inventory):
    image = deployment.image(properties=PROPERTIES)
    assert image.properties == PROPERTIES | {"auto_disk_config": "true", "hw_disk_bus": "scsi"}
    changed = inventory.set_image_properties(
        "image", {"hw_disk_bus": "sata"}, without=["os_distro", "kernel_id", "nothing"]
    )
    assert inventory.image("image") == changed
    assert changed.properties == {
        "img_config_drive": "mandatory",
        "auto_disk_config": "true",
        "hw_disk_bus": "sata",
    }


@pytest.mark.parametrize(
    "properties",
    [
        {"img_config_drive": "maybe"},
        {"auto_disk_config": "1"},
        {"hw_disk_bus": "floppy"},
        {"": "x"},
        {"a": "x" * 256},
    ],
    ids=lambda properties: str(properties)[:40],
)
def test_property_that_steers_builds_means_something(deployment, inventory, properties):
    with pytest.raises(InvalidRequest, match=r"^properties: "):
        deployment.image(properties=properties)
    assert deployment.stored_bytes() == []
    deployment.image()
    with pytest.raises(InvalidRequest, match=r"^properties: "):
        inventory.set_image_properties("image", properties)
    assert inventory.image("image").properties == {}


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
