"""A guest finds what it is told, whatever it is, and a repeated build writes the same bytes."""

import base64
import json
import shutil
import subprocess
import time
from dataclasses import replace

import pytest
import yaml
from hypothesis import given

from tests.support.drives import check_schema, files_on, opened
from tests.support.random_flows import UNHURRIED
from tests.support.seeds import FULL, PLAIN, SECRET, SEEDS
from vmwright.backends.guest_data import Layout, Seed, config_drive
from vmwright.backends.guest_data.iso import _laid_out, iso_image
from vmwright.backends.guest_data.nocloud import nocloud_files
from vmwright.backends.guest_data.openstack import openstack_files

FILES_OF = {Layout.CONFIG_2: openstack_files, Layout.NOCLOUD: nocloud_files}
LABELS = {Layout.CONFIG_2: "config-2", Layout.NOCLOUD: "cidata"}

each_layout = pytest.mark.parametrize("layout", Layout)
each_tree = pytest.mark.parametrize("by", ["rr_path", "joliet_path"])


def test_openstack_layout_is_the_default():
    assert config_drive(FULL) == config_drive(FULL, Layout.CONFIG_2)
    assert config_drive(FULL) != config_drive(FULL, Layout.NOCLOUD)


@each_tree
def test_openstack_layout_has_the_names_of_openstack(by: str):
    told = ("meta_data.json", "network_data.json", "user_data", "vendor_data.json")
    ec2 = ("meta-data.json", "user-data")
    expected = {f"/openstack/{v}/{name}" for v in ("2018-08-27", "latest") for name in told}
    expected |= {f"/ec2/{v}/{name}" for v in ("2009-04-04", "latest") for name in ec2}
    expected |= {"/openstack/content/0000", "/openstack/content/0001"}
    assert files_on(config_drive(FULL), by).keys() == expected


@each_tree
def test_nocloud_layout_has_the_names_of_cloud_init(by: str):
    for seed in (FULL, PLAIN):
        found = files_on(config_drive(seed, Layout.NOCLOUD), by)
        assert found.keys() == {"/meta-data", "/user-data", "/vendor-data", "/network-config"}


@each_tree
@each_layout
@pytest.mark.parametrize("seed", [FULL, PLAIN], ids=["full", "plain"])
def test_every_file_is_on_the_drive_byte_for_byte(seed: Seed, layout: Layout, by: str):
    assert files_on(config_drive(seed, layout), by) == FILES_OF[layout](seed)


@each_layout
def test_label_is_what_guests_look_for(layout: Layout):
    iso = opened(config_drive(PLAIN, layout))
    assert iso.pvd.volume_identifier.decode().strip() == LABELS[layout]
    assert iso.joliet_vd.volume_identifier.decode("utf-16-be").strip() == LABELS[layout]
    iso.close()


@each_layout
def test_other_programs_see_an_iso_with_that_label(layout: Layout, tmp_path):
    blkid = shutil.which("blkid", path="/usr/sbin:/sbin:/usr/bin:/bin")
    assert blkid, "blkid is missing: apt install util-linux"
    (tmp_path / "drive").write_bytes(config_drive(FULL, layout))
    told = subprocess.run(
        [blkid, "-p", "-o", "export", tmp_path / "drive"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert f"LABEL={LABELS[layout]}" in told
    assert "TYPE=iso9660" in told


@pytest.mark.parametrize("given", [b"#!/bin/sh\n\x00\xff", b""])
def test_user_data_is_there_byte_for_byte(given: bytes):
    seed = replace(PLAIN, user_data=given)
    openstack, nocloud = (files_on(config_drive(seed, layout)) for layout in Layout)
    assert openstack["/openstack/latest/user_data"] == given
    assert openstack["/ec2/latest/user-data"] == given
    assert nocloud["/user-data"] == given


def test_user_data_that_was_not_given_is_no_file_for_openstack_and_an_empty_one_for_nocloud():
    openstack, nocloud = (files_on(config_drive(PLAIN, layout)) for layout in Layout)
    assert not [path for path in openstack if path.endswith(("user_data", "user-data"))]
    assert nocloud["/user-data"] == b""


@each_layout
def test_same_seed_gives_the_same_bytes_at_any_time_in_any_zone(layout: Layout, monkeypatch):
    first = config_drive(FULL, layout)
    monkeypatch.setattr(time, "time", lambda: 1_999_999_999.0)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    second = config_drive(reordered(FULL), layout)
    monkeypatch.undo()
    time.tzset()
    assert first == second


def reordered(seed: Seed) -> Seed:
    """An equal seed whose mappings were filled in another order."""
    other = replace(
        seed,
        metadata=dict(reversed(seed.metadata.items())),
        public_keys=dict(reversed(seed.public_keys.items())),
        vendor_data=backwards(seed.vendor_data),
    )
    assert other == seed
    return other


def backwards(value):
    if isinstance(value, dict):
        return {key: backwards(inner) for key, inner in reversed(value.items())}
    return value


@each_layout
def test_every_date_on_the_drive_is_fixed(layout: Layout):
    iso = opened(config_drive(FULL, layout))
    records = [iso.get_record(rr_path="/")]
    for directory, _, _ in iso.walk(rr_path="/"):
        records += iso.get_record(rr_path=directory).children
    assert len(records) > len(FILES_OF[layout](FULL))
    for record in records:
        assert (record.date.years_since_1900, record.date.month) == (118, 8)
    assert iso.pvd.volume_creation_date.year == 2018
    iso.close()


@pytest.mark.parametrize("size", [1, 2047, 2048, 2049, 49_149])
def test_user_data_of_any_size_is_whole(size: int):
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    image = config_drive(replace(FULL, user_data=data))
    assert len(image) % 2048 == 0
    assert files_on(image)["/openstack/latest/user_data"] == data


@each_tree
def test_deep_directories_can_be_read(by: str):
    files = {"/a/b/c/d/e/f/deep-file.json": b"deep", "/a/b/other": b"", "/top": b"t" * 5000}
    assert files_on(iso_image("label", files), by) == files


@pytest.mark.parametrize(
    "lengths",
    [(0, 0), (0, 5), (1, 2048), (2047, 1), (2048, 2049), (4096, 0), (6000, 300)],
    ids=str,
)
def test_an_image_that_was_filled_in_is_the_one_that_the_library_would_make(lengths):
    """The library lays out blank files; what it would make of these is the same, byte for byte."""
    files = {"/latest/one.json": b"1" * lengths[0], "/two": b"2" * lengths[1], "/latest/x": b"x"}
    assert iso_image("label", files) == _laid_out("label", files)


def test_nothing_of_one_drive_is_on_the_next_one_of_its_form():
    first = iso_image("label", {"/told": SECRET.encode() * 9})
    second = iso_image("label", {"/told": b"nothing"})
    assert len(first) == len(second)
    assert SECRET.encode() not in second
    assert files_on(second) == {"/told": b"nothing"}


@each_layout
def test_many_metadata_items_fit(layout: Layout):
    seed = replace(PLAIN, metadata={f"key{n}": "ü" * 255 for n in range(128)})
    found = files_on(config_drive(seed, layout))
    path = "/openstack/latest/meta_data.json" if layout is Layout.CONFIG_2 else "/meta-data"
    assert yaml.safe_load(found[path])["meta"] == dict(seed.metadata)


def test_repr_of_a_seed_holds_no_secret():
    for told in (FULL, *FULL.files):
        assert SECRET not in repr(told)
        assert SECRET not in f"{told}"
    assert SECRET in repr(FULL.user_data)
    assert SECRET in repr(FULL.admin_password)


@UNHURRIED
@given(SEEDS)
def test_any_seed_gives_a_drive_that_openstacks_readers_accept(seed: Seed):
    found = files_on(config_drive(seed))
    assert found == openstack_files(seed)
    for version in ("2018-08-27", "latest"):
        meta, network = (
            json.loads(found[f"/openstack/{version}/{name}_data.json"])
            for name in ("meta", "network")
        )
        check_schema("network_data", network)
        check_schema("config_drive", {"meta_data": meta, "network_data": network})
        injected = meta.get("files", [])
        contents = [found[f"/openstack{file['content_path']}"] for file in injected]
        assert contents == [file.content for file in seed.files]
        assert [file["path"] for file in injected] == [file.path for file in seed.files]
        assert meta["name"] == seed.name
        assert meta["meta"] == seed.metadata


@UNHURRIED
@given(SEEDS)
def test_any_seed_gives_a_drive_that_cloud_init_accepts_without_a_cloud(seed: Seed):
    found = files_on(config_drive(seed, Layout.NOCLOUD))
    assert found == nocloud_files(seed)
    meta = yaml.safe_load(found["/meta-data"])
    assert (meta["instance-id"], meta["name"]) == (seed.instance, seed.name)
    assert meta["meta"] == seed.metadata
    assert found["/user-data"] == (seed.user_data or b"")
    network = yaml.safe_load(found["/network-config"])
    macs = [nic["match"]["macaddress"] for nic in network["ethernets"].values()]
    assert sorted(macs) == sorted(nic.mac for nic in seed.nics)
    written = [
        (file["path"], base64.b64decode(file["content"]))
        for file in cloud_configs(found["/vendor-data"])[-1].get("write_files", [])
    ]
    assert written == [(file.path, file.content) for file in seed.files]


def cloud_configs(vendor_data: bytes) -> list[dict]:
    """What cloud-init makes of vendor data, part by part: a script asks for nothing."""
    text = vendor_data.decode()
    parts = yaml.safe_load(text) if text.startswith("#cloud-config-archive\n") else [text]
    configs = [yaml.safe_load(part) for part in parts if part.startswith("#cloud-config\n")]
    return [{}, *configs]


@UNHURRIED
@given(SEEDS)
def test_admin_password_is_nowhere_but_where_guests_look_for_it(seed: Seed):
    assert SECRET not in repr(seed)
    hidden = replace(seed, admin_password=None)
    for layout in Layout:
        for path, content in FILES_OF[layout](seed).items():
            if path.endswith(("vendor_data.json", "vendor-data")):
                assert (SECRET.encode() in content) == (seed.admin_password is not None)
            elif path.endswith("meta_data.json"):
                assert json.loads(content).pop("admin_pass", None) == seed.admin_password
                assert content.count(SECRET.encode()) == (seed.admin_password is not None)
            else:
                assert content == FILES_OF[layout](hidden)[path]
