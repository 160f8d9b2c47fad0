"""What cloud-init is asked to do, as vendor data: the user's own cloud-config overrides it. Pure.

The rules are cloud-init's: several parts are applied in order, and of the same key in two parts
only the last counts.
"""

import base64
import json
from typing import Any

import yaml

from vmwright.backends.guest_data.seed import InjectedFile, Seed, SeedDisk
from vmwright.errors import InvalidRequest

_BY_ID = {
    "virtio": "virtio-{}",
    "scsi": "scsi-0QEMU_QEMU_HARDDISK_{}",
    "sata": "ata-QEMU_HARDDISK_{}",
    "ide": "ata-QEMU_HARDDISK_{}",
    "usb": "usb-QEMU_QEMU_HARDDISK_{}-0:0",
}
"""What udev calls QEMU's disks: names of kernels (``vdb``) change with the order of finding."""

_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""libyaml's, which is four times as fast, where PyYAML was built with it."""

_JSON = json.JSONEncoder(sort_keys=True, ensure_ascii=False)

_FILE_MODE = "0660"
"""What cloud-init gives to the injected files of OpenStack's layout."""


def vendor_parts(seed: Seed, wishes: dict[str, Any]) -> list[str]:
    """The operator's texts for cloud-init, then ours: what a request asks for has the last word."""
    given = seed.vendor_data.get("cloud-init", [])
    parts = [given] if isinstance(given, str) else list(given)
    if wishes:
        parts.append(f"#cloud-config\n{_as_json_or_yaml(wishes)}")
    return parts


def first_boot(seed: Seed) -> dict[str, Any]:
    """What cloud-init finds in no metadata: the root disk, other disks and the password."""
    wishes: dict[str, Any] = {}
    if not seed.auto_disk_config:
        wishes |= {"growpart": {"mode": "off"}, "resize_rootfs": False}
    if seed.admin_password is not None:
        wishes |= {"password": seed.admin_password, "chpasswd": {"expire": False}}
    formatted = [disk for disk in seed.disks if disk.guest_format]
    if formatted:
        wishes["fs_setup"] = [_file_system(disk) for disk in formatted]
    swaps = [disk for disk in formatted if disk.guest_format == "swap"]
    if swaps:
        wishes["mounts"] = [[device_path(disk), "none", "swap", "sw", "0", "0"] for disk in swaps]
    return wishes


def write_files(files: tuple[InjectedFile, ...]) -> dict[str, Any]:
    """Injected files, for a layout that has no place of its own for them."""
    if not files:
        return {}
    return {
        "write_files": [
            {
                "path": file.path,
                "content": base64.b64encode(file.content).decode(),
                "encoding": "b64",
                "permissions": _FILE_MODE,
            }
            for file in files
        ]
    }


def device_path(disk: SeedDisk) -> str:
    """What a Linux guest finds the disk by. Raises `InvalidRequest` if there is no such name."""
    if disk.bus not in _BY_ID:
        raise InvalidRequest(
            f"disk {disk.serial} on bus {disk.bus} cannot get a file system at first boot",
            hint=f"use one of these buses: {', '.join(_BY_ID)}; or leave out guest_format",
        )
    return f"/dev/disk/by-id/{_BY_ID[disk.bus].format(disk.serial)}"


def _file_system(disk: SeedDisk) -> dict[str, Any]:
    # With "auto" cloud-init leaves a disk alone that holds anything; with "none" it would not.
    wish = {
        "device": device_path(disk),
        "filesystem": disk.guest_format,
        "partition": "auto",
        "overwrite": False,
    }
    return wish | ({"label": disk.label} if disk.label else {})


def _as_json_or_yaml(value: dict[str, Any]) -> str:
    """As `as_yaml`, for cloud-init, which reads all of YAML: what is JSON is YAML too as long as
    its texts are plain, and written in a tenth of the time."""
    text = _JSON.encode(value)
    return f"{text}\n" if text.isascii() and text.isprintable() else as_yaml(value)


def as_yaml(value: Any) -> str:
    """A document that readers of YAML take for what it says; equal values, equal texts."""
    # Without escapes PyYAML writes U+0085 bare, and reads it back as the end of a line.
    return str(yaml.dump(value, Dumper=_DUMPER, allow_unicode=False, sort_keys=True))
