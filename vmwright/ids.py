"""Names of things. One type per kind of thing, and every outside name derived from ids."""

import base64
import os
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NewType, Self

DeploymentId = NewType("DeploymentId", str)
InstanceId = NewType("InstanceId", str)
OperationId = NewType("OperationId", str)
OwnerId = NewType("OwnerId", str)
HostId = NewType("HostId", str)
ImageId = NewType("ImageId", str)
FlavorId = NewType("FlavorId", str)
NetworkId = NewType("NetworkId", str)
PortId = NewType("PortId", str)
VolumeId = NewType("VolumeId", str)
SnapshotId = NewType("SnapshotId", str)
KeyPairId = NewType("KeyPairId", str)
SecurityGroupId = NewType("SecurityGroupId", str)
ServerGroupId = NewType("ServerGroupId", str)


_VARIANTS = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
"""What a random digit becomes where a uuid says which kind it is of."""

_SNAPSHOT = "snapshot"
"""The role of a snapshot in `volume_name`. No other volume has it."""

_REMEMBERED = 1024
"""Ids whose labels are known: a build writes and reads the same few again and again."""


def new_id() -> str:
    """A fresh uuid. Made at the door only: whatever derives from it can be found again."""
    # As `uuid.uuid4` makes them, for a third of the time: a build needs twenty.
    made = os.urandom(16).hex()
    variant = _VARIANTS[made[16]]
    return f"{made[:8]}-{made[8:12]}-4{made[13:16]}-{variant}{made[17:20]}-{made[20:]}"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Who made a thing outside: written on everything that a flow makes."""

    deployment: DeploymentId
    instance: InstanceId
    operation: OperationId
    attempt: int

    def token(self) -> str:
        """The mark as four dot-separated labels that are legal in file and host names."""
        packed = (self.deployment, self.instance, self.operation)
        return ".".join([*map(_packed, packed), str(self.attempt)])

    @staticmethod
    @lru_cache(_REMEMBERED)
    def from_token(token: str) -> "Mark | None":
        """The mark that `token` made, or None if the text is not one of ours."""
        labels = token.split(".")
        if len(labels) != 4 or not labels[3].isdecimal():
            return None
        ids = [_unpacked(label) for label in labels[:3]]
        if None in ids:
            return None
        mark = Mark(
            deployment=DeploymentId(ids[0] or ""),
            instance=InstanceId(ids[1] or ""),
            operation=OperationId(ids[2] or ""),
            attempt=int(labels[3]),
        )
        # One mark, one token: whatever else decodes to it was not written by us.
        return mark if mark.token() == token else None

    def to_store(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def from_store(cls, stored: dict[str, Any]) -> Self:
        return cls(**stored)


@dataclass(frozen=True, kw_only=True)
class Whose:
    """Which marks an undo may touch: a create's undo names its operation, a delete does not."""

    deployment: DeploymentId
    instance: InstanceId
    operation: OperationId | None = None

    def covers(self, mark: Mark | None) -> bool:
        """True if a thing with this mark is ours to remove. Things without a mark never are."""
        if mark is None:
            return False
        if (mark.deployment, mark.instance) != (self.deployment, self.instance):
            return False
        return self.operation in (None, mark.operation)

    def to_store(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def from_store(cls, stored: dict[str, Any]) -> Self:
        return cls(**stored)


def domain_name(instance: InstanceId) -> str:
    """The hypervisor's name of a guest. The user's name is in its title: it may hold anything."""
    return f"vmw-{instance}"


def volume_name(mark: Mark, role: str, disk_format: str) -> str:
    """The name of a volume in its pool. Volumes carry no metadata, so the name is the mark.

    `role` is ``root``, ``config``, ``swap``, ``ephemeral0`` and so on, or the packed id of a data
    volume.
    """
    return f"vmw.{mark.token()}.{role}.{disk_format}"


@lru_cache(maxsize=1024)
def mark_of_volume(name: str) -> Mark | None:
    """The mark in a volume's name, or None if it is not one of ours."""
    labels = name.split(".")
    if len(labels) != 7 or labels[0] != "vmw":
        return None
    return Mark.from_token(".".join(labels[1:5]))


def snapshot_mark(deployment: DeploymentId, snapshot: SnapshotId) -> Mark:
    """The mark of a snapshot's volume. No flow makes it: the snapshot stands for its maker."""
    return Mark(
        deployment=deployment,
        instance=InstanceId(snapshot),
        operation=OperationId(snapshot),
        attempt=1,
    )


def snapshot_name(deployment: DeploymentId, snapshot: SnapshotId, disk_format: str) -> str:
    """The name of a snapshot's volume in its pool."""
    return volume_name(snapshot_mark(deployment, snapshot), _SNAPSHOT, disk_format)


def is_snapshot(name: str) -> bool:
    """Whether a volume with this name is a snapshot's."""
    return mark_of_volume(name) is not None and name.split(".")[5] == _SNAPSHOT


def base_name(deployment: DeploymentId, sha256: str, disk_format: str) -> str:
    """The name of a cached image in a host's pool."""
    return f"vmw-base.{_packed(deployment)}.{sha256}.{disk_format}"


def data_role(volume: VolumeId) -> str:
    """The role of a data volume in `volume_name`."""
    return _packed(volume)


def volume_of_name(name: str) -> VolumeId | None:
    """The data volume that is stored under this name; None for any other disk."""
    labels = name.split(".")
    found = _unpacked(labels[5]) if len(labels) == 7 else None
    return None if found is None else VolumeId(found)


def base_of_name(name: str) -> tuple[DeploymentId, str, str] | None:
    """Deployment, digest and format of a cached image with this name; None if it is none."""
    labels = name.split(".")
    if len(labels) != 4 or labels[0] != "vmw-base":
        return None
    deployment = _unpacked(labels[1])
    return None if deployment is None else (DeploymentId(deployment), labels[2], labels[3])


def pool_name(deployment: DeploymentId) -> str:
    """The storage pool of a deployment: two stores on one host never share one."""
    return f"vmwright-{deployment}"


def network_name(network: NetworkId) -> str:
    """The hypervisor's name of a network."""
    return f"vmw-{network}"


def bridge_name(network: NetworkId) -> str:
    """The host's network device: Linux allows 15 characters."""
    return f"vmw{network.replace('-', '')[-11:]}"


def reservation_name(hostname: str, mac: str, mark: Mark) -> str:
    """The name in a DHCP host entry: the guest is given its first label, the rest is the mark.

    The MAC makes it unique: libvirt refuses a name twice, and a guest may have two interfaces.
    """
    return f"{hostname}.{mac.replace(':', '')}.{mark.token()}.vmw"


def mark_of_reservation(name: str) -> Mark | None:
    """The mark in the name of a DHCP host entry, or None if it is not one of ours."""
    labels = name.split(".")
    if len(labels) != 7 or labels[-1] != "vmw":
        return None
    return Mark.from_token(".".join(labels[2:6]))


@lru_cache(_REMEMBERED)
def _packed(identifier: str) -> str:
    """A uuid in 26 letters and digits."""
    return base64.b32encode(uuid.UUID(identifier).bytes).decode().rstrip("=").lower()


@lru_cache(_REMEMBERED)
def _unpacked(label: str) -> str | None:
    try:
        return str(uuid.UUID(bytes=base64.b32decode(label.upper() + "======")))
    except ValueError:
        return None
