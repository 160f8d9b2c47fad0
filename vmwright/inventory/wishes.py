"""What users may register or change, and the rules for it: flavors, images, networks, volumes,
hosts."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, StrictBool, model_validator

from vmwright.networks import NetworkKind, is_source
from vmwright.request.fields import Ip, Mac, Metadata, Name, NameOrId
from vmwright.request.model import Model

Count = Annotated[int, Field(ge=1, le=4096, strict=True)]
MiB = Annotated[int, Field(ge=1, le=2**26, strict=True)]
GiB = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]
MiBOrNone = Annotated[int, Field(ge=0, le=2**26, strict=True)]
GiBOrNone = Annotated[int, Field(ge=0, le=2**31 - 1, strict=True)]
Ratio = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False, strict=True)]

VCPU_RATIO, MEMORY_RATIO, DISK_RATIO = 16.0, 1.0, 1.0
"""How much of a host is given out, unless somebody says otherwise."""


IMAGE_PROPERTIES = {
    "img_config_drive": ("optional", "mandatory"),
    "auto_disk_config": ("true", "false"),
    "hw_disk_bus": ("virtio", "scsi", "sata"),
}
"""Properties of images that steer builds, and what they may say. So do ``kernel_id`` and
``ramdisk_id``, which name images."""

_TRAIT = re.compile(r"[A-Z][A-Z0-9_]{0,254}")

_PREFIXES = range(8, 30)
_UNUSABLE = {
    "0.0.0.0/8": "stands for this network",
    "127.0.0.0/8": "is loopback",
    "169.254.0.0/16": "is link-local",
    "224.0.0.0/4": "is multicast",
    "240.0.0.0/4": "is reserved",
}


def _cidr(text: str) -> str:
    try:
        subnet = ipaddress.IPv4Network(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not an IPv4 network such as 10.1.0.0/24, with zeros after the prefix"
        ) from None
    if subnet.prefixlen not in _PREFIXES:
        raise ValueError(
            f"the prefix is from /{_PREFIXES[0]} to /{_PREFIXES[-1]}, this is /{subnet.prefixlen}"
        )
    for unusable, why in _UNUSABLE.items():
        if subnet.overlaps(ipaddress.IPv4Network(unusable)):
            raise ValueError(f"{subnet} cannot be used: {unusable} {why}")
    return str(subnet)


def _bridge(name: str) -> str:
    if not is_source("bridge", name):
        raise ValueError("a bridge has 1 to 15 of the characters A-Z a-z 0-9 . _ -")
    if re.fullmatch("vmw[0-9a-f]{11}", name):
        raise ValueError("this is the bridge of a network that vmwright made: use that network")
    return name


def _libvirt_network(name: str) -> str:
    if not is_source("libvirt", name):
        raise ValueError("a network of libvirt has 1 to 64 of the characters A-Z a-z 0-9 . _ + -")
    if name.startswith("vmw-"):
        raise ValueError("this is a network that vmwright made: use it by its own name")
    return name


def _image_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """Those that steer a build say something that we know; all others are kept as they are."""
    given = dict(properties)
    for key, allowed in IMAGE_PROPERTIES.items():
        if key not in given:
            continue
        given[key] = given[key].lower()
        if given[key] not in allowed:
            raise ValueError(f"the property {key} is one of {', '.join(allowed)}")
    return given


def _trait(text: str) -> str:
    if not _TRAIT.fullmatch(text):
        raise ValueError(
            "a trait is up to 255 of A-Z, 0-9 and _, and begins with a letter: CUSTOM_SSD"
        )
    return text


def _no_colon(text: str) -> str:
    if ":" in text:
        raise ValueError("a zone or a host has no colon in its name: requests write ZONE:HOST")
    return text


Words = Annotated[Metadata, Field(max_length=128)]
"""Keys and values that are kept for whoever knows what they mean."""
ImageProperties = Annotated[Words, AfterValidator(_image_properties)]
Traits = Annotated[tuple[Annotated[str, AfterValidator(_trait)], ...], Field(max_length=256)]
Zone = Annotated[Name, AfterValidator(_no_colon)]
HostName = Annotated[Name, AfterValidator(_no_colon)]


class NewFlavor(Model):
    """A size of instances."""

    name: Name
    vcpus: Count
    ram_mib: MiB
    disk_gib: GiBOrNone
    ephemeral_gib: GiBOrNone = 0
    swap_mib: MiBOrNone = 0
    extra_specs: Words = Field(default_factory=dict)


class FlavorChange(Model):
    """What becomes different about a flavor; None leaves it."""

    enabled: StrictBool | None = None
    extra_specs: Words = Field(default_factory=dict)


class NewImage(Model):
    """What is said of an image; the rest is in its bytes."""

    name: Name
    min_disk_gib: GiBOrNone = 0
    min_ram_mib: MiBOrNone = 0
    properties: ImageProperties = Field(default_factory=dict)


class ImageChange(Model):
    """Properties that an image gets."""

    properties: ImageProperties


class NewNetwork(Model):
    """A network; without a gateway its first address is it.

    With a bridge or a network of libvirt it is there already, and its gateway is some router.
    """

    name: Name
    cidr: Annotated[str, AfterValidator(_cidr)]
    gateway: Ip | None = None
    bridge: Annotated[str, AfterValidator(_bridge)] | None = None
    libvirt_network: Annotated[str, AfterValidator(_libvirt_network)] | None = None
    pool: tuple[Ip, Ip] | None = None
    dns: Annotated[tuple[Ip, ...], Field(max_length=5)] = ()
    hosts: tuple[NameOrId, ...] = ()

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.bridge is not None and self.libvirt_network is not None:
            raise ValueError("a network is a bridge, or one of libvirt, not both")
        return self

    @model_validator(mode="after")
    def _gateway_inside(self) -> Self:
        if self.gateway is None:
            return self
        subnet, gateway = self.subnet, ipaddress.IPv4Address(self.gateway)
        if gateway not in subnet:
            raise ValueError(f"gateway {gateway} is not in {subnet}")
        if gateway in (subnet.network_address, subnet.broadcast_address):
            raise ValueError(f"gateway {gateway} is the network's own or its broadcast address")
        return self

    @model_validator(mode="after")
    def _pool_inside(self) -> Self:
        if self.pool is None:
            return self
        first, last = map(ipaddress.IPv4Address, self.pool)
        if not self.subnet[1] <= first <= last <= self.subnet[-2]:
            raise ValueError(
                f"an allocation pool goes from {self.subnet[1]} to {self.subnet[-2]} at most, "
                f"this one from {first} to {last}"
            )
        if self.pool == (self.gateway_address, self.gateway_address):
            raise ValueError("the allocation pool holds nothing but the gateway")
        return self

    @property
    def kind(self) -> NetworkKind:
        if self.bridge is not None:
            return "bridge"
        return "nat" if self.libvirt_network is None else "libvirt"

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(self.cidr)

    @property
    def gateway_address(self) -> str:
        return self.gateway or str(self.subnet.network_address + 1)


class NewPort(Model):
    """A port; what is not asked for is chosen."""

    name: Name
    network: NameOrId
    ip: Ip | None = None
    mac: Mac | None = None


class NewVolume(Model):
    """A volume: empty, or beginning as an image or a snapshot, whose size is then its default."""

    name: Name
    size_gib: GiB | None = None
    image: NameOrId | None = None
    snapshot: NameOrId | None = None
    bootable: StrictBool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.image is not None and self.snapshot is not None:
            raise ValueError("say one of image and snapshot")
        if self.size_gib is None and self.image is None and self.snapshot is None:
            raise ValueError("an empty volume needs a size")
        return self


class NewSnapshot(Model):
    """What is to be kept of a volume."""

    name: Name
    volume: NameOrId


class NewHost(Model):
    """A host; what is left out is asked of it."""

    name: HostName
    uri: Name
    vcpus: Count | None = None
    memory_mib: MiB | None = None
    disk_gib: GiB | None = None
    vcpu_ratio: Ratio = VCPU_RATIO
    memory_ratio: Ratio = MEMORY_RATIO
    disk_ratio: Ratio = DISK_RATIO
    zone: Zone | None = None
    traits: Traits = ()
    address: Ip | None = None


class HostChange(Model):
    """What becomes different about a host; what is not given stays."""

    vcpus: Count | None = None
    memory_mib: MiB | None = None
    disk_gib: GiB | None = None
    vcpu_ratio: Ratio | None = None
    memory_ratio: Ratio | None = None
    disk_ratio: Ratio | None = None
    zone: Zone | None = None
    address: Ip | None = None
    traits: Traits = ()
    without_traits: Traits = ()
    enabled: StrictBool | None = None
    disabled_reason: Name | None = None

    @model_validator(mode="after")
    def _reason_fits(self) -> Self:
        if self.disabled_reason is not None and self.enabled is not False:
            raise ValueError("a reason says why a host is disabled")
        return self

    def values_for(self, traits: Iterable[str]) -> dict[str, Any]:
        """The columns to write on a host that has these traits."""
        values = self.model_dump(exclude_none=True, exclude={"traits", "without_traits"})
        kept = set(traits) - set(self.without_traits)
        if self.enabled:
            values |= {"disabled_reason": None, "draining": False}
        return values | {"traits": sorted(kept | set(self.traits))}
