"""What builds choose from, at a service: the methods of `vmwright.inventory.Inventory`."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vmwright.client.collection import Collection
from vmwright.client.connection import Connection
from vmwright.client.hosts import Hosts, HostUse
from vmwright.client.nouns import KeyPairs, Ports, Quotas, SecurityGroups, ServerGroups, Tokens
from vmwright.client.uploads import image_of
from vmwright.resources.flavor import Flavor
from vmwright.resources.host import Host, Zone
from vmwright.resources.image import Image
from vmwright.resources.network import Network
from vmwright.resources.volume import Snapshot, Volume
from vmwright.waiting import Wait


class Inventory:
    """Registers things and lets go of them. Thread-safe.

    Everything is checked there before anything is stored: `Forbidden` by a policy,
    `InvalidRequest` for a rule, `Conflict` for a name that is taken or a thing that is in use,
    `NotFound` for what does not exist.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._images = Collection(connection, "images", Image)
        self._flavors = Collection(connection, "flavors", Flavor)
        self._networks = Collection(connection, "networks", Network)
        self._volumes = Collection(connection, "volumes", Volume)
        self._snapshots = Collection(connection, "snapshots", Snapshot)
        self._hosts = Hosts(connection)
        self.ports = Ports(connection)
        self.key_pairs = KeyPairs(connection)
        self.security_groups = SecurityGroups(connection)
        self.server_groups = ServerGroups(connection)
        self.quotas = Quotas(connection)
        self.tokens = Tokens(connection)

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
        """Send a file of this machine as an image. It is sent as it is read, and not kept in
        memory."""
        query = {
            "name": name,
            "disk_format": disk_format,
            "min_disk_gib": min_disk_gib,
            "min_ram_mib": min_ram_mib,
            "property": [f"{key}={value}" for key, value in (properties or {}).items()],
        }
        return image_of(self._connection, source, query, wait)

    def images(self) -> Sequence[Image]:
        return self._images.all()

    def image(self, name_or_id: str) -> Image:
        return self._images.get(name_or_id)

    def set_image_properties(
        self, name_or_id: str, properties: Mapping[str, str], *, without: Iterable[str] = ()
    ) -> Image:
        """Give an image further properties, and drop those in `without`."""
        return self._images.change(name_or_id, properties=dict(properties), without=list(without))

    def delete_image(self, name_or_id: str) -> None:
        """Forget an image that no living instance or volume needs, there and on every host."""
        self._images.delete(name_or_id)

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
        return self._flavors.create(
            name=name,
            vcpus=vcpus,
            ram_mib=ram_mib,
            disk_gib=disk_gib,
            ephemeral_gib=ephemeral_gib,
            swap_mib=swap_mib,
            extra_specs=dict(extra_specs or {}),
        )

    def flavors(self) -> Sequence[Flavor]:
        return self._flavors.all()

    def flavor(self, name_or_id: str) -> Flavor:
        return self._flavors.get(name_or_id)

    def set_flavor(
        self,
        name_or_id: str,
        *,
        enabled: bool | None = None,
        extra_specs: Mapping[str, str] | None = None,
        without: Iterable[str] = (),
    ) -> Flavor:
        """Let new instances have it or not, add extra specs, and drop those in `without`."""
        return self._flavors.change(
            name_or_id, enabled=enabled, extra_specs=dict(extra_specs or {}), without=list(without)
        )

    def delete_flavor(self, name_or_id: str) -> None:
        """Forget a flavor; instances keep what they were built with."""
        self._flavors.delete(name_or_id)

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
    ) -> Network:
        """Register a network: one that hosts get as builds need it, or one that they have.

        Without `hosts` it is on every one.
        """
        return self._networks.create(
            name=name,
            cidr=cidr,
            gateway=gateway,
            bridge=bridge,
            libvirt_network=libvirt_network,
            pool=pool,
            dns=list(dns),
            hosts=list(hosts),
        )

    def networks(self) -> Sequence[Network]:
        return self._networks.all()

    def network(self, name_or_id: str) -> Network:
        return self._networks.get(name_or_id)

    def hosts_of_network(self, network: Network) -> Sequence[Host]:
        """The hosts that it is bound to; none: it is on every host."""
        return (
            [host for host in self.hosts() if host.name in network.hosts] if network.hosts else []
        )

    def bind_network(self, name_or_id: str, hosts: Sequence[str]) -> Network:
        """Bind it to these hosts and no others; to none, to have it on every host."""
        return self._networks.change(name_or_id, hosts=list(hosts))

    def delete_network(self, name_or_id: str) -> None:
        """Forget a network that no port has an address of, and have hosts forget it."""
        self._networks.delete(name_or_id)

    # Volumes.

    def create_volume(
        self,
        name: str,
        size_gib: int | None = None,
        *,
        image: str | None = None,
        snapshot: str | None = None,
        bootable: bool = False,
    ) -> Volume:
        """Register a volume; it is made on the host of the first instance that has it.

        From an image or a snapshot it is at least as large as that, and as bootable.
        """
        return self._volumes.create(
            name=name, size_gib=size_gib, image=image, snapshot=snapshot, bootable=bootable
        )

    def volumes(self) -> Sequence[Volume]:
        """Every living volume that is there for the caller, oldest first."""
        return self._volumes.all()

    def volume(self, name_or_id: str) -> Volume:
        return self._volumes.get(name_or_id)

    def delete_volume(self, name_or_id: str) -> None:
        """Forget a volume that is not attached, and have its host remove it. Its snapshots stay."""
        self._volumes.delete(name_or_id)

    def create_snapshot(self, name: str, volume: str, *, wait: Wait | None = None) -> Snapshot:
        """Keep what a volume holds, as a whole copy beside it on its host. The service waits for
        it as long as its own settings say, and this client until `wait` ends."""
        timeout = _LONG if wait is None else wait.remaining()
        return self._snapshots.create(timeout=timeout, name=name, volume=volume)

    def snapshots(self) -> Sequence[Snapshot]:
        """Every living snapshot of the project, oldest first."""
        return self._snapshots.all()

    def snapshot(self, name_or_id: str) -> Snapshot:
        return self._snapshots.get(name_or_id)

    def delete_snapshot(self, name_or_id: str) -> None:
        """Forget a snapshot that no volume begins as, and have its host remove it."""
        self._snapshots.delete(name_or_id)

    # Hosts.

    def create_host(self, name: str, uri: str, **figures: Any) -> Host:
        """Register a host with what it says of itself; figures that are given win.

        `figures` are vcpus, memory_mib, disk_gib, vcpu_ratio, memory_ratio, disk_ratio, zone,
        traits and address. `Unavailable` if the host does not answer.
        """
        return self._hosts.create(name=name, uri=uri, **_lists(figures))

    def hosts(self) -> Sequence[Host]:
        return self._hosts.all()

    def host(self, name_or_id: str) -> Host:
        return self._hosts.get(name_or_id)

    def host_use(self, name_or_id: str) -> HostUse:
        """What is claimed of a host, how many instances live there, and whether it answers."""
        return self._hosts.use(name_or_id)

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
    ) -> Host:
        """Change what is said of a host; what is there stays, also where it is now too much.

        `traits` are added. `changes` are zone, address, vcpus, memory_mib, disk_gib, vcpu_ratio,
        memory_ratio, disk_ratio, enabled and disabled_reason.
        """
        return self._hosts.set(
            name_or_id, traits=list(traits), without_traits=list(without_traits), **changes
        )

    def enable_host(self, name_or_id: str) -> Host:
        """Let new instances be built there, whatever kept them away."""
        return self.set_host(name_or_id, enabled=True)

    def disable_host(self, name_or_id: str, reason: str) -> Host:
        """Build no new instances there; those that are there stay."""
        return self.set_host(name_or_id, enabled=False, disabled_reason=reason)

    def drain_host(self, name_or_id: str) -> Host:
        """Build no new instances there until it is enabled: it is to become empty."""
        return self._hosts.drain(name_or_id)

    def await_empty_host(self, name_or_id: str, timeout: float | None = None) -> None:
        """Return once no instance lives there; `DeadlinePassed` at the timeout."""
        self._hosts.await_empty(name_or_id, timeout)

    def delete_host(self, name_or_id: str) -> None:
        """Forget a host that holds nothing of ours, and have our empty storage taken from it."""
        self._hosts.delete(name_or_id)


_LONG = 3600.0
"""Seconds for what may copy a whole disk."""


def _lists(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if name == "traits" else value for name, value in figures.items()}
