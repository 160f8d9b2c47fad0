"""What cloud-init is asked to do at the first boot."""

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given

from tests.support.random_flows import UNHURRIED
from tests.support.seeds import FULL, JSON_VALUES, PLAIN
from vmwright.backends.guest_data import Layout, SeedDisk, config_drive
from vmwright.backends.guest_data.cloud_config import (
    as_yaml,
    device_path,
    first_boot,
    vendor_parts,
    write_files,
)
from vmwright.errors import InvalidRequest


def test_nothing_is_asked_for_by_default():
    assert first_boot(PLAIN) == {}
    assert write_files(()) == {}
    assert vendor_parts(PLAIN, first_boot(PLAIN)) == []


def test_root_file_system_keeps_its_size_if_the_disk_is_configured_by_hand():
    assert first_boot(replace(PLAIN, auto_disk_config=False)) == {
        "growpart": {"mode": "off"},
        "resize_rootfs": False,
    }


def test_admin_password_is_the_default_users_and_does_not_expire():
    assert first_boot(replace(PLAIN, admin_password="pässword")) == {
        "password": "pässword",
        "chpasswd": {"expire": False},
    }


def test_blank_disks_get_a_file_system_unless_they_hold_something():
    assert first_boot(FULL)["fs_setup"] == [
        {
            "device": "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_data",
            "filesystem": "xfs",
            "partition": "auto",
            "overwrite": False,
        },
        {
            "device": "/dev/disk/by-id/virtio-scratch",
            "filesystem": "ext4",
            "partition": "auto",
            "overwrite": False,
            "label": "ephemeral0",
        },
        {
            "device": "/dev/disk/by-id/ata-QEMU_HARDDISK_swap",
            "filesystem": "swap",
            "partition": "auto",
            "overwrite": False,
        },
    ]


def test_swap_is_switched_on_and_nothing_else_is_mounted():
    swap = "/dev/disk/by-id/ata-QEMU_HARDDISK_swap"
    assert first_boot(FULL)["mounts"] == [[swap, "none", "swap", "sw", "0", "0"]]
    without = tuple(disk for disk in FULL.disks if disk.guest_format != "swap")
    assert "mounts" not in first_boot(replace(FULL, disks=without))


@pytest.mark.parametrize(
    ("bus", "name"),
    [
        ("virtio", "virtio-s1"),
        ("scsi", "scsi-0QEMU_QEMU_HARDDISK_s1"),
        ("sata", "ata-QEMU_HARDDISK_s1"),
        ("ide", "ata-QEMU_HARDDISK_s1"),
        ("usb", "usb-QEMU_QEMU_HARDDISK_s1-0:0"),
    ],
)
def test_disk_is_found_by_its_serial(bus: str, name: str):
    assert device_path(SeedDisk(serial="s1", bus=bus)) == f"/dev/disk/by-id/{name}"


@pytest.mark.parametrize("layout", Layout)
def test_disk_that_the_guest_cannot_find_is_refused_only_if_it_is_to_be_formatted(layout: Layout):
    floppy = SeedDisk(serial="s1", bus="fdc", tags=("old",))
    config_drive(replace(PLAIN, disks=(floppy,)), layout)
    seed = replace(PLAIN, disks=(replace(floppy, guest_format="vfat"),))
    with pytest.raises(InvalidRequest, match="disk s1 on bus fdc") as refused:
        config_drive(seed, layout)
    assert "virtio" in refused.value.hint


def test_what_a_request_asks_for_comes_after_what_the_operator_says():
    operators = "#cloud-config\npassword: of-the-operator\n"
    seed = replace(PLAIN, vendor_data={"cloud-init": operators}, admin_password="of-the-request")
    parts = vendor_parts(seed, first_boot(seed))
    assert parts[0] == operators
    assert yaml.safe_load(parts[1])["password"] == "of-the-request"


@pytest.mark.parametrize(
    "text",
    [
        "off",
        "no",
        "1:30",
        "52:54:00:12:34:56",
        "0123",
        "~",
        "a: b",
        "#c",
        "'\"",
        "é😀",
        "\t\n",
        "\x85",
        "",
    ],
)
def test_texts_stay_texts(text: str):
    assert yaml.safe_load(as_yaml({"key": text, text: 1})) == {"key": text, text: 1}


@UNHURRIED
@given(JSON_VALUES)
def test_any_value_is_read_back(value: Any):
    assert yaml.safe_load(as_yaml(value)) == value


@pytest.mark.parametrize("password", ["plain'\"\\\n", "\x7f", "\U0001f511", "\x85", "no", "0660"])
def test_any_password_reaches_cloud_init_as_it_is(password: str):
    seed = replace(PLAIN, admin_password=password)
    (part,) = vendor_parts(seed, first_boot(seed))
    assert yaml.safe_load(part)["password"] == password
