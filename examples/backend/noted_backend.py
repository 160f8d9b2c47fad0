"""A backend that has another one do the work, and writes every change of a host into a journal."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from vmwright.backends import simulated
from vmwright.backends.host import Backend, Host
from vmwright.backends.hypervisor import Hypervisor
from vmwright.backends.network import Network
from vmwright.backends.volumes import Volumes
from vmwright.ids import DeploymentId
from vmwright.settings import Settings


class NotedBackend:
    """Writes the verbs that change something, each before it is carried out."""

    def __init__(self, inner: Backend, journal: Path) -> None:
        self.deployment = inner.deployment
        self._inner = inner
        self._journal = journal

    @property
    def default_uri(self) -> str:
        return self._inner.default_uri

    def host(self, uri: str) -> Host:
        host = self._inner.host(uri)
        return Host(
            hypervisor=cast(Hypervisor, _Noted(host.hypervisor, self._write)),
            network=cast(Network, _Noted(host.network, self._write)),
            volumes=cast(Volumes, _Noted(host.volumes, self._write)),
        )

    def close(self) -> None:
        self._inner.close()

    def _write(self, verb: str) -> None:
        with self._journal.open("a") as journal:
            journal.write(f"{verb}\n")


class _Noted:
    def __init__(self, inner: object, write: Callable[[str], None]) -> None:
        self._inner = inner
        self._write = write

    def __getattr__(self, verb: str) -> Any:
        if verb.startswith("ensure_"):
            self._write(verb)
        return getattr(self._inner, verb)


def open_backend(settings: Settings, deployment: DeploymentId) -> Backend:
    """The entry point: what `[DEFAULT] backend = noted` stands for."""
    inner = simulated.open_backend(settings, deployment)
    return NotedBackend(inner, settings.state_dir / "journal")
