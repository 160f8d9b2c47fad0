"""An instance, or several alike, as a user asks for them."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from vmwright.request.block_devices import (
    ROOT_NAMES,
    BlockDevice,
    LegacyDevice,
    VolumeRequest,
    refuse_bad_boot_order,
)
from vmwright.request.fields import (
    MAX_TAGS,
    Content,
    Description,
    Hostname,
    Ip,
    Ip6,
    Metadata,
    Name,
    NameOrId,
    SshKey,
    Tag,
    Truth,
    UserData,
    Whole,
    has_invisible,
    is_text,
    unique,
)
from vmwright.request.hints import SchedulerHints
from vmwright.request.model import Model
from vmwright.request.networks import Networks, refuse_doubles

MOST_INSTANCES = 1000
"""Of one request: more are asked for in several."""

NO_KERNEL = "nokernel"
"""Instead of a kernel: boot from the disk, whatever the image's properties say."""

_LONGEST_PASSWORD = 255
_HASH = re.compile(r"\$[0-9a-z]+\$")

_MOST_DISKS = 24
"""vda to vdz, less the root disk and the config drive."""


def _zone(text: str) -> str:
    if text.count(":") > 2 or not text.strip(":") or has_invisible(text):
        raise ValueError("Unable to parse availability_zone: write ZONE or ZONE:HOST")
    return text


def _path(text: str) -> str:
    if not text or not is_text(text):
        raise ValueError("Bad personality format: a file needs a path, which is text")
    return text


def _password(text: str) -> str:
    if not text or len(text) > _LONGEST_PASSWORD or has_invisible(text):
        raise ValueError(f"Invalid adminPass: it has 1 to {_LONGEST_PASSWORD} visible characters")
    # cloud-init takes these for a wish to have one made, or for a hash.
    if text in ("R", "RANDOM") or _HASH.match(text):
        raise ValueError("Invalid adminPass: guests would read this one as something else")
    return text


class InjectedFile(Model):
    """A file that the guest finds on its config drive, with the path that it is meant for."""

    path: Annotated[str, AfterValidator(_path)]
    content: Content = Field(repr=False)


class CreateRequest(Model):
    """What to build. Everything named is a name or an id.

    What operators limit (files, metadata items, instances, ...) is checked at the door.
    """

    name: Name
    """With `max_count` over 1, instances are called ``NAME-1``, ``NAME-2``, ..."""
    image: NameOrId | None = None
    """What the root disk begins as; None boots from a volume (`boot_index` 0)."""
    flavor: NameOrId
    description: Description | None = None
    hostname: Hostname | None = None
    """By default made of the name."""
    min_count: Whole = Field(default=1, ge=1, le=MOST_INSTANCES)
    """Quotas may lower the number of instances as far as this."""
    max_count: Whole | None = Field(default=None, ge=1, le=MOST_INSTANCES)
    """By default `min_count`."""

    networks: Networks = ()
    security_groups: Annotated[
        tuple[NameOrId, ...], Field(max_length=64), AfterValidator(unique)
    ] = ("default",)
    access_ip_v4: Ip | None = None
    access_ip_v6: Ip6 | None = None
    """How the instance is reached, as its user says: shown, and not used."""

    volumes: tuple[VolumeRequest, ...] = Field(default=(), max_length=_MOST_DISKS)
    """Short forms of `block_devices`."""
    block_devices: tuple[BlockDevice, ...] = Field(default=(), max_length=_MOST_DISKS)
    """Block device mapping, version 2."""
    block_device_mapping: tuple[LegacyDevice, ...] = Field(default=(), max_length=_MOST_DISKS)
    """The legacy form of it."""

    user_data: UserData | None = Field(default=None, repr=False)
    metadata: Metadata = Field(default_factory=dict)
    tags: Annotated[tuple[Tag, ...], Field(max_length=MAX_TAGS), AfterValidator(unique)] = ()
    injected_files: tuple[InjectedFile, ...] = ()
    admin_password: Annotated[str, AfterValidator(_password)] | None = Field(
        default=None, repr=False
    )
    """By default one is made. It is told once, to whoever asked for the instance."""
    key: SshKey | None = None
    """The text of an ssh public key."""
    key_name: NameOrId | None = None
    """The name of a registered one."""
    config_drive: Truth = True
    config_drive_format: Literal["config-2", "nocloud"] = "config-2"
    """For cloud-init's data source ConfigDrive, or NoCloud."""
    disk_config: Literal["AUTO", "MANUAL"] | None = None
    """Whether the guest grows its root file system over the whole disk; the image may say it."""

    kernel: NameOrId | None = None
    ramdisk: NameOrId | None = None
    """Images to boot from directly, instead of from the first disk. By default the image says
    them; the kernel `NO_KERNEL` is neither."""

    availability_zone: Annotated[str, Field(max_length=255), AfterValidator(_zone)] | None = None
    """``ZONE``, or ``ZONE:HOST`` to name the host, which needs a policy's leave."""
    scheduler_hints: SchedulerHints = SchedulerHints()
    shutdown_terminate: Truth = False
    """What a guest that powers itself off becomes: deleted, or stopped."""

    idempotency_key: Name | None = None
    """Asked again with the same key and body, the answer is the same; nothing is built again."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.count < self.min_count:
            raise ValueError("min_count must be <= max_count")
        if self.key is not None and self.key_name is not None:
            raise ValueError("say key or key_name, not both")
        if self.ramdisk is not None and self.kernel == NO_KERNEL:
            raise ValueError("a ramdisk needs a kernel")
        for what in self._guest_data():
            if not self.config_drive:
                raise ValueError(f"{what} reaches the guest by config drive only")
        if not isinstance(self.networks, str):
            refuse_doubles(self.networks)
        return self

    @model_validator(mode="after")
    def _several(self) -> Self:
        """Keyed on what was asked for, not on what quotas leave of it."""
        if self.count == 1:
            return self
        nics = () if isinstance(self.networks, str) else self.networks
        if any(nic.ip for nic in nics):
            raise ValueError("max_count cannot be greater than 1 if a fixed_ip is specified")
        if any(nic.port for nic in nics):
            raise ValueError(
                "one port cannot be given to several instances: launch them one by one"
            )
        if any(nic.mac for nic in nics):
            raise ValueError("max_count cannot be greater than 1 if a MAC address is specified")
        if self.hostname is not None:
            raise ValueError("one hostname cannot be given to several instances")
        if any(device.source_type == "volume" for device in self.devices()):
            raise ValueError("one volume cannot be given to several instances")
        return self

    @model_validator(mode="after")
    def _disks(self) -> Self:
        if self.block_device_mapping and self.block_devices:
            raise ValueError(
                "Using different block_device_mapping syntaxes is not allowed in the same request"
            )
        devices = self.devices()
        if len(devices) > _MOST_DISKS:
            raise ValueError(f"an instance has at most {_MOST_DISKS} disks besides its root disk")
        if self.image is None and any(d.is_local and d.source_type == "image" for d in devices):
            raise ValueError("a local boot disk is made from the request's image: name that, too")
        existing = [device.uuid for device in devices if device.source_type == "volume"]
        tags = [device.tag for device in devices if device.tag]
        for what, wanted in (("volume", existing), ("tag", tags)):
            if len(set(wanted)) != len(wanted):
                raise ValueError(f"the same {what} is asked for twice")
        if self.image is not None and any(device.device_name in ROOT_NAMES for device in devices):
            raise ValueError("the first disk's name is taken by the root disk, which is an image")
        if sum(device.is_swap for device in devices) > 1:
            raise ValueError("an instance has at most one swap disk")
        refuse_bad_boot_order(devices, image=self.image is not None)
        return self

    @property
    def count(self) -> int:
        """The most instances that are wanted."""
        return self.max_count or self.min_count

    def devices(self) -> tuple[BlockDevice, ...]:
        """Every disk that is asked for, in one form, in order."""
        return self._devices

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, which would keep what was derived from fields that are others now."""
        copied = super().model_copy(update=update, deep=deep)
        vars(copied).pop("_devices", None)
        return copied

    @cached_property
    def _devices(self) -> tuple[BlockDevice, ...]:
        legacy = tuple(
            device.converted(boots=self.image is None)
            for device in self.block_device_mapping
            if not device.no_device
        )
        return (
            *self.block_devices,
            *legacy,
            *(volume.converted() for volume in self.volumes),
        )

    def _guest_data(self) -> Iterator[str]:
        given: dict[str, Any] = {
            "user data": self.user_data,
            "an injected file": self.injected_files,
            "an administrator's password": self.admin_password,
        }
        yield from (what for what, value in given.items() if value)
