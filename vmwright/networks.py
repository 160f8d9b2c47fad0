"""What networks are: their kinds, what they may be called on hosts, their addresses. Pure."""

import ipaddress
import re
import socket
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

NetworkKind = Literal["nat", "bridge", "libvirt"]
"""`nat` is made by us on each host. `bridge`, of Linux, and `libvirt` are there already."""

_SOURCES = {
    # What Linux, and the tools around it, take for the name of a device.
    "bridge": re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,15}"),
    "libvirt": re.compile(r"[A-Za-z0-9._+-]{1,64}"),
}


def is_source(kind: NetworkKind, name: str | None) -> bool:
    """Whether a network of this kind may have this name on its hosts; our own have none."""
    if kind == "nat":
        return name is None
    return name is not None and _SOURCES[kind].fullmatch(name) is not None


@lru_cache(maxsize=1024)
def subnet_of(cidr: str) -> ipaddress.IPv4Network:
    """The subnet that is written so. Taken apart once: every interface asks."""
    return ipaddress.IPv4Network(cidr)


@lru_cache(maxsize=1024)
def bounds_of(cidr: str) -> tuple[int, int]:
    """The subnet's own address and its broadcast address, as numbers."""
    subnet = subnet_of(cidr)
    return int(subnet.network_address), int(subnet.broadcast_address)


def number_of(ip: str) -> int:
    """An IPv4 address as a number; `ValueError` if it is none."""
    # As `ipaddress` does, in a tenth of the time.
    try:
        return int.from_bytes(socket.inet_pton(socket.AF_INET, ip), "big")
    except OSError:
        raise ValueError(f"{ip!r} is no IPv4 address") from None


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Addresses count by their distance from the subnet's own: the offset."""

    cidr: str
    gateway: str
    pool: tuple[str, str] | None = None
    """First and last address to choose from; None: all of the subnet."""

    @property
    def subnet(self) -> ipaddress.IPv4Network:
        return subnet_of(self.cidr)

    @property
    def choice(self) -> range:
        """The offsets that may be chosen. The gateway may lie among them: nobody gets it."""
        if self.pool is None:
            own, broadcast = bounds_of(self.cidr)
            return range(1, broadcast - own)
        first, last = self.pool
        return range(self.offset_of(first), self.offset_of(last) + 1)

    def offset_of(self, ip: str) -> int:
        return number_of(ip) - bounds_of(self.cidr)[0]

    def next_free(self, taken: Container[int]) -> int | None:
        """The offset that is chosen for who has no wish; None if all are taken."""
        gateway = self.offset_of(self.gateway)
        free = (offset for offset in self.choice if offset != gateway and offset not in taken)
        return next(free, None)

    def at(self, offset: int) -> str:
        return socket.inet_ntoa((bounds_of(self.cidr)[0] + offset).to_bytes(4, "big"))

    def why_not(self, ip: str) -> str | None:
        """What the network does with this address that bars a guest from it; None if nothing.

        Who asks may have one outside of the pool.
        """
        address = ipaddress.IPv4Address(ip)
        if address not in self.subnet:
            return "does not hold it"
        if address in (self.subnet.network_address, self.subnet.broadcast_address):
            return "uses it as its own or its broadcast address"
        return "has its gateway there" if ip == self.gateway else None

    def __str__(self) -> str:
        return " to ".join(self.pool) if self.pool else self.cidr
