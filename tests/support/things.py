"""Small volumes, guests and networks for tests."""

import hashlib
from pathlib import Path

from vmwright.backends.host import Host
from vmwright.backends.hypervisor import Disk, Guest, Nic
from vmwright.backends.network import Reservation, Subnet
from vmwright.backends.volumes import Base, Volume
from vmwright.ids import InstanceId, Mark, NetworkId, new_id, volume_name
from vmwright.waiting import Wait

MIB = 1 << 20
CIDR = "10.61.7.0/24"
MAC, OTHER_MAC = "52:54:00:61:07:0a", "52:54:00:61:07:0b"
IP, OTHER_IP = "10.61.7.10", "10.61.7.11"


def blank(mark: Mark, role: str = "root", *, disk_format: str = "raw", mib: int = 1) -> Volume:
    """A volume without content."""
    name = volume_name(mark, role, disk_format)
    return Volume(name=name, disk_format=disk_format, size_bytes=mib * MIB)


def overlay(mark: Mark, base: Base) -> Volume:
    """A root disk on top of an image."""
    name = volume_name(mark, "root", "qcow2")
    return Volume(name=name, disk_format="qcow2", size_bytes=2 * MIB, base=base)


def image(directory: Path, filling: bytes = b"\0", size: int = MIB) -> tuple[Base, Path]:
    """A raw image of so many bytes, and the file that holds it."""
    content = filling * size
    base = Base(
        sha256=hashlib.sha256(content).hexdigest(),
        disk_format="raw",
        size_bytes=size,
        virtual_size_bytes=size,
    )
    source = directory / base.sha256
    source.write_bytes(content)
    return base, source


def disk_of(volume: Volume, serial: str = "root") -> Disk:
    return Disk(volume=volume.name, disk_format=volume.disk_format, serial=serial)


def guest(
    instance: InstanceId,
    *disks: Disk,
    nics: tuple[Nic, ...] = (),
    memory_mib: int = 64,
    kernel: str | None = None,
) -> Guest:
    return Guest(
        instance=instance,
        title="a <small> guest & no more",
        vcpus=1,
        memory_mib=memory_mib,
        disks=disks,
        nics=nics,
        kernel=kernel,
    )


def subnet(cidr: str = CIDR) -> Subnet:
    return Subnet(
        network=NetworkId(new_id()), cidr=cidr, gateway=cidr.replace(".0/", ".1/").split("/")[0]
    )


def reservation(network: NetworkId, mac: str = MAC, ip: str = IP) -> Reservation:
    return Reservation(network=network, mac=mac, ip=ip, hostname="guest")


def defined_guest(host: Host, mark: Mark, wait: Wait) -> Volume:
    """A guest of this mark with a disk of its own, known to the host and switched off."""
    volume = blank(mark)
    host.volumes.ensure_volume(volume, wait)
    host.hypervisor.ensure_domain(guest(mark.instance, disk_of(volume)), mark, wait)
    return volume


def running_guest(host: Host, mark: Mark, wait: Wait) -> Volume:
    """A guest as `defined_guest` makes it, switched on."""
    volume = defined_guest(host, mark, wait)
    host.hypervisor.ensure_running(mark.instance, mark, wait)
    return volume
