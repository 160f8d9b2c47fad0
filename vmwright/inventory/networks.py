"""Networks: ours, and those that hosts have without us. Their addresses never meet."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from vmwright.backends.removal import Kind
from vmwright.errors import Conflict
from vmwright.ids import HostId, NetworkId, new_id
from vmwright.inventory.register import Register, added
from vmwright.inventory.wishes import NewNetwork
from vmwright.persistence.records import HostRecord, NetworkRecord
from vmwright.persistence.retrying import again_if_given_up

_Hosts = frozenset[HostId]


class Networks:
    """The networks of a deployment."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._stores = register.stores
        self._rows = register.stores.registries.networks

    @again_if_given_up
    def create(self, wish: NewNetwork) -> NetworkRecord:
        self._register.rights.operate()
        first, last = wish.pool or (None, None)
        network = NetworkRecord(
            id=NetworkId(new_id()),
            name=wish.name,
            kind=wish.kind,
            cidr=wish.cidr,
            gateway=wish.gateway_address,
            bridge=wish.bridge,
            libvirt_network=wish.libvirt_network,
            pool_first=first,
            pool_last=last,
            dns=list(wish.dns),
        )
        with self._register.turn() as connection:
            hosts = self._named(connection, wish.hosts)
            self._refuse_overlap(connection, network, hosts)
            stored = added(connection, self._rows, network)
            self._rows.bind(connection, stored.id, hosts)
        return stored

    def hosts_of(self, network: NetworkId) -> Sequence[HostRecord]:
        """The hosts that it is bound to, oldest first; none: it is on every host."""
        with self._stores.database.read() as connection:
            bound = self._rows.hosts_of(connection, network)
            hosts = self._stores.registries.hosts.all(connection)
        return [host for host in hosts if host.id in bound]

    @again_if_given_up
    def bind(self, name_or_id: str, hosts: Iterable[str]) -> NetworkRecord:
        """Bind it to these hosts and no others; to none, to have it everywhere.

        Instances that are on it stay where they are.
        """
        self._register.rights.operate()
        with self._register.turn() as connection:
            network = self._rows.find(connection, name_or_id)
            bound = self._named(connection, hosts)
            self._refuse_overlap(connection, network, bound)
            self._rows.bind(connection, network.id, bound)
        return network

    @again_if_given_up
    def delete(self, name_or_id: str) -> NetworkRecord:
        self._register.rights.operate()
        with self._register.turn() as connection:
            network = self._rows.find(connection, name_or_id)
            users = self._stores.ports.uses_of_network(connection, network.id)
            if users:
                raise Conflict(
                    f"network {network.name!r} is in use: {users} of its addresses are given out",
                    hint="delete the instances and ports on it first, see: vmwright port list; "
                    "what is still owed of deleted ones keeps theirs, see: vmwright debt list",
                )
            self._rows.remove(connection, network.id)
            if network.kind == "nat":
                self._register.owe_everywhere(connection, Kind.NETWORK, network.id)
        return network

    def _named(self, connection: sa.Connection, hosts: Iterable[str]) -> _Hosts:
        known = self._stores.registries.hosts
        return frozenset(known.find(connection, name).id for name in hosts)

    def _refuse_overlap(
        self, connection: sa.Connection, network: NetworkRecord, hosts: _Hosts
    ) -> None:
        """Two networks that meet somewhere must not give out the same addresses."""
        for known in self._rows.all(connection):
            if known.id == network.id or not self._meet(connection, known, network, hosts):
                continue
            if known.addresses.subnet.overlaps(network.addresses.subnet):
                raise Conflict(
                    f"{network.cidr} overlaps with {known.cidr} of network {known.name!r}",
                    hint="choose another range",
                )

    def _meet(
        self, connection: sa.Connection, known: NetworkRecord, other: NetworkRecord, hosts: _Hosts
    ) -> bool:
        """Ours are routed everywhere; others are one where a host calls them the same."""
        if (known.kind, known.source) != (other.kind, other.source):
            return False
        if known.kind == "nat":
            return True
        bound = self._rows.hosts_of(connection, known.id)
        return not bound or not hosts or bool(bound & hosts)
