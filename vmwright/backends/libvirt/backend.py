"""Every libvirt host that a deployment uses."""

import threading

from vmwright.backends.circuit import Board
from vmwright.backends.host import Host
from vmwright.backends.libvirt.connection import HostConnection
from vmwright.backends.libvirt.hypervisor import LibvirtHypervisor
from vmwright.backends.libvirt.network import LibvirtNetwork
from vmwright.backends.libvirt.pool import Pool
from vmwright.backends.libvirt.uploads import Uploads
from vmwright.backends.libvirt.virt_type import VirtType
from vmwright.backends.libvirt.volumes import LibvirtVolumes
from vmwright.ids import DeploymentId
from vmwright.settings import Settings


class LibvirtBackend:
    """Hosts by their libvirt URIs, each with a connection that is made when it is needed."""

    def __init__(self, settings: Settings, deployment: DeploymentId) -> None:
        self.deployment = deployment
        self._settings = settings
        self._pool = Pool(deployment, settings.libvirt.pool_dir)
        self._board = Board(settings.state_dir)
        self._hosts: dict[str, tuple[HostConnection, Host]] = {}
        self._lock = threading.Lock()

    @property
    def default_uri(self) -> str:
        return self._settings.libvirt.connection_uri

    def host(self, uri: str) -> Host:
        with self._lock:
            if uri not in self._hosts:
                connection = self._connection(uri)
                self._hosts[uri] = connection, self._host(connection)
            return self._hosts[uri][1]

    def close(self) -> None:
        with self._lock:
            for connection, _ in self._hosts.values():
                connection.close()
            self._hosts.clear()

    def _connection(self, uri: str) -> HostConnection:
        settings = self._settings.libvirt
        return HostConnection(
            uri,
            settings.call_deadline,
            settings.circuit_rest,
            self._board.teller(uri),
            connections=settings.connections_per_host,
        )

    def _host(self, connection: HostConnection) -> Host:
        virt_type = VirtType(
            connection, self._pool, self._settings.libvirt.virt_type, self._settings.state_dir
        )
        return Host(
            hypervisor=LibvirtHypervisor(
                connection, self._pool, virt_type, starts=self._settings.libvirt.starts_per_host
            ),
            network=LibvirtNetwork(connection, self.deployment),
            volumes=LibvirtVolumes(
                connection, self._pool, Uploads(self._settings.state_dir, connection.uri)
            ),
        )
