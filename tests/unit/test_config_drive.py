"""A guest finds what it is told under OpenStack's names, and a repeated build writes the same."""

import io
import json
import shutil
import subprocess
import time
from dataclasses import replace

import pycdlib
import pytest

from vmwright.backends.config_drive import (
    LABEL,
    VERSIONS,
    Seed,
    SeedNic,
    config_drive,
    meta_data,
    network_data,
)
from vmwright.ids import InstanceId, NetworkId, PortId

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeFakeFake someone@somewhere"
USER_DATA = b"#cloud-config\n\x00\xff marker-of-a-secret\n"
NICS = tuple(
    SeedNic(
        port=PortId(f"00000000-0000-4000-8000-00000000000{number}"),
        mac=f"52:54:00:00:00:0{number}",
        network=NetworkId(f"10000000-0000-4000-8000-00000000000{number}"),
    )
    for number in (1, 2)
)
PLAIN = Seed(
    instance=InstanceId("aaaaaaaa-0000-4000-8000-000000000001"),
    name="wéb 1",
    hostname="web-1",
    project="default",
)
FULL = replace(
    PLAIN,
    metadata={"role": "web", "äöü": '"quoted" \n </end>'},
    public_keys={"default": KEY},
    nics=NICS,
    user_data=USER_DATA,
)


def opened(image: bytes) -> pycdlib.PyCdlib:
    iso = pycdlib.PyCdlib()
    iso.open_fp(io.BytesIO(image))
    return iso


def content(image: bytes, path: str, by: str = "rr_path") -> bytes:
    iso, found = opened(image), io.BytesIO()
    iso.get_file_from_iso_fp(found, **{by: path})
    iso.close()
    return found.getvalue()


def tree(image: bytes, by: str) -> set[str]:
    iso = opened(image)
    found = {
        f"{directory.rstrip('/')}/{file}"
        for directory, _, files in iso.walk(**{by: "/"})
        for file in files
    }
    iso.close()
    return found


@pytest.mark.parametrize("by", ["rr_path", "joliet_path"])
def test_layout_is_that_of_openstack(by):
    names = ("meta_data.json", "network_data.json", "user_data")
    expected = {f"/openstack/{version}/{name}" for version in VERSIONS for name in names}
    assert tree(config_drive(FULL), by) == expected
    assert "latest" in VERSIONS


def test_label_is_what_guests_look_for():
    iso = opened(config_drive(PLAIN))
    assert iso.pvd.volume_identifier.decode().strip() == LABEL == "config-2"
    assert iso.joliet_vd.volume_identifier.decode("utf-16-be").strip() == "config-2"
    iso.close()


def test_user_data_is_there_byte_for_byte_and_only_if_given():
    assert content(config_drive(FULL), "/openstack/latest/user_data") == USER_DATA
    assert all("user_data" not in path for path in tree(config_drive(PLAIN), "rr_path"))
    empty = config_drive(replace(PLAIN, user_data=b""))
    assert content(empty, "/openstack/latest/user_data") == b""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("by", ["rr_path", "joliet_path"])
def test_json_of_every_version_says_what_the_seed_says(version, by):
    image = config_drive(FULL)
    meta = json.loads(content(image, f"/openstack/{version}/meta_data.json", by))
    network = json.loads(content(image, f"/openstack/{version}/network_data.json", by))
    assert meta == meta_data(FULL)
    assert network == network_data(FULL)


def test_meta_data_names_the_instance():
    assert meta_data(FULL) == {
        "uuid": FULL.instance,
        "name": "wéb 1",
        "hostname": "web-1",
        "launch_index": 0,
        "availability_zone": "nova",
        "project_id": "default",
        "meta": dict(FULL.metadata),
        "public_keys": {"default": KEY},
        "keys": [{"name": "default", "type": "ssh", "data": KEY}],
    }


def test_meta_data_without_keys_mentions_none():
    assert {"public_keys", "keys", "random_seed"} & meta_data(PLAIN).keys() == set()


def test_network_data_has_a_link_and_a_dhcp_network_for_each_interface():
    data = network_data(FULL)
    assert list(data) == ["links", "networks", "services"]
    assert data["links"] == [
        {
            "id": f"nic{position}",
            "vif_id": nic.port,
            "type": "phy",
            "ethernet_mac_address": nic.mac,
            "mtu": 1500,
        }
        for position, nic in enumerate(NICS)
    ]
    assert data["networks"] == [
        {
            "id": f"network{position}",
            "link": f"nic{position}",
            "network_id": nic.network,
            "type": "ipv4_dhcp",
        }
        for position, nic in enumerate(NICS)
    ]
    assert network_data(PLAIN) == {"links": [], "networks": [], "services": []}


def test_same_seed_gives_the_same_bytes_at_any_time_in_any_zone(monkeypatch):
    first = config_drive(FULL)
    monkeypatch.setattr(time, "time", lambda: 1_999_999_999.0)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    second = config_drive(replace(FULL, metadata=dict(reversed(FULL.metadata.items()))))
    monkeypatch.undo()
    time.tzset()
    assert first == second


def test_every_date_on_the_drive_is_fixed():
    iso = opened(config_drive(FULL))
    records = [iso.get_record(rr_path="/openstack/latest"), iso.get_record(rr_path="/openstack")]
    records += [child for record in list(records) for child in record.children]
    assert len(records) > 8
    for record in records:
        assert (record.date.years_since_1900, record.date.month) == (118, 8)
    assert iso.pvd.volume_creation_date.year == 2018
    iso.close()


@pytest.mark.parametrize("size", [1, 2047, 2048, 2049, 49_149])
def test_user_data_of_any_size_is_whole(size):
    seed = replace(FULL, user_data=bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    image = config_drive(seed)
    assert len(image) % 2048 == 0
    assert content(image, "/openstack/latest/user_data") == seed.user_data


def test_many_metadata_items_fit():
    seed = replace(PLAIN, metadata={f"key{n}": "ü" * 255 for n in range(128)})
    meta = json.loads(content(config_drive(seed), "/openstack/latest/meta_data.json"))
    assert meta["meta"] == dict(seed.metadata)


def test_drive_does_not_repeat_what_is_secret():
    assert "marker-of-a-secret" not in repr(FULL)
    assert "marker-of-a-secret" in repr(FULL.user_data)


def test_other_programs_see_an_iso_with_that_label(tmp_path):
    blkid = shutil.which("blkid", path="/usr/sbin:/sbin:/usr/bin:/bin")
    assert blkid, "blkid is missing: apt install util-linux"
    (tmp_path / "drive").write_bytes(config_drive(FULL))
    told = subprocess.run(
        [blkid, "-p", "-o", "export", tmp_path / "drive"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert "LABEL=config-2" in told
    assert "TYPE=iso9660" in told
