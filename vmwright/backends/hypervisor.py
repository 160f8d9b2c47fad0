"""What a flow may ask of the machine that runs guests."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from vmwright.backends.volumes import Volume
from vmwright.ids import InstanceId, Mark, NetworkId, Whose
from vmwright.networks import NetworkKind
from vmwright.states import PowerState
from vmwright.waiting import Wait

MOST_DISKS = 26
"""Of one guest: ``vda`` to ``vdz``."""

BUSES = ("virtio", "scsi", "sata")
"""How a guest may reach a disk: ``vda``, ... on virtio, ``sda``, ... on both others."""


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """What a host says of itself. `uuid` is the hypervisor's own and survives our store."""

    uuid: str
    name: str
    vcpus: int
    memory_mib: int
    disk_gib: int
    virt_type: str
    """``kvm``, ``qemu`` or ``simulated``: what guests are really run by."""
    architecture: str
    """Of guests, in libvirt's words: ``x86_64``."""


@dataclass(frozen=True, kw_only=True)
class Domain:
    """A guest as the host knows it; `mark` is None for one that no flow made."""

    uuid: str
    name: str
    mark: Mark | None
    power_state: PowerState
    off_by_itself: bool = field(default=False, compare=False)
    """Whether it runs no more because it was shut down: not by a crash or with its host."""


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A disk of a guest: a volume of the host's pool, never a path."""

    volume: str
    disk_format: str
    serial: str
    """What the guest reads as the disk's serial number: at most 20 characters."""
    read_only: bool = False
    bus: str = "virtio"
    """One of `BUSES`."""
    device: str = "disk"
    """``disk``, or ``cdrom``: read only, and not on the bus virtio."""
    boot_index: int | None = None
    """Its turn among the disks that the guest boots from; None for none."""


@dataclass(frozen=True, kw_only=True)
class Nic:
    """A network interface of a guest."""

    network: NetworkId
    mac: str
    kind: NetworkKind = "nat"
    source: str | None = None
    """The bridge, or libvirt's own name of a network that is not ours; None for our own."""


@dataclass(frozen=True, kw_only=True)
class Guest:
    """All that makes a domain. Disks come in order; if none has a boot index, the first boots."""

    instance: InstanceId
    title: str
    """The user's name of the instance: free text, data only."""
    vcpus: int
    memory_mib: int
    disks: tuple[Disk, ...]
    nics: tuple[Nic, ...]
    kernel: str | None = None
    ramdisk: str | None = None
    """Volumes of the host's pool, for direct boot; None boots from the first disk."""


def unfit_disk(disks: Sequence[Disk]) -> str | None:
    """Why no host can have these disks in one guest; None if one can."""
    if not 0 < len(disks) <= MOST_DISKS:
        return f"{len(disks)} disks"
    for disk in disks:
        cdrom = disk.device == "cdrom" and disk.read_only and disk.bus != "virtio"
        if disk.bus not in BUSES or not (cdrom or disk.device == "disk"):
            return f"disk {disk.volume} as {disk.device} on the bus {disk.bus}"
    turns = [disk.boot_index for disk in disks if disk.boot_index is not None]
    if len(set(turns)) != len(turns):
        return "two disks to boot from at one turn"
    return None


class Hypervisor(Protocol):
    """One host's guests.

    Each verb names the state that must hold afterwards, so each may be repeated. ``ensure_*``
    marks what it makes; it accepts what the same mark made and is `Refused` by what anybody
    else made. ``ensure_no_*`` leaves alone what `whose` does not cover. All may raise
    `HostFault` (this host cannot) and `Unavailable` (outcome unknown).
    """

    def facts(self, wait: Wait) -> HostFacts: ...

    def domains(self, wait: Wait) -> Sequence[Domain]:
        """Every guest of this host, ours and foreign."""

    def find_domain(self, instance: InstanceId, wait: Wait) -> Domain | None:
        """The guest with this uuid, whoever made it."""

    def find_domain_named(self, name: str, wait: Wait) -> Domain | None:
        """The guest with this name, whoever made it."""

    def definition(
        self, guest: Guest, mark: Mark, volumes: Iterable[Volume], virt_type: str | None
    ) -> str:
        """What `ensure_domain` would define, as text; nothing is asked of the host.

        `volumes` are what the guest's disks would be made as. `virt_type` is what the host said
        that it runs guests by, if it did.
        """

    def ensure_domain(self, guest: Guest, mark: Mark, wait: Wait) -> None:
        """Make the guest known to the host; a running one stays as it is.

        Refused if the uuid or the name is taken by a domain with another mark, or if a volume
        or network of ours that the guest names does not exist. Bridges and networks of others
        are looked for when the guest starts.
        """

    def ensure_running(self, instance: InstanceId, mark: Mark, wait: Wait) -> PowerState:
        """Switch the guest on and return once the hypervisor says that it runs.

        Refused if there is no such domain with this mark; `HostFault` if the hypervisor cannot
        start it, with the hypervisor's own reason.
        """

    def ensure_no_domain(self, instance: InstanceId, whose: Whose, wait: Wait) -> None:
        """Switch the guest off and make it unknown, with its NVRAM and managed save."""

    def settle_domain(self, instance: InstanceId, wait: Wait) -> None:
        """Return once the host says that no job on this guest is under way."""

    def console(self, instance: InstanceId, wait: Wait) -> Iterator[bytes]:
        """What the guest writes to its serial console from now on, until `wait` ends.

        Read through the hypervisor's interface: the host may be remote. `Refused` if the guest
        is unknown or not running.
        """
