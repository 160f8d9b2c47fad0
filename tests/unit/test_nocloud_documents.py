"""What cloud-init reads where there is no cloud says what the seed says."""

import base64
from dataclasses import replace

import yaml

from tests.support.seeds import BY_DHCP, FULL, ISOLATED, KEY, PLAIN, RSA_KEY, SECRET, STATIC
from vmwright.backends.guest_data.nocloud import (
    meta_data,
    network_config,
    nocloud_files,
    vendor_data,
)
from vmwright.backends.guest_data.openstack import devices


def test_meta_data_names_the_instance():
    assert meta_data(PLAIN) == {
        "instance-id": PLAIN.instance,
        "local-hostname": "web-1",
        "public-keys": [],
        "uuid": PLAIN.instance,
        "name": "wéb 1",
        "hostname": "web-1",
        "launch_index": 0,
        "availability_zone": "nova",
        "project_id": "default",
        "meta": {},
        "devices": [],
    }


def test_meta_data_says_all_that_is_no_secret():
    said = meta_data(FULL)
    assert said["public-keys"] == [RSA_KEY, KEY]
    assert said["meta"] == FULL.metadata
    assert said["devices"] == devices(FULL)
    assert [group["name"] for group in said["vmwright"]["security_groups"]] == ["web", "default"]
    assert SECRET not in str(said)


def test_interfaces_are_found_by_mac():
    assert network_config(FULL) == {
        "version": 2,
        "ethernets": {
            "nic0": {"match": {"macaddress": BY_DHCP.mac}, "mtu": 1500, "dhcp4": True},
            "nic1": {
                "match": {"macaddress": STATIC.mac},
                "mtu": 9000,
                "addresses": ["192.0.2.130/25"],
                "routes": [{"to": "0.0.0.0/0", "via": "192.0.2.129"}],
                "nameservers": {"addresses": ["192.0.2.53", "198.51.100.53"]},
            },
            "nic2": {
                "match": {"macaddress": ISOLATED.mac},
                "mtu": 1500,
                "addresses": ["198.51.100.9/24"],
                "nameservers": {"addresses": ["198.51.100.53"]},
            },
        },
    }
    assert network_config(PLAIN) == {"version": 2, "ethernets": {}}


def test_injected_files_are_written_by_cloud_init():
    first, second = yaml.safe_load(vendor_data(FULL))["write_files"]
    assert first == {
        "path": "/etc/app.conf",
        "content": base64.b64encode(FULL.files[0].content).decode(),
        "encoding": "b64",
        "permissions": "0660",
    }
    assert second["path"] == FULL.files[1].path
    assert base64.b64decode(second["content"]) == b"\x00\xff"


def test_vendor_data_is_one_text_for_cloud_init():
    script, config = "#!/bin/sh\n", "#cloud-config\ntimezone: UTC\n"
    assert vendor_data(PLAIN) == ""
    assert vendor_data(replace(PLAIN, vendor_data={"cloud-init": script})) == script
    ours = vendor_data(FULL)
    assert ours.startswith("#cloud-config\n")
    several = vendor_data(replace(FULL, vendor_data={"cloud-init": [script, config]}))
    assert several.startswith("#cloud-config-archive\n")
    assert yaml.safe_load(several) == [script, config, ours]


def test_files_are_the_documents():
    files = nocloud_files(FULL)
    assert yaml.safe_load(files["/meta-data"]) == meta_data(FULL)
    assert yaml.safe_load(files["/network-config"]) == network_config(FULL)
    assert files["/vendor-data"].decode() == vendor_data(FULL)
    assert files["/user-data"] == FULL.user_data
