"""Ports that users make: addresses that are held before an instance has them, and after."""

from collections.abc import Sequence

import sqlalchemy as sa

from vmwright.admission.gate import Rights
from vmwright.errors import InvalidRequest
from vmwright.ids import PortId, new_id
from vmwright.inventory.limits import Limits
from vmwright.inventory.wishes import NewPort
from vmwright.persistence.ports import Allocation
from vmwright.persistence.records import NetworkRecord, Port
from vmwright.persistence.retrying import again_if_given_up
from vmwright.persistence.stores import Stores


class Ports:
    """The ports of one project, also those that were made with an instance."""

    def __init__(self, stores: Stores, limits: Limits, project: str, rights: Rights) -> None:
        self._limits = limits
        self._rights = rights
        self._stores = stores
        self._rows = stores.ports
        self._project = project

    @again_if_given_up
    def create(
        self, name: str, network: str, *, ip: str | None = None, mac: str | None = None
    ) -> Port:
        """Hold a MAC and an address of the network, chosen where none is asked for.

        `InvalidRequest` if the network cannot give that address, `Conflict` if somebody has it,
        `QuotaExceeded` if the project may have no more.
        """
        self._rights.change()
        wish = NewPort.parse(name=name, network=network, ip=ip, mac=mac)
        with self._stores.database.write() as connection:
            found = self._stores.registries.networks.pin(connection, wish.network)
            if wish.ip is not None:
                _check_ip(found, wish.ip)
            self._limits.refuse_more(connection, fixed_ips=1)
            return self._made(connection, wish, found)

    def all(self) -> Sequence[Port]:
        """Every one, oldest first."""
        with self._stores.database.read() as connection:
            return self._rows.of_project(connection, self._project)

    def get(self, name_or_id: str) -> Port:
        with self._stores.database.read() as connection:
            return self._rows.find(connection, self._project, name_or_id)

    @again_if_given_up
    def delete(self, name_or_id: str) -> Port:
        """Forget a port that no instance has."""
        self._rights.change()
        with self._stores.database.write() as connection:
            port = self._rows.find(connection, self._project, name_or_id)
            self._rows.remove(connection, port.id)
        return port

    def _made(self, connection: sa.Connection, wish: NewPort, network: NetworkRecord) -> Port:
        wanted = Allocation(
            port=PortId(new_id()),
            project=self._project,
            network=network.id,
            addresses=network.addresses,
            ip=wish.ip,
            mac=wish.mac,
            name=wish.name,
        )
        self._rows.allocate(connection, wanted)
        return self._rows.find(connection, self._project, wanted.port)


def _check_ip(network: NetworkRecord, ip: str) -> None:
    reason = network.addresses.why_not(ip)
    if reason is not None:
        raise InvalidRequest(f"fixed IP {ip}: network {network.name!r} ({network.cidr}) {reason}")
