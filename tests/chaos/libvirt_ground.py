"""A chaos run on real libvirt hosts in namespaces, looked at with their own virsh."""

import random
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import vmwright.backends.libvirt
from tests.chaos.crew import KEPT
from tests.chaos.ground import LATE, LEASE, Undo
from tests.chaos.world import Guest, Kept, Reserved, Seen, World
from tests.support.demo_guest import demo_guest
from tests.support.private_host import PrivateHost, private_host
from vmwright.controller import Controller
from vmwright.settings import (
    DatabaseSettings,
    LibvirtSettings,
    OperationSettings,
    Settings,
    SimulatedSettings,
)
from vmwright.waiting import Wait

assert vmwright.backends.libvirt, "loaded before any child is made"

HOSTS = ("alpha", "beta")
_SIZE = {"vcpus": 64, "memory_mib": 65536, "disk_gib": 64}
_KILL_A_GUEST = "for file in /run/libvirt/qemu/vmw-*.pid; do kill -9 $(cat $file) && break; done"


@dataclass
class LibvirtWorld:
    """What virsh says on each host."""

    hosts: dict[str, PrivateHost]
    cut: set[str]
    """Hosts whose guests were killed, and need not run."""

    def see(self) -> Seen:
        each = self.hosts.items()
        return Seen(
            guests=[guest for uri, host in each for guest in self._guests(uri, host)],
            volumes=[volume for uri, host in each for volume in _volumes(uri, host)],
            reservations=[known for uri, host in each for known in _reservations(uri, host)],
        )

    def _guests(self, uri: str, host: PrivateHost) -> Iterator[Guest]:
        running = host.virsh("list", "--uuid").split()
        for uuid in host.virsh("list", "--all", "--uuid").split():
            domain = ET.fromstring(host.virsh("dumpxml", uuid))
            files = [source.get("file", "") for source in domain.iterfind(".//disk/source")]
            yield Guest(
                host=uri,
                uuid=uuid,
                running=uuid in running or uri in self.cut,
                volumes=tuple(Path(file).name for file in files),
                macs=tuple(mac.get("address", "") for mac in domain.iterfind(".//interface/mac")),
                operation=None,
            )


def _volumes(uri: str, host: PrivateHost) -> Iterator[Kept]:
    for pool in host.virsh("pool-list", "--name").split():
        for line in host.virsh("vol-list", pool).splitlines():
            name = line.split()[0] if line.strip() else ""
            if name and not name.startswith("vmw-base."):
                yield Kept(host=uri, name=name)


def _reservations(uri: str, host: PrivateHost) -> Iterator[Reserved]:
    for name in host.virsh("net-list", "--all", "--name").split():
        network = ET.fromstring(host.virsh("net-dumpxml", name))
        for entry in network.iterfind(".//dhcp/host"):
            yield Reserved(host=uri, mac=entry.get("mac", ""), ip=entry.get("ip", ""))


@dataclass
class LibvirtGround:
    """Two real hosts."""

    home: Path
    url: str
    hosts: dict[str, PrivateHost]
    choices: int = 1
    steps: bool = False
    most: int = 4
    crew: int = 3
    calm: float = 3.0
    life: float = 20.0
    cut: set[str] = field(default_factory=set)

    @classmethod
    @contextmanager
    def at(cls, home: Path, url: str) -> Iterator["LibvirtGround"]:
        with ExitStack() as powered:
            made = [powered.enter_context(private_host(home / name)) for name in HOSTS]
            yield cls(home, url, {host.uri: host for host in made})

    @property
    def settings(self) -> Settings:
        return Settings(
            backend="libvirt",
            state_dir=self.home,
            database=DatabaseSettings(connection=self.url),
            simulated=SimulatedSettings(world_dir=self.home / "world"),
            libvirt=LibvirtSettings(connection_uri=next(iter(self.hosts)), virt_type="qemu"),
            operations=OperationSettings(
                lease=LEASE,
                deadline=60.0,
                patience=5.0,
                undo_deadline=5.0,
                undo_tries=1000,
                takeovers=10**6,  # that processes die is what is wanted here
                undo_backoff=0.1,
                late_effect=LATE,
                parallel=1,
            ),
            reconcile_interval=0.5,
        )

    @property
    def world(self) -> World:
        return LibvirtWorld(self.hosts, self.cut)

    def shaky(self, chance: random.Random) -> Settings:
        """Real hosts have faults of their own."""
        del chance
        return self.settings

    def failing(self) -> Sequence[Callable[[], Settings]]:
        return ()

    def prepare(self, controller: Controller) -> None:
        inventory = controller.inventory
        for name, uri in zip(HOSTS, self.hosts, strict=True):
            inventory.create_host(name, uri, **_SIZE)
        inventory.create_image("image1", demo_guest().disk[1], wait=Wait(120))
        inventory.create_flavor("small", vcpus=1, ram_mib=128, disk_gib=1)
        inventory.create_network("net1", "10.77.0.0/24")
        for number, name in enumerate(KEPT):
            inventory.create_volume(name, size_gib=1)
            inventory.ports.create(name, "net1", ip=f"10.77.0.{200 + number}")

    def befall(self, chance: random.Random) -> Undo:
        """libvirtd is killed, or a guest, or the whole host loses its power."""
        uri, host = chance.choice(list(self.hosts.items()))
        blow = chance.choice(("daemon", "daemon", "guest", "guest", "power"))
        if blow == "daemon":
            host.kill_libvirtd()
            return host.start_libvirtd
        self.cut.add(uri)
        if blow == "guest":
            host.run("sh", "-c", f"{_KILL_A_GUEST}; true")
            return lambda: None
        host.cut_power()
        return host.power_on

    def is_for_secrets(self, path: Path) -> bool:
        """Config drives, which are for the guest."""
        return ".config." in path.name
