"""What a user asks for of disks: block device mapping, version 2 and legacy, and short forms.

The rules are those of Nova's `nova.block_device`; whatever form is used, the door gets version 2.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from vmwright.request.fields import Gib, Name, NameOrId, Tag, Truth, Whole, has_invisible
from vmwright.request.model import Model

BUSES = ("virtio", "scsi", "sata")
SWAP = "swap"
ROOT_NAMES = frozenset({"vda", "sda", "hda", "/dev/vda", "/dev/sda", "/dev/hda"})

_FORMATS = Literal["ext2", "ext3", "ext4", "xfs", "vfat", "swap"]
_EPHEMERAL = re.compile(r"ephemeral[0-9]{1,2}")


def _device_name(text: str) -> str:
    if not 1 <= len(text) <= 255 or has_invisible(text) or len(text.split()) != 1:
        raise ValueError("a device name has 1 to 255 visible characters and no white space")
    return text


_DeviceName = Annotated[str, AfterValidator(_device_name)]


class BlockDevice(Model):
    """One disk, as Nova's block device mapping version 2 describes it."""

    source_type: Literal["image", "volume", "snapshot", "blank"]
    destination_type: Literal["local", "volume"] | None = None
    """``local`` disks live and die with the instance; by default blank and image are local."""
    uuid: NameOrId | None = None
    """Name or id of the source."""
    boot_index: Whole | None = Field(default=None, ge=-(2**31), le=2**31 - 1)
    """Place among the disks to boot from; None or negative: never."""
    volume_size: Gib | None = None
    """GiB, and MiB for swap. By default what an image or snapshot needs, rounded up."""
    guest_format: _FORMATS | None = None
    """What the guest makes of it at its first boot."""
    device_type: Literal["disk", "cdrom"] = "disk"
    disk_bus: Literal["virtio", "scsi", "sata"] | None = None
    device_name: _DeviceName | None = None
    """A wish that no hypervisor can promise: find the disk by its tag."""
    delete_on_termination: Truth = False
    tag: Tag | None = None
    name: Name | None = None
    """What a new volume is called."""

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.source_type == "blank" and self.uuid is not None:
            raise ValueError("Invalid device UUID: a blank device has no source")
        if self.source_type != "blank" and self.uuid is None:
            raise ValueError(f"Missing device UUID: say which {self.source_type} it is made from")
        if self.is_local and self.source_type in ("volume", "snapshot"):
            raise ValueError(f"Mapping {self.source_type} to local is not supported")
        if self.is_local and self.source_type == "image" and self.boot_index != 0:
            raise ValueError("Mapping image to local is not supported, but for the boot disk")
        if self.source_type == "blank" and self.volume_size is None:
            raise ValueError("a blank device needs a volume_size")
        if self.guest_format == SWAP and not self.is_swap:
            raise ValueError("only a blank local disk can be swap")
        if self.name is not None and (self.is_local or self.source_type == "volume"):
            raise ValueError("only a new volume can be given a name")
        return self

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        if self.is_local and self.source_type == "blank" and self.boots:
            raise ValueError("nothing is on a blank local disk to boot from")
        if self.device_type == "disk":
            return self
        if self.disk_bus == "virtio":
            raise ValueError("a cdrom needs the bus sata or scsi")
        if self.is_local:
            raise ValueError("a cdrom is a volume: say destination_type volume")
        if self.guest_format is not None:
            raise ValueError("a cdrom is read only: the guest makes nothing of it")
        return self

    @property
    def is_local(self) -> bool:
        if self.destination_type is not None:
            return self.destination_type == "local"
        return self.source_type in ("image", "blank")

    @property
    def is_swap(self) -> bool:
        return self.is_local and self.source_type == "blank" and self.guest_format == SWAP

    @property
    def is_ephemeral(self) -> bool:
        return self.is_local and self.source_type == "blank" and not self.is_swap

    @property
    def boots(self) -> bool:
        return self.boot_index is not None and self.boot_index >= 0


def _virtual_name(text: str) -> str:
    if text != SWAP and not _EPHEMERAL.fullmatch(text):
        raise ValueError("a virtual disk is called swap, or ephemeral0 and so on")
    return text


class LegacyDevice(Model):
    """One disk, as block device mapping described it before version 2."""

    device_name: _DeviceName
    virtual_name: Annotated[str, AfterValidator(_virtual_name)] | None = None
    """``ephemeralN`` or ``swap``."""
    volume_id: NameOrId | None = None
    snapshot_id: NameOrId | None = None
    volume_size: Gib | None = None
    delete_on_termination: Truth = False
    no_device: Truth = False

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.no_device:
            return self
        sources = [self.virtual_name, self.volume_id, self.snapshot_id]
        if len([source for source in sources if source is not None]) != 1:
            raise ValueError("say exactly one of volume_id, snapshot_id and virtual_name")
        if self.virtual_name is not None and self.volume_size is None:
            raise ValueError(f"a {self.virtual_name} disk needs a volume_size")
        return self

    def converted(self, *, boots: bool) -> BlockDevice:
        """The same in version 2; `boots` if nothing else is there to boot from."""
        root = boots and self.device_name in ROOT_NAMES
        common = {
            "device_name": self.device_name,
            "volume_size": self.volume_size,
            "delete_on_termination": self.delete_on_termination,
        }
        if self.virtual_name is not None:
            swap = SWAP if self.virtual_name == SWAP else None
            return BlockDevice.parse(source_type="blank", guest_format=swap, **common)
        source = "volume" if self.volume_id is not None else "snapshot"
        return BlockDevice.parse(
            source_type=source,
            destination_type="volume",
            uuid=self.volume_id or self.snapshot_id,
            boot_index=0 if root else None,
            **common,
        )


class VolumeRequest(Model):
    """One volume: blank (`size`), from an image or a snapshot (`size` may be left out), or
    existing (`volume`)."""

    size: Gib | None = None
    """GiB. By default what the image or snapshot needs, rounded up."""
    image: NameOrId | None = None
    snapshot: NameOrId | None = None
    volume: NameOrId | None = None
    name: Name | None = None
    delete_on_termination: Truth | None = None
    """By default what is made with the instance goes with it, what was there before stays."""
    boot_index: Whole | None = Field(default=None, ge=-1, le=2**31 - 1)
    bus: Literal["virtio", "scsi", "sata"] | None = None
    tag: Tag | None = None
    guest_format: Literal["ext2", "ext3", "ext4", "xfs", "vfat"] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [self.image, self.snapshot, self.volume]
        if len([source for source in given if source is not None]) > 1:
            raise ValueError("say one of image=, snapshot= and volume=")
        if self.volume is not None and (self.size or self.name):
            raise ValueError("an existing volume has its size and name already")
        if self.size is None and not any(given):
            raise ValueError("say size=GIB for a new volume, or volume=NAME for an existing one")
        return self

    def converted(self) -> BlockDevice:
        """The same as block device mapping."""
        sources = {"image": self.image, "snapshot": self.snapshot, "volume": self.volume}
        source = next((kind for kind, uuid in sources.items() if uuid is not None), "blank")
        deleted = self.delete_on_termination
        return BlockDevice.parse(
            source_type=source,
            destination_type="volume",
            uuid=sources.get(source),
            boot_index=self.boot_index,
            volume_size=self.size,
            guest_format=self.guest_format,
            disk_bus=self.bus,
            delete_on_termination=source != "volume" if deleted is None else deleted,
            tag=self.tag,
            name=self.name,
        )


def refuse_bad_boot_order(devices: Iterable[BlockDevice], *, image: bool) -> None:
    """Raise `ValueError` unless the disks to boot from are exactly 0, 1, 2, ...

    An image that is named by the request itself is disk 0, unless a device says so.
    """
    known = list(devices)
    order = [device.boot_index or 0 for device in known if device.boots]
    if image and not any(d.is_local and d.source_type == "image" for d in known):
        order.append(0)
    if not order:
        raise ValueError(
            "Missing imageRef attribute: say an image, or a volume with boot_index 0 to boot from"
        )
    if sorted(order) != list(range(len(order))):
        raise ValueError(
            "Boot sequence for the instance and image/block device mapping combination is not "
            "valid: boot_index must be exactly 0, 1, 2, ..., and an image is 0"
        )
