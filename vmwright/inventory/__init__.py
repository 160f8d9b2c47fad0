"""What builds choose from: images, flavors, networks, volumes and hosts of a deployment."""

import ipaddress
from collections.abc import Sequence
from pathlib import Path

from vmwright.admission import Caller
from vmwright.backends.host import Backend
from vmwright.backends.images import ImageStore
from vmwright.backends.removal import Kind
from vmwright.errors import Conflict
from vmwright.ids import (
    DeploymentId,
    FlavorId,
    NetworkId,
    new_id,
)
from vmwright.inventory import wishes
from vmwright.inventory.hosts import Hosts
from vmwright.inventory.images import Images
from vmwright.inventory.register import Register, added
from vmwright.inventory.volumes import Snapshots, Volumes
from vmwright.inventory.wishes import (
    NewFlavor,
    NewHost,
    NewImage,
    NewNetwork,
    NewSnapshot,
    NewVolume,
    Reason,
)
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

    Everything is checked before anything is stored: `InvalidRequest` for a rule, `Conflict` for
    a name that is taken or a thing that is in use, `NotFound` for what does not exist. What a
    deleted thing left on hosts is owed, and removed as debts are paid.
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
        self._project = (caller or Caller()).project
        self._register = Register(stores, deployment)
        self._images = Images(self._register, images, self._project)
        self._volumes = Volumes(self._register, self._project)
        self._snapshots = Snapshots(self._register, backend, self._project, settings.operations)
        self._hosts = Hosts(self._register, backend, settings.operations.patience)

    # Images.

    def create_image(
        self,
        name: str,
        source: Path,
        disk_format: str | None = None,
        *,
        min_disk_gib: int = 0,
        min_ram_mib: int = 0,
        wait: Wait,
    ) -> Image:
        """Take a file in as an image; `ImageStore.add` says what is refused.

        `Unavailable` if the image store is full or cannot be written.
        """
        wish = NewImage.parse(name=name, min_disk_gib=min_disk_gib, min_ram_mib=min_ram_mib)
        return self._images.create(wish, source, disk_format, wait)

    def images(self) -> Sequence[Image]:
        return self._register.all(self._rows.images)

    def image(self, name_or_id: str) -> Image:
        return self._register.find(self._rows.images, name_or_id)

    def delete_image(self, name_or_id: str) -> Image:
        """Forget an image that no living instance or volume needs, here and on every host."""
        return self._images.delete(name_or_id)

    # Flavors.

    def create_flavor(self, name: str, vcpus: int, ram_mib: int, disk_gib: int) -> Flavor:
        """Register a size of instances; a disk of 0 GiB leaves root disks at the image's size."""
        wish = NewFlavor.parse(name=name, vcpus=vcpus, ram_mib=ram_mib, disk_gib=disk_gib)
        flavor = Flavor(id=FlavorId(new_id()), **wish.model_dump())
        with self._register.turn() as connection:
            return added(connection, self._rows.flavors, flavor)

    def flavors(self) -> Sequence[Flavor]:
        return self._register.all(self._rows.flavors)

    def flavor(self, name_or_id: str) -> Flavor:
        return self._register.find(self._rows.flavors, name_or_id)

    def delete_flavor(self, name_or_id: str) -> Flavor:
        """Forget a flavor; instances keep what they were built with."""
        with self._register.turn() as connection:
            flavor = self._rows.flavors.find(connection, name_or_id)
            self._rows.flavors.remove(connection, flavor.id)
        return flavor

    # Networks.

    def create_network(self, name: str, cidr: str, gateway: str | None = None) -> NetworkRecord:
        """Register a network; hosts get it as builds need it."""
        wish = NewNetwork.parse(name=name, cidr=cidr, gateway=gateway)
        network = NetworkRecord(
            id=NetworkId(new_id()),
            name=wish.name,
            kind="nat",
            cidr=wish.cidr,
            gateway=wish.gateway_address,
        )
        with self._register.turn() as connection:
            for known in self._rows.networks.all(connection):
                if wish.subnet.overlaps(ipaddress.IPv4Network(known.cidr)):
                    raise Conflict(
                        f"{wish.cidr} overlaps with {known.cidr} of network {known.name!r}",
                        hint="choose another range",
                    )
            return added(connection, self._rows.networks, network)

    def networks(self) -> Sequence[NetworkRecord]:
        return self._register.all(self._rows.networks)

    def network(self, name_or_id: str) -> NetworkRecord:
        return self._register.find(self._rows.networks, name_or_id)

    def delete_network(self, name_or_id: str) -> NetworkRecord:
        """Forget a network that no instance has an address of, and have hosts forget it."""
        with self._register.turn() as connection:
            network = self._rows.networks.find(connection, name_or_id)
            users = self._stores.ports.uses_of_network(connection, network.id)
            if users:
                raise Conflict(
                    f"network {network.name!r} is in use: {users} of its addresses are given out",
                    hint="delete the instances on it first; see: vmwright list",
                )
            self._rows.networks.remove(connection, network.id)
            self._register.owe_everywhere(connection, Kind.NETWORK, network.id)
        return network

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
        wish = NewVolume.parse(
            name=name, size_gib=size_gib, image=image, snapshot=snapshot, bootable=bootable
        )
        return self._volumes.create(wish)

    def volumes(self) -> Sequence[VolumeRecord]:
        """Every living volume, oldest first."""
        return self._volumes.all()

    def volume(self, name_or_id: str) -> VolumeRecord:
        return self._volumes.find(name_or_id)

    def delete_volume(self, name_or_id: str) -> VolumeRecord:
        """Forget a volume that is not attached, and have its host remove it. Its snapshots stay."""
        return self._volumes.delete(name_or_id)

    def create_snapshot(self, name: str, volume: str, *, wait: Wait) -> Snapshot:
        """Keep what a volume holds, as a whole copy beside it on its host.

        `Conflict` for a volume that is in use, or that nothing was ever written to; `Unavailable`
        if the host does not answer, or has not made it before the deadline of operations.
        """
        return self._snapshots.create(NewSnapshot.parse(name=name, volume=volume), wait)

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
        zone: str = wishes.ZONE,
    ) -> HostRecord:
        """Register a host with what it says of itself; figures that are given win.

        `Unavailable` if it does not answer.
        """
        wish = NewHost.parse(
            name=name,
            uri=uri,
            vcpus=vcpus,
            memory_mib=memory_mib,
            disk_gib=disk_gib,
            vcpu_ratio=vcpu_ratio,
            memory_ratio=memory_ratio,
            disk_ratio=disk_ratio,
            zone=zone,
        )
        return self._hosts.create(wish)

    def ensure_default_host(self) -> HostRecord:
        """The host that the configuration names, registered if it is not yet.

        `Unavailable` if it is not and does not answer.
        """
        return self._hosts.ensure_default()

    def hosts(self) -> Sequence[HostRecord]:
        return self._register.all(self._rows.hosts)

    def host(self, name_or_id: str) -> HostRecord:
        return self._register.find(self._rows.hosts, name_or_id)

    def enable_host(self, name_or_id: str) -> HostRecord:
        """Let new instances be built there."""
        return self._hosts.change(name_or_id, enabled=True, disabled_reason=None)

    def disable_host(self, name_or_id: str, reason: str) -> HostRecord:
        """Build no new instances there; those that are there stay."""
        wish = Reason.parse(reason=reason)
        return self._hosts.change(name_or_id, enabled=False, disabled_reason=wish.reason)

    def delete_host(self, name_or_id: str) -> HostRecord:
        """Forget a host that holds nothing of ours, and take our empty storage from it.

        One that cannot be asked keeps that: it may be gone for good.
        """
        return self._hosts.delete(name_or_id)
