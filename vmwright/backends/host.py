"""The outside as a whole: a backend reaches hosts, a host has guests, networks and volumes."""

from dataclasses import dataclass
from typing import Protocol

from vmwright.backends.hypervisor import Hypervisor
from vmwright.backends.network import Network
from vmwright.backends.volumes import Volumes
from vmwright.ids import DeploymentId


@dataclass(frozen=True)
class Host:
    """One machine that runs guests."""

    hypervisor: Hypervisor
    network: Network
    volumes: Volumes


class Backend(Protocol):
    """A technology that vmwright can build on. Thread-safe.

    Found by name among the entry points ``vmwright.backends``; each is called with the parsed
    settings (`vmwright.settings.Settings`) and the deployment, and may raise `PackageMissing`.
    """

    deployment: DeploymentId

    @property
    def default_uri(self) -> str:
        """The address of the host that the configuration names."""

    def host(self, uri: str) -> Host:
        """The host at this address. Nothing is asked of it before a verb is used."""

    def close(self) -> None:
        """Let go of connections and threads. Verbs may not be used afterwards."""
