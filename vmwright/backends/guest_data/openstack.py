"""The layout ``config-2``: OpenStack's config drive, version 2, and EC2's beside it. Pure."""

import json
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from vmwright.backends.guest_data.cloud_config import first_boot, vendor_parts
from vmwright.backends.guest_data.seed import Seed, SeedDisk, SeedNic

LABEL = "config-2"
"""What guests find the drive by."""

VERSIONS = ("2018-08-27", "latest")
"""The directories under ``openstack``; all hold the same. Readers that are older than the first
take ``latest``."""

EC2_VERSIONS = ("2009-04-04", "latest")

_AS_IT_COMES, _SORTED = json.JSONEncoder(), json.JSONEncoder(sort_keys=True)

_BUSES = {"virtio": "pci", "scsi": "scsi", "ide": "ide", "usb": "usb"}
"""What Nova calls the bus of a disk; it has no name for any other."""


def openstack_files(seed: Seed) -> dict[str, bytes]:
    """The content of every file of the drive, by its path."""
    files = {f"/openstack/content/{n:04}": file.content for n, file in enumerate(seed.files)}
    told = {
        "meta_data.json": _as_json(meta_data(seed)),
        "network_data.json": _as_json(network_data(seed)),
        "vendor_data.json": _as_json(vendor_data(seed), sort_keys=True),
    }
    ec2 = {"meta-data.json": _as_json(ec2_meta_data(seed))}
    if seed.user_data is not None:
        told["user_data"] = ec2["user-data"] = seed.user_data
    for version in VERSIONS:
        files |= {f"/openstack/{version}/{name}": content for name, content in told.items()}
    for version in EC2_VERSIONS:
        files |= {f"/ec2/{version}/{name}": content for name, content in ec2.items()}
    return files


def facts(seed: Seed) -> dict[str, Any]:
    """What any layout tells of the instance, under Nova's names. Nothing of it is secret."""
    return {
        "uuid": seed.instance,
        "hostname": seed.hostname,
        "name": seed.name,
        "launch_index": seed.launch_index,
        "availability_zone": seed.availability_zone,
        "project_id": seed.project,
        "meta": dict(sorted(seed.metadata.items())),
        "devices": devices(seed),
    }


def meta_data(seed: Seed) -> dict[str, Any]:
    """What ``meta_data.json`` says. No random seed: the drive must not differ from the last."""
    said = facts(seed)
    if seed.public_keys:
        keys = sorted(seed.public_keys.items())
        said["public_keys"] = dict(keys)
        said["keys"] = [{"name": name, "type": "ssh", "data": key} for name, key in keys]
    if seed.files:
        said["files"] = [
            {"path": file.path, "content_path": f"/content/{n:04}"}
            for n, file in enumerate(seed.files)
        ]
    if seed.admin_password is not None:
        said["admin_pass"] = seed.admin_password
    return said


def devices(seed: Seed) -> list[dict[str, Any]]:
    """Where the guest finds what has tags; what has none is not mentioned."""
    nics = [
        {"type": "nic", "bus": "pci", "mac": nic.mac, "tags": list(nic.tags)}
        for nic in seed.nics
        if nic.tags
    ]
    disks = [_tagged_disk(disk) for disk in seed.disks if disk.tags]
    return nics + disks


def _tagged_disk(disk: SeedDisk) -> dict[str, Any]:
    bus = _BUSES.get(disk.bus, "none")
    return {"type": "disk", "bus": bus, "serial": disk.serial, "tags": list(disk.tags)}


def network_data(seed: Seed) -> dict[str, Any]:
    """What ``network_data.json`` says: exactly links, networks and services."""
    nics = list(enumerate(seed.nics))
    resolvers = dict.fromkeys(str(resolver) for nic in seed.nics for resolver in nic.dns)
    return {
        "links": [
            {
                "id": f"nic{position}",
                "vif_id": nic.port,
                "type": "phy",
                "ethernet_mac_address": nic.mac,
                "mtu": nic.mtu,
            }
            for position, nic in nics
        ],
        "networks": [_network(position, nic) for position, nic in nics],
        "services": [{"type": "dns", "address": resolver} for resolver in resolvers],
    }


def _network(position: int, nic: SeedNic) -> dict[str, Any]:
    said: dict[str, Any] = {
        "id": f"network{position}",
        "link": f"nic{position}",
        "network_id": nic.network,
    }
    if nic.static is None:
        return said | {"type": "ipv4_dhcp"}
    return said | {
        "type": "ipv4",
        "ip_address": str(nic.static.ip),
        "netmask": str(nic.static.netmask),
        "routes": [_default_route(nic.gateway)] if nic.gateway else [],
        "services": [{"type": "dns", "address": str(resolver)} for resolver in nic.dns],
    }


def _default_route(gateway: IPv4Address) -> dict[str, str]:
    everywhere = IPv4Network("0.0.0.0/0")
    return {
        "network": str(everywhere.network_address),
        "netmask": str(everywhere.netmask),
        "gateway": str(gateway),
    }


def vendor_data(seed: Seed) -> dict[str, Any]:
    """What ``vendor_data.json`` says: the operator's, cloud-init's part, and what is only ours."""
    said = dict(seed.vendor_data)
    parts = vendor_parts(seed, first_boot(seed))
    if parts:
        said["cloud-init"] = parts[0] if len(parts) == 1 else parts
    return said | ours(seed)


def ours(seed: Seed) -> dict[str, Any]:
    """What neither OpenStack's metadata nor cloud-init's has a place for, under our own name."""
    groups = [
        {"name": group.name, "rules": [dict(vars(rule)) for rule in group.rules]}
        for group in seed.security_groups
    ]
    return {"vmwright": {"security_groups": groups}} if groups else {}


def ec2_meta_data(seed: Seed) -> dict[str, Any]:
    """What ``ec2/*/meta-data.json`` says."""
    keys = sorted(seed.public_keys.items())
    addresses = [nic.address for nic in seed.nics if nic.address]
    said: dict[str, Any] = {
        "instance-id": seed.instance,
        "instance-action": "none",
        "ami-launch-index": seed.launch_index,
        "hostname": seed.hostname,
        "local-hostname": seed.hostname,
        "local-ipv4": str(addresses[0].ip) if addresses else "",
        "placement": {"availability-zone": seed.availability_zone},
        "security-groups": [group.name for group in seed.security_groups],
    }
    if keys:
        said["public-keys"] = {str(n): {"openssh-key": key} for n, (_, key) in enumerate(keys)}
    return said


def _as_json(value: dict[str, Any], *, sort_keys: bool = False) -> bytes:
    # Without indentation: Python would write it in Python then.
    encoder = _SORTED if sort_keys else _AS_IT_COMES
    return encoder.encode(value).encode() + b"\n"
