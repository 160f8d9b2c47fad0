"""Where contract tests run: a host of one implementation, and hands that reach past vmwright."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vmwright.backends.host import Backend, Host
from vmwright.backends.simulated import SimulatedBackend
from vmwright.ids import DeploymentId, NetworkId, new_id, pool_name
from vmwright.settings import SimulatedSettings
from vmwright.waiting import Wait


class Place(Protocol):
    """One host, as a test sees it. What is put by hand was made by no flow."""

    backend: Backend

    @property
    def host(self) -> Host: ...

    def put_domain(self, uuid: str, name: str) -> None:
        """Have a guest without a mark, switched off."""

    def put_volume(self, name: str) -> None:
        """Have a volume of this name in the deployment's pool."""

    def put_network(self, uuid: str, cidr: str) -> None:
        """Have a network, active."""

    def put_bridge(self, name: str) -> None:
        """Have a bridge of Linux that the hypervisor did not make."""

    def put_libvirt_network(self, name: str) -> None:
        """Have a network of this name, active, that vmwright did not make."""

    def libvirt_network(self, name: str) -> str:
        """The network of this name in the host's own words, whole."""

    def put_reservation(self, network: NetworkId, mac: str, ip: str) -> None:
        """Have a DHCP entry without a mark on a network that exists."""

    def digest_of(self, volume: str) -> str:
        """The SHA-256 of a raw volume's content."""

    def clean(self) -> None:
        """Remove everything, whoever made it."""


@dataclass
class SimulatedPlace:
    """A simulated host, reached through its files."""

    backend: Backend
    directory: Path

    @classmethod
    def at(cls, world_dir: Path, deployment: DeploymentId | None = None) -> "SimulatedPlace":
        settings = SimulatedSettings(world_dir=world_dir)
        backend = SimulatedBackend(settings, deployment or DeploymentId(new_id()))
        return cls(backend, world_dir / "hosts" / settings.host)

    @property
    def host(self) -> Host:
        return self.backend.host(self.backend.default_uri)

    def put_domain(self, uuid: str, name: str) -> None:
        self._put("domains", uuid, {"name": name})

    def put_volume(self, name: str) -> None:
        self._put("volumes", name, {"pool": pool_name(self.backend.deployment)})

    def put_network(self, uuid: str, cidr: str) -> None:
        gateway = f"{cidr.rsplit('.', 1)[0]}.1"
        self._put("networks", uuid, {"cidr": cidr, "gateway": gateway})

    def put_bridge(self, name: str) -> None:
        self._add_to_host("bridges", name)

    def put_libvirt_network(self, name: str) -> None:
        self._add_to_host("libvirt_networks", name)

    def libvirt_network(self, name: str) -> str:
        assert name in json.loads(self._host_file.read_text())["libvirt_networks"]
        return self._host_file.read_text()

    def put_reservation(self, network: NetworkId, mac: str, ip: str) -> None:
        self._put("reservations", f"{network}-{mac.replace(':', '-')}", {"ip": ip})

    def digest_of(self, volume: str) -> str:
        record = json.loads((self.directory / "volumes" / f"{volume}.json").read_text())
        return str(record["content_sha256"] or hashlib.sha256(b"").hexdigest())

    def clean(self) -> None:
        for file in self.directory.glob("*/*.json"):
            file.unlink()

    @property
    def _host_file(self) -> Path:
        return self.directory / "host.json"

    def _add_to_host(self, what: str, name: str) -> None:
        self._host_file.parent.mkdir(parents=True, exist_ok=True)
        known = json.loads(self._host_file.read_text()) if self._host_file.exists() else {}
        known[what] = [*known.get(what, []), name]
        self._host_file.write_text(json.dumps(known))

    def _put(self, folder: str, key: str, record: dict[str, str]) -> None:
        path = self.directory / folder / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record))
        self._reopen()

    def _reopen(self) -> None:
        """What is put by hand counts from when a process opens the host."""
        settings = SimulatedSettings(world_dir=self.directory.parents[1])
        self.backend = SimulatedBackend(settings, self.backend.deployment)
        self.host.hypervisor.facts(Wait(120))
