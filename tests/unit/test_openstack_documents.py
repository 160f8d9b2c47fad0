"""What an OpenStack guest reads says what the seed says, in Nova's words."""

import json
from dataclasses import replace

import jsonschema
import pytest

from tests.support.drives import check_schema
from tests.support.seeds import BY_DHCP, FULL, ISOLATED, KEY, PLAIN, RSA_KEY, STATIC
from vmwright.backends.guest_data import SeedDisk
from vmwright.backends.guest_data.openstack import (
    ec2_meta_data,
    meta_data,
    network_data,
    openstack_files,
    vendor_data,
)


def test_meta_data_names_the_instance():
    assert meta_data(PLAIN) == {
        "uuid": PLAIN.instance,
        "name": "wéb 1",
        "hostname": "web-1",
        "launch_index": 0,
        "availability_zone": "nova",
        "project_id": "default",
        "meta": {},
        "devices": [],
    }


def test_meta_data_says_all_that_was_asked_for():
    said = meta_data(FULL)
    assert said["launch_index"] == 2
    assert said["availability_zone"] == "east"
    assert said["meta"] == FULL.metadata
    assert said["public_keys"] == {"home": RSA_KEY, "work": KEY}
    assert said["keys"] == [
        {"name": "home", "type": "ssh", "data": RSA_KEY},
        {"name": "work", "type": "ssh", "data": KEY},
    ]
    assert said["admin_pass"] == FULL.admin_password
    assert "random_seed" not in said


def test_path_of_an_injected_file_is_only_data():
    wild = FULL.files[1].path
    assert meta_data(FULL)["files"] == [
        {"path": "/etc/app.conf", "content_path": "/content/0000"},
        {"path": wild, "content_path": "/content/0001"},
    ]
    files = openstack_files(FULL)
    assert files["/openstack/content/0000"] == FULL.files[0].content
    assert files["/openstack/content/0001"] == b"\x00\xff"
    assert not [path for path in files if ".." in path or "etc" in path]


def test_only_devices_with_tags_are_listed():
    assert meta_data(FULL)["devices"] == [
        {"type": "nic", "bus": "pci", "mac": BY_DHCP.mac, "tags": ["front"]},
        {"type": "disk", "bus": "scsi", "serial": "data", "tags": ["data", "fast"]},
    ]


@pytest.mark.parametrize(
    ("bus", "called"),
    [("virtio", "pci"), ("scsi", "scsi"), ("ide", "ide"), ("usb", "usb"), ("sata", "none")],
)
def test_bus_of_a_disk_has_the_name_that_nova_gives_it(bus: str, called: str):
    seed = replace(PLAIN, disks=(SeedDisk(serial="s", bus=bus, tags=("t",)),))
    assert meta_data(seed)["devices"][0]["bus"] == called


def test_network_data_has_a_link_for_each_interface():
    data = network_data(FULL)
    assert list(data) == ["links", "networks", "services"]
    assert data["links"] == [
        {
            "id": f"nic{position}",
            "vif_id": nic.port,
            "type": "phy",
            "ethernet_mac_address": nic.mac,
            "mtu": nic.mtu,
        }
        for position, nic in enumerate(FULL.nics)
    ]


def test_network_data_has_the_network_of_each_interface():
    dns = [{"type": "dns", "address": address} for address in ("192.0.2.53", "198.51.100.53")]
    everywhere = {"network": "0.0.0.0", "netmask": "0.0.0.0"}
    assert network_data(FULL)["networks"] == [
        {
            "id": "network0",
            "link": "nic0",
            "network_id": BY_DHCP.network,
            "type": "ipv4_dhcp",
        },
        {
            "id": "network1",
            "link": "nic1",
            "network_id": STATIC.network,
            "type": "ipv4",
            "ip_address": "192.0.2.130",
            "netmask": "255.255.255.128",
            "routes": [everywhere | {"gateway": "192.0.2.129"}],
            "services": dns,
        },
        {
            "id": "network2",
            "link": "nic2",
            "network_id": ISOLATED.network,
            "type": "ipv4",
            "ip_address": "198.51.100.9",
            "netmask": "255.255.255.0",
            "routes": [],
            "services": dns[1:],
        },
    ]
    assert network_data(FULL)["services"] == dns
    assert network_data(PLAIN) == {"links": [], "networks": [], "services": []}


def test_address_that_dhcp_gives_is_not_set_by_the_guest():
    seed = replace(PLAIN, nics=(replace(STATIC, dhcp=True),))
    assert network_data(seed)["networks"][0]["type"] == "ipv4_dhcp"
    assert "ip_address" not in network_data(seed)["networks"][0]
    assert ec2_meta_data(seed)["local-ipv4"] == "192.0.2.130"


def test_interface_without_dhcp_needs_an_address():
    with pytest.raises(AssertionError, match="needs an address"):
        replace(STATIC, address=None)


def test_schemas_refuse_what_is_wrong():
    data = network_data(FULL)
    check_schema("network_data", data)
    data["networks"][1]["ip_address"] = "192.0.2.300"
    with pytest.raises(jsonschema.ValidationError):
        check_schema("network_data", data)
    with pytest.raises(jsonschema.ValidationError):
        check_schema("config_drive", {"meta_data": []})


def test_vendor_data_holds_the_operators_and_security_groups():
    said = vendor_data(FULL)
    assert said["mirror"] == {"b": 1, "a": [2]}
    web, default = said["vmwright"]["security_groups"]
    assert default == {"name": "default", "rules": []}
    assert web["name"] == "web"
    assert web["rules"][0] == {
        "direction": "ingress",
        "ethertype": "IPv4",
        "protocol": "tcp",
        "port_range_min": 80,
        "port_range_max": 443,
        "remote_ip_prefix": "203.0.113.0/24",
        "remote_group": None,
    }
    assert web["rules"][1]["remote_group"] == "web"
    assert vendor_data(PLAIN) == {}


def test_security_groups_replace_what_the_operator_says_under_our_name():
    seed = replace(FULL, vendor_data={"vmwright": "of the operator"})
    assert "security_groups" in vendor_data(seed)["vmwright"]
    seed = replace(seed, security_groups=())
    assert vendor_data(seed)["vmwright"] == "of the operator"


def test_vendor_data_for_cloud_init_is_a_text_or_several():
    ours = vendor_data(FULL)["cloud-init"]
    assert ours.startswith("#cloud-config\n")
    script, config = "#!/bin/sh\n", "#cloud-config\ntimezone: UTC\n"
    for given, expected in ((script, [script, ours]), ([script, config], [script, config, ours])):
        assert vendor_data(replace(FULL, vendor_data={"cloud-init": given}))["cloud-init"] == (
            expected
        )
    alone = replace(PLAIN, vendor_data={"cloud-init": script})
    assert vendor_data(alone) == {"cloud-init": script}


def test_injected_files_are_left_to_the_reader_of_the_drive():
    assert "write_files" not in vendor_data(FULL)["cloud-init"]


def test_ec2_meta_data_names_the_same():
    assert ec2_meta_data(FULL) == {
        "instance-id": FULL.instance,
        "instance-action": "none",
        "ami-launch-index": 2,
        "hostname": "web-1",
        "local-hostname": "web-1",
        "local-ipv4": "192.0.2.130",
        "placement": {"availability-zone": "east"},
        "security-groups": ["web", "default"],
        "public-keys": {"0": {"openssh-key": RSA_KEY}, "1": {"openssh-key": KEY}},
    }
    assert ec2_meta_data(PLAIN)["local-ipv4"] == ""
    assert "public-keys" not in ec2_meta_data(PLAIN)


@pytest.mark.parametrize("seed", [FULL, PLAIN], ids=["full", "plain"])
def test_files_of_every_version_say_the_same(seed):
    files = openstack_files(seed)
    for version in ("2018-08-27", "latest"):
        directory = f"/openstack/{version}"
        assert json.loads(files[f"{directory}/meta_data.json"]) == meta_data(seed)
        assert json.loads(files[f"{directory}/network_data.json"]) == network_data(seed)
        assert json.loads(files[f"{directory}/vendor_data.json"]) == vendor_data(seed)
    for version in ("2009-04-04", "latest"):
        assert json.loads(files[f"/ec2/{version}/meta-data.json"]) == ec2_meta_data(seed)
