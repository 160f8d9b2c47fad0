"""What a guest is told at its first boot, as values. How it is written down is a layout's business.

Secrets are left out of every `repr`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface
from typing import Any, Literal

from vmwright.ids import InstanceId, NetworkId, PortId


@dataclass(frozen=True, kw_only=True)
class SeedNic:
    """One interface. Without `dhcp` the guest sets `address`, `gateway` and `dns` itself."""

    port: PortId
    mac: str
    network: NetworkId
    mtu: int = 1500
    dhcp: bool = True
    address: IPv4Interface | None = None
    """With its prefix, as ``192.0.2.7/24``. Where DHCP gives it, it is only mentioned."""
    gateway: IPv4Address | None = None
    dns: tuple[IPv4Address, ...] = ()
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert self.dhcp or self.address, "an interface without DHCP needs an address"

    @property
    def static(self) -> IPv4Interface | None:
        """The address that the guest sets itself; None where it asks for one."""
        return None if self.dhcp else self.address


@dataclass(frozen=True, kw_only=True)
class SeedDisk:
    """One disk. With `guest_format` the guest makes a file system on it, or swap, if it is blank.

    `serial` and `bus` are what the guest finds it by; letters, digits and hyphens only.
    """

    serial: str
    bus: str = "virtio"
    tags: tuple[str, ...] = ()
    guest_format: str | None = None
    """As in ``mkfs -t``, or ``swap``."""
    label: str | None = None
    """Of the new file system; cloud-init mounts ``ephemeral0`` at ``/mnt``."""


@dataclass(frozen=True, kw_only=True)
class InjectedFile:
    """A file that the guest writes. Here its path is data: it names nothing on any host."""

    path: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class SecurityGroupRule:
    """Traffic that a security group lets through; None means any."""

    direction: Literal["ingress", "egress"]
    ethertype: Literal["IPv4", "IPv6"] = "IPv4"
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group: str | None = None


@dataclass(frozen=True, kw_only=True)
class SecurityGroup:
    """Told to the guest, which may enforce it; nothing else does."""

    name: str
    rules: tuple[SecurityGroupRule, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Seed:
    """What a guest is told about itself, and what it is asked to do at its first boot."""

    instance: InstanceId
    name: str
    hostname: str
    project: str
    launch_index: int = 0
    """The place of the instance among those of its request."""
    availability_zone: str = "nova"
    metadata: Mapping[str, str] = field(default_factory=dict)
    public_keys: Mapping[str, str] = field(default_factory=dict)
    """The text of each ssh public key, by its name."""
    nics: tuple[SeedNic, ...] = ()
    disks: tuple[SeedDisk, ...] = ()
    """In any number: those without tags and `guest_format` are not mentioned."""
    files: tuple[InjectedFile, ...] = ()
    security_groups: tuple[SecurityGroup, ...] = ()
    admin_password: str | None = field(default=None, repr=False)
    user_data: bytes | None = field(default=None, repr=False)
    vendor_data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the operator tells every guest, as JSON; in ``cloud-init`` a text or a list of texts."""
    auto_disk_config: bool = True
    """Whether the guest grows its root file system to the size of its disk."""
