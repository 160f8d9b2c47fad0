"""A request with every name resolved to an id: what flows work from, as it lies in the store."""

import re
from typing import Any, Literal, Self

from pydantic import Field, ValidationError

from vmwright.errors import Damaged, UnknownFlow
from vmwright.ids import (
    FlavorId,
    HostId,
    ImageId,
    InstanceId,
    NetworkId,
    PortId,
    SecurityGroupId,
    ServerGroupId,
    SnapshotId,
    VolumeId,
)
from vmwright.networks import Addresses, NetworkKind
from vmwright.request.model import Model

VERSION: Literal[2] = 2
"""Version 1 had one instance, one host, and none of the fields that have a default here."""


class _Individual(Model):
    """What differs between the instances of one request."""

    def changed(self, **fields: Any) -> Self:
        """A copy with these fields, which are taken as they are: `model_copy` without what
        none of ours has."""
        made = self.__new__(type(self))
        object.__setattr__(made, "__dict__", {**self.__dict__, **fields})
        object.__setattr__(
            made, "__pydantic_fields_set__", self.__pydantic_fields_set__ | fields.keys()
        )
        object.__setattr__(made, "__pydantic_extra__", None)
        object.__setattr__(made, "__pydantic_private__", None)
        return made


class ImageSpec(Model):
    """An image as it was when the request was accepted."""

    id: ImageId
    name: str
    disk_format: str
    size_bytes: int
    virtual_size_bytes: int
    sha256: str
    location: str


class NicSpec(_Individual):
    """One interface."""

    port: PortId
    network: NetworkId
    network_name: str
    cidr: str
    gateway: str
    ip: str | None
    mac: str | None
    given: bool = False
    """The port was there before, and stays after."""
    kind: NetworkKind = "nat"
    source: str | None = None
    """The bridge's name, or libvirt's own of the network; None for our own networks."""
    pool: tuple[str, str] | None = None
    """First and last address to choose from; None: all of the subnet."""
    dns: tuple[str, ...] = ()
    tag: str | None = None

    @property
    def addresses(self) -> Addresses:
        return Addresses(cidr=self.cidr, gateway=self.gateway, pool=self.pool)


class SnapshotSpec(Model):
    """A snapshot that a volume begins as: a volume of the same host."""

    id: SnapshotId
    host: HostId
    location: str


class VolumeSpec(_Individual):
    """One volume: made with the instance, or there before."""

    volume: VolumeId
    source: Literal["blank", "image", "snapshot", "existing"]
    name: str
    size_gib: int
    image: ImageSpec | None = None
    snapshot: SnapshotSpec | None = None
    """Also of an existing volume that was never put on a host: what it will begin as."""
    delete_on_termination: bool
    boot_index: int | None = None
    bus: str = "virtio"
    device_type: Literal["disk", "cdrom"] = "disk"
    guest_format: str | None = None
    tag: str | None = None


class DiskSpec(Model):
    """A blank disk that lives and dies with the instance: ephemeral, or swap."""

    role: str
    """``ephemeral0``, ``ephemeral1``, ... or ``swap``: unique in the instance."""
    size_mib: int
    bus: str = "virtio"
    guest_format: str | None = None
    tag: str | None = None


class RuleSpec(Model):
    """What a security group lets through; None stands for any."""

    direction: str
    ethertype: str
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group: str | None = None
    """The name of a security group."""


class SecurityGroupSpec(Model):
    id: SecurityGroupId
    name: str
    rules: tuple[RuleSpec, ...] = ()


class PlacementSpec(Model):
    """Where the instance may be."""

    zone: str | None = None
    forced_host: HostId | None = None
    """An administrator's choice: no filter is asked, and no other host is tried."""
    group: ServerGroupId | None = None
    same_host: tuple[InstanceId, ...] = ()
    different_host: tuple[InstanceId, ...] = ()
    query: str | None = None
    near: str | None = None
    """A subnet that the host's address must lie in."""
    hints: dict[str, Any] = Field(default_factory=dict)
    """What only plug-ins know."""


class HooksSpec(Model):
    """The plug-ins that this build began with, by name and in order."""

    pre: tuple[str, ...] = ()
    post: tuple[str, ...] = ()


class Spec(_Individual):
    """The input of the create flow. Secrets are named by their ids."""

    version: Literal[1, 2] = VERSION
    name: str
    hostname: str
    description: str | None = None
    project: str
    user: str = "admin"
    launch_index: int = 0

    image: ImageSpec | None
    """What the root disk begins as; None boots from a volume."""
    image_properties: dict[str, str] = Field(default_factory=dict)
    kernel: ImageSpec | None = None
    ramdisk: ImageSpec | None = None
    flavor: FlavorId
    flavor_name: str = ""
    extra_specs: dict[str, str] = Field(default_factory=dict)
    vcpus: int
    ram_mib: int
    root_gib: int

    nics: tuple[NicSpec, ...]
    security_groups: tuple[SecurityGroupSpec, ...] = ()
    access_ip_v4: str | None = None
    access_ip_v6: str | None = None
    volumes: tuple[VolumeSpec, ...]
    disks: tuple[DiskSpec, ...] = ()
    root_bus: str = "virtio"
    root_tag: str | None = None

    metadata: dict[str, str]
    tags: tuple[str, ...] = ()
    key: str | None
    key_name: str | None = None
    config_drive: bool
    config_drive_format: Literal["config-2", "nocloud"] = "config-2"
    user_data: str | None
    injected_files: str | None = None
    """The id of the secret that holds them, as JSON."""
    admin_password: str | None = None
    disk_config: Literal["AUTO", "MANUAL"] = "AUTO"
    shutdown_terminate: bool = False

    placement: PlacementSpec = PlacementSpec()
    max_attempts: int = 1
    """How many hosts are tried."""
    hooks: HooksSpec = HooksSpec()

    @property
    def label(self) -> str:
        """The first label of the hostname, which may have a domain behind it."""
        return self.hostname.partition(".")[0]

    @property
    def secrets(self) -> tuple[str, ...]:
        """The ids of all that it has."""
        named = (self.user_data, self.injected_files, self.admin_password)
        return tuple(secret for secret in named if secret is not None)

    def to_store(self) -> dict[str, Any]:
        return self.model_dump(mode="json")

    @classmethod
    def from_store(cls, stored: dict[str, Any]) -> Self:
        """Read one of any version that is known; `UnknownFlow` if a newer one wrote it, `Damaged`
        if none can have."""
        if not isinstance(stored, dict):
            raise Damaged("the request of its instance (instances.request) is no JSON object")
        try:
            return cls.model_validate(stored)
        except ValidationError as error:
            version = stored.get("version")
            if isinstance(version, int) and version > VERSION:
                raise UnknownFlow(
                    f"request of version {version} is not known here",
                    hint="run a vmwright that knows it",
                ) from None
            raise Damaged(
                "the request of its instance (instances.request) cannot be read: "
                + _first_complaint(error)
            ) from None


def _first_complaint(error: ValidationError) -> str:
    """Where, and what kind of thing is wrong: what lies there could be secret."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "all of it"
    return f"{where}: {first['type'].replace('_', ' ')}"


def hostname_of(name: str, instance: str) -> str:
    """A DNS label made of an instance's name, as Nova makes it (`nova.utils.sanitize_hostname`)."""
    latin = name.encode("latin-1", "ignore").decode("latin-1")[:63]
    hyphenated = re.sub(r"[ _.]", "-", latin)
    # Nova keeps letters such as e with an acute accent: no DNS label may have them.
    label = re.sub(r"[^A-Za-z0-9-]+", "", hyphenated).lower().strip("-")
    return label or f"server-{instance}"
