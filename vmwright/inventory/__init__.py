"""What builds choose from: images, flavors, networks, ports, volumes and hosts of a deployment."""

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
    InstanceId,
    VolumeId,
    mark_of_volume,
    new_id,
)
from vmwright.inventory import wishes
from vmwright.inventory.hosts import Hosts
from vmwright.inventory.images import Images
from vmwright.inventory.networks import Networks
from vmwright.inventory.ports import Ports
from vmwright.inventory.register import Register, added
from vmwright.inventory.wishes import NewFlavor, NewHost, NewImage, NewNetwork, NewVolume, Reason
from vmwright.persistence.records import Flavor, HostRecord, Image, NetworkRecord, VolumeRecord
from vmwright.persistence.stores import Stores
from vmwright.settings import Settings
from vmwright.tasks.block_devices import FORMAT
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
        self._networks = Networks(self._register)
        self.ports = Ports(stores, self._project)
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
        wish = NewNetwork.parse(
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

    def create_volume(self, name: str, size_gib: int) -> VolumeRecord:
        """Register an empty volume; it is made on the host of the first instance that has it."""
        wish = NewVolume.parse(name=name, size_gib=size_gib)
        volume = VolumeRecord(
            id=VolumeId(new_id()),
            project_id=self._project,
            name=wish.name,
            size_gib=wish.size_gib,
            disk_format=FORMAT,
        )
        with self._stores.database.write() as connection:
            self._stores.volumes.add(connection, volume)
            return self._stores.volumes.find(connection, volume.id)

    def volumes(self) -> Sequence[VolumeRecord]:
        """Every living volume, oldest first."""
        found: list[VolumeRecord] = []
        with self._stores.database.read() as connection:
            while page := self._stores.volumes.page(
                connection, after=found[-1].seq if found else 0
            ):
                found += page
        return found

    def volume(self, name_or_id: str) -> VolumeRecord:
        with self._stores.database.read() as connection:
            return self._stores.volumes.find(connection, name_or_id)

    def delete_volume(self, name_or_id: str) -> VolumeRecord:
        """Forget a volume that is not attached, and have its host remove it."""
        with self._stores.database.write() as connection:
            volume = self._stores.volumes.find(connection, name_or_id)
            self._stores.volumes.bury(connection, volume.id)
            attached = self._stores.volumes.attachment_of(connection, volume.id)
            if attached is not None:
                raise Conflict(
                    f"volume {volume.name!r} is in use by instance {attached.instance_id}",
                    hint=f"delete it first: vmwright delete {attached.instance_id}",
                )
            if volume.host_id is not None and volume.location is not None:
                mark = mark_of_volume(volume.location)
                maker = mark.instance if mark else InstanceId("")
                self._register.owe(connection, volume.host_id, Kind.VOLUME, volume.location, maker)
        return volume

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

    def ensure_some_host_answers(self, patience: float) -> None:
        """The last cheap refusal: a build that no host could take would only fail later.

        `Unavailable` if none answers, each within so many seconds.
        """
        self._hosts.ensure_some_answer(patience)

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
