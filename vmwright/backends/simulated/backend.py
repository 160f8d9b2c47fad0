"""Every simulated host of one world."""

import re
import threading
from pathlib import Path

from vmwright.backends.host import Host
from vmwright.backends.simulated import hypervisor, network, volumes
from vmwright.backends.simulated.faults import parse_faults, parse_latency
from vmwright.backends.simulated.machine import Machine
from vmwright.backends.simulated.world import Calls, HostFiles, Watch
from vmwright.errors import InvalidRequest, Unavailable
from vmwright.ids import DeploymentId
from vmwright.settings import SimulatedSettings

_ADDRESS = re.compile(r"simulated:///([a-z0-9-]{1,63})")
_EFFECTS = {**hypervisor.EFFECTS, **network.EFFECTS, **volumes.EFFECTS}


class SimulatedBackend:
    """Hosts that are directories: any name is one, and comes into being when it is used.

    Raises `InvalidRequest` for settings that cannot be read, `Unavailable` if the world's
    directory cannot be made.
    """

    def __init__(self, settings: SimulatedSettings, deployment: DeploymentId) -> None:
        self.deployment = deployment
        self._latency = parse_latency(settings.latency)
        faults = parse_faults(settings.faults)
        self._default = f"simulated:///{settings.host}"
        _name_in(self._default)
        self._world = _made(settings.world_dir)
        self._calls = Calls(self._world, faults)
        self._watch: Watch | None = None
        self._hosts: dict[str, Host] = {}
        self._threads = threading.Lock()

    @property
    def default_uri(self) -> str:
        return self._default

    def host(self, uri: str) -> Host:
        """The host at this address; `InvalidRequest` if it is not a simulated host's."""
        name = _name_in(uri)
        with self._threads:
            if name not in self._hosts:
                self._hosts[name] = self._host(name)
            return self._hosts[name]

    def watch(self, watch: Watch) -> None:
        """Have each step inside a call told, in the thread of the call: that it has begun, that a
        record is half written, written or removed. For hosts that are asked for afterwards."""
        with self._threads:
            self._watch = watch
            self._hosts.clear()

    def close(self) -> None:
        """Forget the hosts: between verbs nothing of them is open."""
        with self._threads:
            self._hosts.clear()

    def _host(self, name: str) -> Host:
        files = HostFiles(self._world / "hosts" / name, self._watch)
        machine = Machine(files, self._calls, self._latency, _EFFECTS)
        return Host(
            hypervisor=hypervisor.SimulatedHypervisor(machine),
            network=network.SimulatedNetwork(machine, self.deployment),
            volumes=volumes.SimulatedVolumes(machine, self.deployment),
        )


def _name_in(uri: str) -> str:
    found = _ADDRESS.fullmatch(uri)
    if found is None:
        raise InvalidRequest(
            f"{uri!r} is not the address of a simulated host",
            hint="write simulated:///NAME with a name of a-z, 0-9 and -",
        )
    return found[1]


def _made(world_dir: Path) -> Path:
    try:
        world_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"the simulated world {world_dir} cannot be made",
            hint="set world_dir in the group [simulated] to a directory that you may write",
        ) from error
    return world_dir
