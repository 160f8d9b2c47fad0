"""What users may register, and the rules for it: flavors, images, networks, volumes, hosts."""

import ipaddress
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from vmwright.request.fields import Ip, Name, NameOrId
from vmwright.request.model import Model

Count = Annotated[int, Field(ge=1, le=4096)]
MiB = Annotated[int, Field(ge=1, le=2**26)]
GiB = Annotated[int, Field(ge=1, le=2**31 - 1)]
Ratio = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]

VCPU_RATIO, MEMORY_RATIO, DISK_RATIO = 16.0, 1.0, 1.0
"""How much of a host is given out, unless somebody says otherwise."""

ZONE = "nova"

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


class NewFlavor(Model):
    """A size of instances."""

    name: Name
    vcpus: Count
    ram_mib: MiB
    disk_gib: Annotated[int, Field(ge=0, le=2**31 - 1)]


class NewImage(Model):
    """What is said of an image; the rest is in its bytes."""

    name: Name
    min_disk_gib: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    min_ram_mib: Annotated[int, Field(ge=0, le=2**26)] = 0


class NewNetwork(Model):
    """A network; without a gateway its first address is it."""

    name: Name
    cidr: Annotated[str, AfterValidator(_cidr)]
    gateway: Ip | None = None

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

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(self.cidr)

    @property
    def gateway_address(self) -> str:
        return self.gateway or str(self.subnet.network_address + 1)


class NewVolume(Model):
    """A volume: empty, or beginning as an image or a snapshot, whose size is then its default."""

    name: Name
    size_gib: GiB | None = None
    image: NameOrId | None = None
    snapshot: NameOrId | None = None
    bootable: bool = False

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

    name: Name
    uri: Name
    vcpus: Count | None = None
    memory_mib: MiB | None = None
    disk_gib: GiB | None = None
    vcpu_ratio: Ratio = VCPU_RATIO
    memory_ratio: Ratio = MEMORY_RATIO
    disk_ratio: Ratio = DISK_RATIO
    zone: Name = ZONE


class Reason(Model):
    """Why an operator did something."""

    reason: Name
