"""What a guest is made of on its host: names and sizes, worked out from its spec. Pure.

Builds make it, and plans show it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from vmwright.backends.hypervisor import Disk, Guest, Nic
from vmwright.backends.volumes import FORMAT, GIB, Volume
from vmwright.ids import Mark, VolumeId, base_name, data_role, volume_name
from vmwright.request.block_devices import SWAP
from vmwright.spec import DiskSpec, ImageSpec, NicSpec, Spec, VolumeSpec
from vmwright.tasks.image import base_of

_LAST = float("inf")
_MIB = 2**20


def guest_of(
    mark: Mark, spec: Spec, macs: Iterable[str], block_devices: Iterable[dict[str, Any]]
) -> Guest:
    """The whole guest: one MAC for each interface of the spec, one device for each volume."""
    local = [_disk(spec, volume) for volume in local_volumes(mark, spec)]
    disks = in_order(local, [Disk(**device) for device in block_devices])
    if spec.config_drive:
        drive = config_drive_name(mark)
        disks.append(Disk(volume=drive, disk_format="raw", serial="config-2", read_only=True))
    return Guest(
        instance=mark.instance,
        title=spec.name,
        vcpus=spec.vcpus,
        memory_mib=spec.ram_mib,
        disks=tuple(disks),
        nics=tuple(_nic(*plugged) for plugged in zip(spec.nics, macs, strict=True)),
        kernel=_cached(mark, spec.kernel),
        ramdisk=_cached(mark, spec.ramdisk),
    )


def local_volumes(mark: Mark, spec: Spec) -> list[Volume]:
    """What lives and dies with the guest, but for its config drive: root disk, ephemeral disks
    as they were asked for, swap."""
    local = [_local(mark, disk) for disk in sorted(spec.disks, key=lambda disk: disk.role == SWAP)]
    return local if spec.image is None else [_root(mark, spec, spec.image), *local]


def config_drive_name(mark: Mark) -> str:
    return volume_name(mark, "config", "raw")


def data_volume(wish: VolumeSpec, location: str) -> Volume:
    """A volume of the request as it is made on a host, at this place in its pool."""
    return Volume(
        name=location,
        disk_format=FORMAT,
        size_bytes=wish.size_gib * GIB,
        base=None if wish.image is None else base_of(wish.image),
        backing=wish.snapshot.location if wish.snapshot else None,
    )


def location_of(mark: Mark, volume: VolumeId) -> str:
    """Where a volume lies that is put on a host by this operation."""
    return volume_name(mark, data_role(volume), FORMAT)


def device_of(wish: VolumeSpec, location: str) -> dict[str, Any]:
    """The volume as `Disk` takes it."""
    return {
        "volume": location,
        "disk_format": FORMAT,
        "serial": serial(wish.volume),
        "bus": wish.bus,
        "device": wish.device_type,
        "read_only": wish.device_type == "cdrom",
        "boot_index": wish.boot_index,
    }


def serial(volume: VolumeId) -> str:
    """What the guest sees: virtio keeps 20 characters."""
    return volume[:20]


def in_order(local: Sequence[Disk], volumes: Sequence[Disk]) -> list[Disk]:
    """What boots first, then the guest's own disks, then its volumes as they were asked for.

    Guests give disks their names in this order.
    """
    return sorted(
        [*local, *volumes],
        key=lambda disk: _LAST if disk.boot_index is None else disk.boot_index,
    )


def _root(mark: Mark, spec: Spec, image: ImageSpec) -> Volume:
    return Volume(
        name=volume_name(mark, "root", FORMAT),
        disk_format=FORMAT,
        size_bytes=max(spec.root_gib * GIB, image.virtual_size_bytes),
        base=base_of(image),
    )


def _local(mark: Mark, wish: DiskSpec) -> Volume:
    return Volume(
        name=volume_name(mark, wish.role, FORMAT),
        disk_format=FORMAT,
        size_bytes=wish.size_mib * _MIB,
    )


def _disk(spec: Spec, volume: Volume) -> Disk:
    """One of `local_volumes` as the guest has it."""
    role = volume.name.split(".")[-2]
    buses = {disk.role: disk.bus for disk in spec.disks}
    boots = role == "root" and all(wish.boot_index != 0 for wish in spec.volumes)
    return Disk(
        volume=volume.name,
        disk_format=FORMAT,
        serial=role,
        bus=spec.root_bus if role == "root" else buses[role],
        boot_index=0 if boots else None,
    )


def _nic(wish: NicSpec, mac: str) -> Nic:
    return Nic(network=wish.network, mac=mac, kind=wish.kind, source=wish.source)


def _cached(mark: Mark, image: ImageSpec | None) -> str | None:
    if image is None:
        return None
    return base_name(mark.deployment, image.sha256, image.disk_format)
