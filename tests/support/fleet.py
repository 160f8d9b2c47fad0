"""One deployment on several libvirt hosts, each with namespaces of its own."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libvirt

from tests.support.attempts import until
from tests.support.demo_guest import DemoGuest
from tests.support.installed import Installed
from tests.support.private_host import PrivateHost, private_host


@dataclass(frozen=True)
class Fleet:
    """The deployment, as seen on each host by the host's name."""

    on: Mapping[str, Installed]

    @property
    def command(self) -> Installed:
        """For commands, which are the same wherever one looks from."""
        return next(iter(self.on.values()))

    def running(self) -> dict[str, set[str]]:
        """The guests that run on each host, as its `virsh` says."""
        return {name: set(seen.running()) for name, seen in self.on.items()}

    def placed(self) -> dict[str, set[str]]:
        """The active instances on each host, as the deployment says."""
        placed: dict[str, set[str]] = {name: set() for name in self.on}
        for instance in self.command.json("list", "--long"):
            if instance["vm_state"] == "active":
                placed[instance["host"]].add(instance["id"])
        return placed

    def builds(self) -> list[dict[str, Any]]:
        """Every operation that builds, oldest first."""
        operations = self.command.json("operation", "list", "--all")
        return [operation for operation in operations if operation["kind"] == "create"]

    def left(self, name: str) -> list[str]:
        """What lies on a host, whoever made it; nothing if it is as before the first build."""
        seen = self.on[name]
        return seen.domains() + seen.volumes() + seen.reservations()


@contextmanager
def fleet(directory: Path, demo: DemoGuest, zones: Mapping[str, str]) -> Iterator[Fleet]:
    """A deployment with an image, a flavor and a network on as many hosts as `zones` names."""
    with ExitStack() as powered:
        hosts = {name: powered.enter_context(private_host(directory / name)) for name in zones}
        home = directory / "home"
        made = Fleet({name: Installed(home, host) for name, host in hosts.items()})
        command = made.command
        command.configure(parallel=3)  # no more guests than that boot at once
        for name, host in hosts.items():
            register(command, name, host, zones[name])
        command.run("image", "create", "demo", "--file", str(demo.disk[1]))
        command.run("flavor", "create", "small", "--vcpus", "1", "--ram", "128", "--disk", "1")
        command.run("network", "create", "net1", "--subnet-range", "10.77.0.0/24")
        yield made


def register(command: Installed, name: str, host: PrivateHost, zone: str) -> None:
    """Give the host figures of its own: each one reports the whole machine."""
    place = ("--uri", host.uri, "--zone", zone) if zone else ("--uri", host.uri)
    command.run("host", "create", name, *place, "--vcpus", "16", "--memory", "4096", "--disk", "64")


def until_something_is_built(host: PrivateHost) -> None:
    """Return as soon as a build has made a volume there, which is before it starts its guest."""
    with closing(libvirt.open(host.uri)) as connection:
        until(lambda: any(_volumes(pool) for pool in connection.listAllStoragePools()))


def _volumes(pool: libvirt.virStoragePool) -> list[str]:
    names = pool.listVolumes() if pool.isActive() else []
    return [name for name in names if not name.startswith("vmw-base.")]
