"""A guest as libvirt's domain XML, and what its owner mark says. Pure."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_lowercase

from vmwright.backends.hypervisor import Disk, Guest, Nic
from vmwright.backends.libvirt.xml_text import parsed
from vmwright.ids import (
    DeploymentId,
    InstanceId,
    Mark,
    NetworkId,
    OperationId,
    domain_name,
)

OWNER = "urn:vmwright:owner:1"
"""The namespace of the element in a domain's metadata that says who made it."""

MACHINE = "q35"
ARCH = "x86_64"

_LONGEST_TITLE = 255
_CPU_OF_KVM = "host-model"
"""As fast as the host's own processor, and written out when the guest starts, so that it can
move to a host with a similar one; ``host-passthrough`` would tie it to its host for ever."""

_PREFIXES = {"virtio": "vd", "scsi": "sd", "sata": "sd"}
"""What disks on each bus are called, before their letter."""

ET.register_namespace("vmwright", OWNER)


@dataclass(frozen=True, kw_only=True)
class Backing:
    """The image or snapshot that a disk is an overlay of."""

    path: str
    disk_format: str


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Where a volume lies on its host."""

    path: str
    backing: Backing | None = None


def domain_xml(
    guest: Guest,
    mark: Mark,
    *,
    virt_type: str,
    storage: Mapping[str, Placed],
    networks: Mapping[NetworkId, str],
) -> str:
    """The whole definition. `storage` and `networks` say what the guest's names are on the host:
    of its volumes, and of the networks that are ours.

    Nothing is left to libvirt's probing: a guest could write a header that names a file of the
    host into its disk.
    """
    domain = ET.Element("domain", type=virt_type)
    _add(domain, "name", domain_name(guest.instance))
    _add(domain, "uuid", guest.instance)
    _add(domain, "title", _title(guest.title))
    domain.append(_metadata(mark))
    _add(domain, "memory", str(guest.memory_mib), unit="MiB")
    _add(domain, "vcpu", str(guest.vcpus))
    domain.append(_boot(guest, storage))
    features = _add(domain, "features")
    _add(features, "acpi")
    _add(features, "apic")
    if virt_type == "kvm":
        _add(domain, "cpu", mode=_CPU_OF_KVM)
    _add(domain, "clock", offset="utc")
    _add(domain, "on_poweroff", "destroy")
    _add(domain, "on_reboot", "restart")
    _add(domain, "on_crash", "destroy")
    domain.append(_devices(guest, storage, networks))
    ET.indent(domain)
    return ET.tostring(domain, encoding="unicode")


def probe_xml(name: str, path: str, virt_type: str) -> str:
    """A guest that runs the boot sector of one raw disk and has nothing else."""
    domain = ET.Element("domain", type=virt_type)
    _add(domain, "name", name)
    _add(domain, "memory", "32", unit="MiB")
    _add(domain, "vcpu", "1")
    boot = _add(domain, "os")
    _add(boot, "type", "hvm", arch=ARCH, machine=MACHINE)
    _add(boot, "boot", dev="hd")
    if virt_type == "kvm":
        _add(domain, "cpu", mode=_CPU_OF_KVM)
    _add(domain, "on_crash", "destroy")
    devices = _add(domain, "devices")
    disk = Disk(volume=path, disk_format="raw", serial="probe", read_only=True)
    devices.append(_disk(disk, Placed(path=path), "vda"))
    _add(devices, "controller", type="usb", model="none")
    _add(devices, "memballoon", model="none")
    return ET.tostring(domain, encoding="unicode")


def mark_of_metadata(element: str) -> Mark | None:
    """The mark in the element of our namespace, or None if it is not one of ours."""
    try:
        owner = parsed(element)
        return Mark(
            deployment=DeploymentId(owner.attrib["deployment"]),
            instance=InstanceId(owner.attrib["instance"]),
            operation=OperationId(owner.attrib["operation"]),
            attempt=int(owner.attrib["attempt"]),
        )
    except (ET.ParseError, KeyError, ValueError):
        return None


def files_of(domain: str) -> frozenset[str]:
    """Every file that a domain opens: disks with what they are overlays of, kernel, ramdisk."""
    root = parsed(domain)
    found = {source.get("file") for source in root.iterfind(".//disk//source")}
    found |= {root.findtext(f"os/{part}") for part in ("kernel", "initrd")}
    return frozenset(path for path in found if path)


def networks_of(domain: str) -> frozenset[str]:
    """The names of the networks that a domain's interfaces are on."""
    sources = parsed(domain).iterfind(".//interface/source[@network]")
    return frozenset(source.attrib["network"] for source in sources)


def _metadata(mark: Mark) -> ET.Element:
    metadata = ET.Element("metadata")
    values = {key: str(value) for key, value in mark.to_store().items()}
    ET.SubElement(metadata, f"{{{OWNER}}}owner", values)
    return metadata


def _boot(guest: Guest, storage: Mapping[str, Placed]) -> ET.Element:
    boot = ET.Element("os")
    _add(boot, "type", "hvm", arch=ARCH, machine=MACHINE)
    if guest.kernel is None:
        # libvirt takes one or the other: the first hard disk, or an order that disks say.
        if not _says_order(guest):
            _add(boot, "boot", dev="hd")
        return boot
    _add(boot, "kernel", storage[guest.kernel].path)
    if guest.ramdisk is not None:
        _add(boot, "initrd", storage[guest.ramdisk].path)
    _add(boot, "cmdline", "console=ttyS0")
    return boot


def _says_order(guest: Guest) -> bool:
    return any(disk.boot_index is not None for disk in guest.disks)


def _devices(
    guest: Guest, storage: Mapping[str, Placed], networks: Mapping[NetworkId, str]
) -> ET.Element:
    devices = ET.Element("devices")
    letters = {prefix: iter(ascii_lowercase) for prefix in _PREFIXES.values()}
    for disk in guest.disks:
        prefix = _PREFIXES[disk.bus]
        device = f"{prefix}{next(letters[prefix])}"
        devices.append(_disk(disk, storage[disk.volume], device))
    if any(disk.bus == "scsi" for disk in guest.disks):
        _add(devices, "controller", type="scsi", index="0", model="virtio-scsi")
    if guest.kernel is None:
        _say_order(guest, devices)
    for nic in guest.nics:
        devices.append(_interface(nic, networks))
    _add(_add(devices, "serial", type="pty"), "target", port="0")
    _add(_add(devices, "console", type="pty"), "target", type="serial", port="0")
    rng = _add(devices, "rng", model="virtio")
    _add(rng, "backend", "/dev/urandom", model="random")
    _add(devices, "controller", type="usb", model="none")
    _add(devices, "memballoon", model="none")
    return devices


def _disk(disk: Disk, placed: Placed, device: str) -> ET.Element:
    element = ET.Element("disk", type="file", device=disk.device)
    _add(element, "driver", name="qemu", type=disk.disk_format)
    _add(element, "source", file=placed.path)
    backing = _add(element, "backingStore")
    if placed.backing is not None:
        backing.set("type", "file")
        _add(backing, "format", type=placed.backing.disk_format)
        _add(backing, "source", file=placed.backing.path)
        _add(backing, "backingStore")
    _add(element, "target", dev=device, bus=disk.bus)
    if disk.read_only:
        _add(element, "readonly")
    _add(element, "serial", disk.serial)
    if disk.bus == "scsi":
        # A target each: left to libvirt, a controller has seven, and is of an old model.
        target = str(ascii_lowercase.index(device[-1]))
        _add(element, "address", type="drive", controller="0", bus="0", target=target, unit="0")
    return element


def _say_order(guest: Guest, devices: ET.Element) -> None:
    """Number the disks that boot from 1 on: their indexes may begin at 0."""
    turns = sorted(disk.boot_index for disk in guest.disks if disk.boot_index is not None)
    for disk, element in zip(guest.disks, devices.iterfind("disk"), strict=True):
        if disk.boot_index is not None:
            _add(element, "boot", order=str(turns.index(disk.boot_index) + 1))


def _interface(nic: Nic, networks: Mapping[NetworkId, str]) -> ET.Element:
    kind = "bridge" if nic.kind == "bridge" else "network"
    element = ET.Element("interface", type=kind)
    _add(element, "mac", address=nic.mac)
    _add(element, "source", **{kind: nic.source or networks[nic.network]})
    _add(element, "model", type="virtio")
    return element


def _title(text: str) -> str:
    """One line that XML can hold: a user's name may be made of anything."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:_LONGEST_TITLE] or "-"


def _add(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = text
    return element
