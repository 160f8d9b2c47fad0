"""Disks of a request: where each comes from, how large it is, and what the flavor allows."""

import math
from dataclasses import dataclass

from vmwright.admission.catalogue import Catalogue
from vmwright.admission.images import GIB, BootImages, image_spec, refuse_small_memory
from vmwright.errors import InvalidRequest, QuotaExceeded
from vmwright.ids import VolumeId, new_id
from vmwright.limits import QuotaSettings
from vmwright.persistence.kept import way_to_free
from vmwright.persistence.records import Flavor, VolumeRecord
from vmwright.request import BlockDevice, CreateRequest
from vmwright.request.block_devices import SWAP
from vmwright.spec import DiskSpec, ImageSpec, SnapshotSpec, VolumeSpec

UNLIMITED = -1

_BUS = "hw_disk_bus"
_MIB_PER_GIB = 1024


@dataclass(frozen=True, kw_only=True)
class Devices:
    """Every disk of an instance besides its config drive."""

    volumes: tuple[VolumeSpec, ...]
    disks: tuple[DiskSpec, ...]
    root_bus: str
    root_tag: str | None


class _Resolving:
    """One request's disks, while they are found out."""

    def __init__(self, catalogue: Catalogue, flavor: Flavor, bus: str) -> None:
        self._catalogue = catalogue
        self._stores = catalogue.stores
        self._connection = catalogue.connection
        self._caller = catalogue.caller
        self._flavor = flavor
        self._bus = bus

    def volume(self, device: BlockDevice) -> VolumeSpec:
        """The volume behind a device that is not local."""
        match device.source_type:
            case "volume":
                return self._existing(device)
            case "snapshot":
                return self._from_snapshot(device)
            case "image":
                return self._from_image(device)
            case _:
                return self._spec(device, source="blank", size=device.volume_size or 1)

    def _from_image(self, device: BlockDevice) -> VolumeSpec:
        image = self._catalogue.image(str(device.uuid))
        if device.boots:
            refuse_small_memory(image, self._flavor)
        least = max(math.ceil(image.virtual_size_bytes / GIB), image.min_disk_gib)
        size = _sized(device, least, f"image {image.name!r}")
        return self._spec(device, source="image", size=size, image=image_spec(image))

    def _from_snapshot(self, device: BlockDevice) -> VolumeSpec:
        project = self._caller.project
        found = self._stores.snapshots.find(self._connection, project, str(device.uuid))
        size = _sized(device, found.size_gib, f"snapshot {found.name!r}")
        origin = SnapshotSpec(id=found.id, host=found.host_id, location=found.location)
        if device.boots and not found.bootable:
            raise InvalidRequest(f"snapshot {found.name!r} is not bootable")
        return self._spec(device, source="snapshot", size=size, snapshot=origin)

    def _existing(self, device: BlockDevice) -> VolumeSpec:
        record = self._stores.volumes.find(
            self._connection, str(device.uuid), project=self._caller.sees
        )
        held = self._stores.volumes.attachment_of(self._connection, record.id)
        if held is not None:
            raise InvalidRequest(
                f"volume {record.name!r} is in use by instance {held.instance_id}",
                hint=way_to_free(self._stores, self._connection, held.instance_id),
            )
        if device.boots and not record.bootable:
            raise InvalidRequest(
                f"volume {record.name!r} is not bootable",
                hint="boot from one that was made from an image",
            )
        return VolumeSpec.parse(
            **_common(device, self._bus),
            volume=record.id,
            source="existing",
            name=record.name,
            size_gib=record.size_gib,
            image=self._image_of(record),
            snapshot=self._snapshot_of(record),
        )

    def _image_of(self, record: VolumeRecord) -> ImageSpec | None:
        """Of a volume that was never put on a host: what it will begin as."""
        if record.location is not None or record.image_id is None:
            return None
        return image_spec(self._catalogue.image(record.image_id))

    def _snapshot_of(self, record: VolumeRecord) -> SnapshotSpec | None:
        if record.location is not None or record.snapshot_id is None:
            return None
        found = self._stores.snapshots.find(self._connection, record.project_id, record.snapshot_id)
        return SnapshotSpec(id=found.id, host=found.host_id, location=found.location)

    def _spec(
        self,
        device: BlockDevice,
        *,
        source: str,
        size: int,
        image: ImageSpec | None = None,
        snapshot: SnapshotSpec | None = None,
    ) -> VolumeSpec:
        return VolumeSpec.parse(
            **_common(device, self._bus),
            volume=VolumeId(new_id()),
            source=source,
            name=device.name or "",
            size_gib=size,
            image=image,
            snapshot=snapshot,
        )


def devices_of(
    catalogue: Catalogue, request: CreateRequest, *, flavor: Flavor, boot: BootImages
) -> Devices:
    """Every disk, with an id of its own where it is new; names of new volumes come later."""
    asked = request.devices()
    bus = boot.properties.get(_BUS, "virtio")
    resolving = _Resolving(catalogue, flavor, bus)
    volumes = tuple(resolving.volume(device) for device in asked if not device.is_local)
    # By its name and by its id, it is the same one.
    if len({volume.volume for volume in volumes}) != len(volumes):
        raise InvalidRequest("volumes: the same volume is asked for twice")
    root = next((d for d in asked if d.is_local and d.source_type == "image"), None)
    if root is not None:
        _refuse_other_image(root, boot.image)
    disks = _local_disks(asked, flavor, bus)
    _refuse_too_many(len(disks) + (boot.image is not None), catalogue.limits)
    return Devices(
        volumes=volumes,
        disks=disks,
        root_bus=(root.disk_bus if root else None) or bus,
        root_tag=root.tag if root else None,
    )


def _local_disks(asked: tuple[BlockDevice, ...], flavor: Flavor, bus: str) -> tuple[DiskSpec, ...]:
    """The blank local disks; what the flavor has, if none is asked for."""
    ephemeral = [device for device in asked if device.is_ephemeral]
    swap = [device for device in asked if device.is_swap]
    if sum(device.volume_size or 0 for device in ephemeral) > flavor.ephemeral_gib:
        raise InvalidRequest(
            f"the ephemeral disks are larger than the {flavor.ephemeral_gib} GiB that flavor "
            f"{flavor.name!r} has"
        )
    if sum(device.volume_size or 0 for device in swap) > flavor.swap_mib:
        raise InvalidRequest(
            f"the swap disk is larger than the {flavor.swap_mib} MiB that flavor "
            f"{flavor.name!r} has"
        )
    found = [
        _disk(f"ephemeral{number}", device, (device.volume_size or 0) * _MIB_PER_GIB, bus)
        for number, device in enumerate(ephemeral)
    ]
    found += [_disk(SWAP, device, device.volume_size or 0, bus) for device in swap]
    if not ephemeral and flavor.ephemeral_gib:
        size = flavor.ephemeral_gib * _MIB_PER_GIB
        found.append(DiskSpec(role="ephemeral0", size_mib=size, bus=bus))
    if not swap and flavor.swap_mib:
        found.append(DiskSpec(role=SWAP, size_mib=flavor.swap_mib, bus=bus, guest_format=SWAP))
    return tuple(found)


def _disk(role: str, device: BlockDevice, size_mib: int, bus: str) -> DiskSpec:
    return DiskSpec(
        role=role,
        size_mib=size_mib,
        bus=device.disk_bus or bus,
        guest_format=device.guest_format,
        tag=device.tag,
    )


def _common(device: BlockDevice, bus: str) -> dict[str, object]:
    cdrom = device.device_type == "cdrom"
    return {
        "delete_on_termination": device.delete_on_termination,
        "boot_index": device.boot_index if device.boots else None,
        "bus": device.disk_bus or ("sata" if cdrom else bus),
        "device_type": device.device_type,
        "guest_format": device.guest_format,
        "tag": device.tag,
    }


def _refuse_other_image(root: BlockDevice, image: ImageSpec | None) -> None:
    """A local boot disk is the request's image again, by its name or by its id."""
    if image is None or root.uuid not in (image.id, image.name):
        raise InvalidRequest("the boot disk is made from another image than the request names")


def _sized(device: BlockDevice, least: int, what: str) -> int:
    size = device.volume_size or least
    if size < least:
        raise InvalidRequest(f"a volume of {size} GiB is too small for {what}: it needs {least}")
    return size


def _refuse_too_many(local: int, limits: QuotaSettings) -> None:
    most = limits.max_local_block_devices
    if most != UNLIMITED and local > most:
        raise QuotaExceeded(
            f"the instance would have {local} local disks, at most {most} are allowed",
            hint="use volumes for the others",
        )
