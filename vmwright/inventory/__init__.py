"""What builds choose from: images, flavors, networks, ports, volumes and hosts of a deployment, and
the key pairs, groups and quotas of its users and projects."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from vmwright.admission import Caller
from vmwright.admission.gate import Gate, Rights
from vmwright.backends.circuit import Board
from vmwright.backends.host import Backend
from vmwright.backends.images import ImageStore
from vmwright.ids import DeploymentId
from vmwright.inventory import wishes
from vmwright.inventory.flavors import Flavors
from vmwright.inventory.hosts import Hosts, HostUse, Zone
from vmwright.inventory.images import Images
from vmwright.inventory.key_pairs import KeyPairs
from vmwright.inventory.limits import Limits
from vmwright.inventory.networks import Networks
from vmwright.inventory.ports import Ports
from vmwright.inventory.quotas import Quotas
from vmwright.inventory.register import Register
from vmwright.inventory.security_groups import SecurityGroups
from vmwright.inventory.server_groups import ServerGroups
from vmwright.inventory.tokens import Tokens
from vmwright.inventory.volumes import Snapshots, Volumes
from vmwright.persistence.history import History
from vmwright.persistence.records import (
    Flavor,
    HostRecord,
    Image,
    NetworkRecord,
    Snapshot,
    VolumeRecord,
)
from vmwright.persistence.stores import Stores
from vmwright.settings import Settings
from vmwright.waiting import Wait

__all__ = ["Inventory"]


class Inventory:
    """Registers things and lets go of them. Thread-safe, and safe between processes.

    Everything is checked before anything is stored: `Forbidden` by a policy, `InvalidRequest` for
    a rule, `Conflict` for a name that is taken or a thing that is in use, `NotFound` for what does
    not exist. What a deleted thing left on hosts is owed, and removed as debts are paid.
    """

    def __init__(
        self,
        stores: Stores,
        backend: Backend,
        images: ImageStore,
        deployment: DeploymentId,
        settings: Settings,
        *,
        caller: Caller | None = None,
    ) -> None:
        self._stores = stores
        self._rows = stores.registries
        caller = caller or Caller()
        limits = Limits(stores, caller.project, settings.quota)
        self._project, self._deadline = caller.project, settings.operations.deadline
        self.rights = rights = Rights(Gate(settings.policy_file), caller)
        self._register = Register(stores, deployment, rights)
        history = History.of(stores.database.schema, settings.state_dir, deployment)
        self._flavors = Flavors(self._register)
        self._images = Images(self._register, images, self._project, history)
        self._networks = Networks(self._register)
        self.ports = Ports(stores, limits, self._project, rights)
        self._volumes = Volumes(self._register, limits, caller)
        self._snapshots = Snapshots(self._register, limits, backend, caller, settings.operations)
        self._hosts = Hosts(
            self._register,
            backend,
            settings.operations.patience,
            settings.scheduler.default_availability_zone,
            Board(settings.state_dir),
        )
        self.key_pairs = KeyPairs(stores, limits, caller, rights)
        self.security_groups = SecurityGroups(stores, limits, caller, rights)
        self.server_groups = ServerGroups(stores, limits, caller, rights)
        self.quotas = Quotas(stores, settings.quota, caller, rights)
        self.tokens = Tokens(stores, caller, rights)

    # Images.

    def create_image(
        self,
        name: str,
        source: Path,
        disk_format: str | None = None,
        *,
        min_disk_gib: int = 0,
        min_ram_mib: int = 0,
        properties: Mapping[str, str] | None = None,
        wait: Wait,
    ) -> Image:
        """Take a file in as an image; `ImageStore.add` says what is refused. `Unavailable` if the
        image store is full or cannot be written."""
        wish = wishes.NewImage.parse(
            name=name,
            min_disk_gib=min_disk_gib,
            min_ram_mib=min_ram_mib,
            properties=properties or {},
        )
        return self._images.create(wish, source, disk_format, wait)

    def refuse_image(self, name: str) -> None:
        """Raise what `create_image` raises whatever the bytes are, before they are sent."""
        self._images.refuse(name)

    def images(self) -> Sequence[Image]:
        return self._register.all(self._rows.images)

    def image(self, name_or_id: str) -> Image:
        return self._register.find(self._rows.images, name_or_id)

    def set_image_properties(
        self, name_or_id: str, properties: Mapping[str, str], *, without: Iterable[str] = ()
    ) -> Image:
        """Give an image further properties, and drop those in `without`. What builds make of it
        from now on follows them."""
        wish = wishes.ImageChange.parse(properties=properties)
        return self._images.change(name_or_id, wish, without)

    def delete_image(self, name_or_id: str) -> Image:
        """Forget an image that no living instance or volume needs, here and on every host."""
        return self._images.delete(name_or_id)

    # Flavors.

    def create_flavor(
        self,
        name: str,
        vcpus: int,
        ram_mib: int,
        disk_gib: int,
        *,
        ephemeral_gib: int = 0,
        swap_mib: int = 0,
        extra_specs: Mapping[str, str] | None = None,
    ) -> Flavor:
        """Register a size of instances; a disk of 0 GiB leaves root disks at the image's size."""
        wish = wishes.NewFlavor.parse(
            name=name,
            vcpus=vcpus,
            ram_mib=ram_mib,
            disk_gib=disk_gib,
            ephemeral_gib=ephemeral_gib,
            swap_mib=swap_mib,
            extra_specs=extra_specs or {},
        )
        return self._flavors.create(wish)

    def flavors(self) -> Sequence[Flavor]:
        return self._register.all(self._rows.flavors)

    def flavor(self, name_or_id: str) -> Flavor:
        return self._register.find(self._rows.flavors, name_or_id)

    def set_flavor(
        self,
        name_or_id: str,
        *,
        enabled: bool | None = None,
        extra_specs: Mapping[str, str] | None = None,
        without: Iterable[str] = (),
    ) -> Flavor:
        """Let new instances have it or not, add extra specs, and drop those in `without`."""
        wish = wishes.FlavorChange.parse(enabled=enabled, extra_specs=extra_specs or {})
        return self._flavors.change(name_or_id, wish, without)

    def delete_flavor(self, name_or_id: str) -> Flavor:
        """Forget a flavor; instances keep what they were built with."""
        return self._flavors.delete(name_or_id)

    # Networks.

    def create_network(
        self,
        name: str,
        cidr: str,
        gateway: str | None = None,
        *,
        bridge: str | None = None,
        libvirt_network: str | None = None,
        pool: tuple[str, str] | None = None,
        dns: Sequence[str] = (),
        hosts: Sequence[str] = (),
    ) -> NetworkRecord:
        """Register a network: ours, which hosts get as builds need it, or one that they have.

        Without `hosts` it is on every one.
        """
        wish = wishes.NewNetwork.parse(
            name=name,
            cidr=cidr,
            gateway=gateway,
            bridge=bridge,
            libvirt_network=libvirt_network,
            pool=pool,
            dns=tuple(dns),
            hosts=tuple(hosts),
        )
        return self._networks.create(wish)

    def networks(self) -> Sequence[NetworkRecord]:
        return self._register.all(self._rows.networks)

    def network(self, name_or_id: str) -> NetworkRecord:
        return self._register.find(self._rows.networks, name_or_id)

    def hosts_of_network(self, network: NetworkRecord) -> Sequence[HostRecord]:
        """The hosts that it is bound to; none: it is on every host."""
        return self._networks.hosts_of(network.id)

    def bind_network(self, name_or_id: str, hosts: Sequence[str]) -> NetworkRecord:
        """Bind it to these hosts and no others; to none, to have it on every host."""
        return self._networks.bind(name_or_id, hosts)

    def delete_network(self, name_or_id: str) -> NetworkRecord:
        """Forget a network that no port has an address of, and have hosts forget ours."""
        return self._networks.delete(name_or_id)

    # Volumes.

    def create_volume(
        self,
        name: str,
        size_gib: int | None = None,
        *,
        image: str | None = None,
        snapshot: str | None = None,
        bootable: bool = False,
    ) -> VolumeRecord:
        """Register a volume; it is made on the host of the first instance that has it.

        From an image or a snapshot it is at least as large as that, and as bootable.
        """
        wish = wishes.NewVolume.parse(
            name=name, size_gib=size_gib, image=image, snapshot=snapshot, bootable=bootable
        )
        return self._volumes.create(wish)

    def volumes(self) -> Sequence[VolumeRecord]:
        """Every living volume that is there for the caller, oldest first."""
        return self._volumes.all()

    def volume(self, name_or_id: str) -> VolumeRecord:
        return self._volumes.find(name_or_id)

    def delete_volume(self, name_or_id: str) -> VolumeRecord:
        """Forget a volume that is not attached, and have its host remove it. Its snapshots stay."""
        return self._volumes.delete(name_or_id)

    def create_snapshot(self, name: str, volume: str, *, wait: Wait | None = None) -> Snapshot:
        """Keep what a volume holds, as a whole copy beside it on its host.

        `Conflict` for a volume that is in use, or that nothing was ever written to; `Unavailable`
        if the host does not answer, or has not made it before the deadline of operations.
        """
        wait = wait or Wait(self._deadline)
        return self._snapshots.create(wishes.NewSnapshot.parse(name=name, volume=volume), wait)

    def snapshots(self) -> Sequence[Snapshot]:
        """Every living snapshot of the project, oldest first."""
        return self._snapshots.all()

    def snapshot(self, name_or_id: str) -> Snapshot:
        return self._snapshots.find(name_or_id)

    def delete_snapshot(self, name_or_id: str) -> Snapshot:
        """Forget a snapshot that no volume begins as, and have its host remove it."""
        return self._snapshots.delete(name_or_id)

    # Hosts.

    def create_host(
        self,
        name: str,
        uri: str,
        *,
        vcpus: int | None = None,
        memory_mib: int | None = None,
        disk_gib: int | None = None,
        vcpu_ratio: float = wishes.VCPU_RATIO,
        memory_ratio: float = wishes.MEMORY_RATIO,
        disk_ratio: float = wishes.DISK_RATIO,
        zone: str | None = None,
        traits: Iterable[str] = (),
        address: str | None = None,
    ) -> HostRecord:
        """Register a host with what it says of itself; figures that are given win.

        `address` is the IPv4 address by which hints may ask for a host nearby.

        `Unavailable` if it does not answer.
        """
        wish = wishes.NewHost.parse(
            name=name,
            uri=uri,
            vcpus=vcpus,
            memory_mib=memory_mib,
            disk_gib=disk_gib,
            vcpu_ratio=vcpu_ratio,
            memory_ratio=memory_ratio,
            disk_ratio=disk_ratio,
            zone=zone,
            traits=tuple(traits),
            address=address,
        )
        return self._hosts.create(wish)

    def ensure_default_host(self) -> HostRecord:
        """The host that the configuration names, registered if it is not yet.

        `Unavailable` if it is not and does not answer.
        """
        return self._hosts.ensure_default()

    def has_host(self, connection: sa.Connection, *, heard_of: bool) -> bool:
        """Whether the configuration's host is registered, and if `heard_of`, one just answered."""
        return self._hosts.has_one(connection, heard_of=heard_of)

    def ensure_some_host_answers(self, patience: float) -> None:
        """The last cheap refusal: a build that no host could take would only fail later.

        `Unavailable` if none answers, each within so many seconds.
        """
        self._hosts.ensure_some_answer(patience)

    def hosts(self) -> Sequence[HostRecord]:
        return self._register.all(self._rows.hosts)

    def host(self, name_or_id: str) -> HostRecord:
        return self._register.find(self._rows.hosts, name_or_id)

    def host_use(self, name_or_id: str) -> HostUse:
        """What is claimed of a host, how many instances live there, and whether it answers."""
        return self._hosts.use(name_or_id)

    def hosts_in_use(self) -> Sequence[tuple[HostRecord, HostUse]]:
        """Every host with what `host_use` says of it."""
        return self._hosts.all_in_use()

    def zones(self) -> Sequence[Zone]:
        """The availability zones that hosts are in, by name."""
        return self._hosts.zones()

    def set_host(
        self,
        name_or_id: str,
        *,
        traits: Iterable[str] = (),
        without_traits: Iterable[str] = (),
        **changes: Any,
    ) -> HostRecord:
        """Change what is said of a host; what is there stays, also where it is now too much.

        `traits` are added. `changes` are zone, address, vcpus, memory_mib, disk_gib, vcpu_ratio,
        memory_ratio, disk_ratio, enabled and disabled_reason.
        """
        wish = wishes.HostChange.parse(
            traits=tuple(traits), without_traits=tuple(without_traits), **changes
        )
        return self._hosts.set(name_or_id, wish)

    def enable_host(self, name_or_id: str) -> HostRecord:
        """Let new instances be built there, whatever kept them away."""
        return self.set_host(name_or_id, enabled=True)

    def disable_host(self, name_or_id: str, reason: str) -> HostRecord:
        """Build no new instances there; those that are there stay."""
        return self.set_host(name_or_id, enabled=False, disabled_reason=reason)

    def drain_host(self, name_or_id: str) -> HostRecord:
        """Build no new instances there until it is enabled: it is to become empty."""
        return self._hosts.drain(name_or_id)

    def await_empty_host(self, name_or_id: str, timeout: float | None = None) -> None:
        """Return once no instance lives there; `DeadlinePassed` at the timeout."""
        self._hosts.await_empty(name_or_id, timeout)

    def delete_host(self, name_or_id: str) -> HostRecord:
        """Forget a host that holds nothing of ours, and take our empty storage from it.

        One that cannot be asked keeps that: it may be gone for good.
        """
        return self._hosts.delete(name_or_id)
