"""The layout ``nocloud``: what cloud-init reads where there is no cloud. Pure."""

from typing import Any

from vmwright.backends.guest_data.cloud_config import (
    as_yaml,
    first_boot,
    vendor_parts,
    write_files,
)
from vmwright.backends.guest_data.openstack import facts, ours
from vmwright.backends.guest_data.seed import Seed, SeedNic

LABEL = "cidata"
"""What guests find the drive by."""


def nocloud_files(seed: Seed) -> dict[str, bytes]:
    """The content of every file of the drive, by its path."""
    return {
        "/meta-data": as_yaml(meta_data(seed)).encode(),
        "/user-data": seed.user_data or b"",  # without this file the drive is no seed
        "/vendor-data": vendor_data(seed).encode(),
        "/network-config": as_yaml(network_config(seed)).encode(),
    }


def meta_data(seed: Seed) -> dict[str, Any]:
    """What ``meta-data`` says. Every user of the guest may read it: nothing of it is secret."""
    return facts(seed) | {
        "instance-id": seed.instance,
        "local-hostname": seed.hostname,
        "public-keys": [key for _, key in sorted(seed.public_keys.items())],
        **ours(seed),
    }


def vendor_data(seed: Seed) -> str:
    """What ``vendor-data`` says: one text for cloud-init, which may be empty."""
    parts = vendor_parts(seed, first_boot(seed) | write_files(seed.files))
    if len(parts) < 2:
        return "".join(parts)
    return f"#cloud-config-archive\n{as_yaml(parts)}"


def network_config(seed: Seed) -> dict[str, Any]:
    """What ``network-config`` says, in version 2: interfaces are found by their MACs."""
    nics = {f"nic{position}": _ethernet(nic) for position, nic in enumerate(seed.nics)}
    return {"version": 2, "ethernets": nics}


def _ethernet(nic: SeedNic) -> dict[str, Any]:
    said: dict[str, Any] = {"match": {"macaddress": nic.mac}, "mtu": nic.mtu}
    if nic.static is None:
        return said | {"dhcp4": True}
    said["addresses"] = [str(nic.static)]
    if nic.gateway:
        said["routes"] = [{"to": "0.0.0.0/0", "via": str(nic.gateway)}]
    if nic.dns:
        said["nameservers"] = {"addresses": [str(resolver) for resolver in nic.dns]}
    return said
