"""One deployment on several libvirt hosts, each with namespaces of its own."""

import subprocess
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.attempts import until
from tests.support.demo_guest import DemoGuest
from tests.support.installed import Installed
from tests.support.private_host import PrivateHost, private_host
from vmwright.controller import Controller
from vmwright.settings import Settings
from vmwright.waiting import Wait


@dataclass(frozen=True)
class Fleet:
    """The deployment, as seen on each host by the host's name."""

    on: Mapping[str, Installed]

    @property
    def command(self) -> Installed:
        """For commands, which are the same wherever one looks from."""
        return next(iter(self.on.values()))

    def sizes(self, names: Collection[str]) -> dict[str, int]:
        """How many of these instances each host has."""
        found = Counter(one["host"] for one in self.instances() if one["name"] in names)
        return {name: found[name] for name in self.on}

    def instances(self) -> list[dict[str, Any]]:
        """Every active instance."""
        known = self.command.json("list", "--long")
        return [instance for instance in known if instance["vm_state"] == "active"]

    def running(self) -> dict[str, set[str]]:
        """The guests that run on each host, as its `virsh` says."""
        return {name: set(seen.running()) for name, seen in self.on.items()}

    def placed(self) -> dict[str, set[str]]:
        """The active instances on each host, as the deployment says."""
        placed: dict[str, set[str]] = {name: set() for name in self.on}
        for instance in self.instances():
            placed[instance["host"]].add(instance["id"])
        return placed

    def builds(self, names: Collection[str]) -> list[dict[str, Any]]:
        """The operations that built these instances."""
        ids = [one["operation_id"] for one in self.instances() if one["name"] in names]
        return [one for one in self.command.json("operation", "list", "--all") if one["id"] in ids]

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
        made.command.configure(parallel=3)  # no more guests than that boot at once
        with Controller(Settings.from_files(str(home / "vmwright.conf"))) as controller:
            inventory = controller.inventory
            for name, zone in zones.items():
                # Figures of their own: each of them reports the whole machine.
                size = {"vcpus": 16, "memory_mib": 4096, "disk_gib": 64}
                inventory.create_host(name, hosts[name].uri, zone=zone, **size)
            inventory.create_image("demo", demo.disk[1], wait=Wait(120))
            inventory.create_flavor("small", vcpus=1, ram_mib=128, disk_gib=1)
            inventory.create_network("net1", "10.77.0.0/24")
        yield made


def until_an_address_is_reserved(host: PrivateHost, builder: "subprocess.Popen[str]") -> None:
    """Return as soon as the command reserves one more address there: before it starts a guest."""
    before = _reserved(host)
    until(lambda: _reserved(host) > before or builder.poll() is not None)
    assert builder.poll() is None, builder.communicate()


def _reserved(host: PrivateHost) -> int:
    """How many addresses libvirt has written down, which a power failure does not take away."""
    networks = (host.directory / "etc" / "qemu" / "networks").glob("*.xml")
    return sum(network.read_text().count("<host mac=") for network in networks)
