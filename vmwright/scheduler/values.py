"""What the scheduler decides from: hosts as they stand, and what an instance needs of one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Literal

from vmwright.host_query import Query
from vmwright.ids import HostId, InstanceId, ServerGroupId

Policy = Literal["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One kind of room on a host."""

    total: int
    used: int = 0
    """What all claims come to."""
    ratio: float = 1.0
    """How often what is there may be given out."""

    @cached_property
    def free(self) -> int:
        """What may still be given out; negative once the ratio was lowered below what is used."""
        return math.floor(self.total * self.ratio) - self.used


@dataclass(frozen=True, kw_only=True)
class HostState:
    """A host as it stands when an instance is placed."""

    id: HostId
    name: str
    zone: str
    vcpus: Resource
    memory_mib: Resource
    disk_gib: Resource
    enabled: bool = True
    disabled_reason: str | None = None
    draining: bool = False
    """What is there stays, until somebody moves or deletes it; nothing new comes."""
    uncleaned: int = 0
    """Things that were to be removed while the host was away, and are still there."""
    hypervisor_type: str | None = None
    """``kvm`` or ``qemu``; None if it was never asked."""
    architecture: str | None = None
    """As ``uname -m`` says it; None if it was never asked."""
    address: str | None = None
    """An IP address."""
    traits: frozenset[str] = frozenset()
    instances: int = 0
    """How many live there or are being built there."""
    neighbours: frozenset[InstanceId] = frozenset()
    """Those that are there, as far as hints such as same_host name them."""
    builds: int = 0
    """How many of them are being built."""
    connection_uri: str = ""
    recent_failures: int = 0
    """Attempts that ended by this host's fault within the setting `failure_window`."""


@dataclass(frozen=True, kw_only=True)
class Located:
    """Something that the instance needs and only some hosts have: a network, a volume."""

    name: str
    hosts: frozenset[HostId]


@dataclass(frozen=True, kw_only=True)
class InstanceGroup:
    """A server group: instances that are to live together, or apart."""

    id: ServerGroupId
    name: str
    policy: Policy
    max_server_per_host: int = 1
    """For `anti-affinity`."""
    members: Mapping[HostId, int] = field(default_factory=dict)
    """How many other members live, or are being built, on each host."""


@dataclass(frozen=True, kw_only=True)
class RequestSpec:
    """What an instance needs of its host, and what its user wishes."""

    instance: InstanceId
    vcpus: int
    memory_mib: int
    disk_gib: int
    zone: str | None = None
    """None: any."""
    forced_host: HostId | None = None
    image_properties: Mapping[str, str] = field(default_factory=dict)
    extra_specs: Mapping[str, str] = field(default_factory=dict)
    """The flavor's."""
    networks: tuple[Located, ...] = ()
    """Only those that are not everywhere."""
    volumes: tuple[Located, ...] = ()
    """Only those that lie on a host already."""
    same_host: frozenset[InstanceId] = frozenset()
    different_host: frozenset[InstanceId] = frozenset()
    hints: Mapping[str, Any] = field(default_factory=dict)
    """Those that nothing here knows: plug-ins may."""
    query: Query | None = None
    build_near: IPv4Network | IPv6Network | None = None
    """The hints `build_near_host_ip` and `cidr`."""
    group: InstanceGroup | None = None
    excluded: Mapping[HostId, str] = field(default_factory=dict)
    """Hosts of earlier attempts, and why each failed."""
