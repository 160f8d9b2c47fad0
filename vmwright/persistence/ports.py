"""Addresses: a MAC and an IP for each interface, never the same one twice."""

import hashlib
import ipaddress
from collections.abc import Sequence

import sqlalchemy as sa

from vmwright.errors import Conflict, NotFound
from vmwright.ids import InstanceId, NetworkId, OperationId, PortId
from vmwright.persistence.failures import Dangling, Duplicate
from vmwright.persistence.records import Port
from vmwright.persistence.tables import Schema

_TRIES = 64


class PortStore:
    """Interfaces of instances, with their addresses."""

    def __init__(self, schema: Schema) -> None:
        self._ports = schema.ports

    def of_instance(self, connection: sa.Connection, instance: InstanceId) -> Sequence[Port]:
        rows = connection.execute(
            sa.select(self._ports)
            .where(self._ports.c.instance_id == instance)
            .order_by(self._ports.c.position)
        )
        return [Port.of(row) for row in rows]

    def get(self, connection: sa.Connection, port: PortId) -> Port | None:
        row = connection.execute(
            sa.select(self._ports).where(self._ports.c.id == port)
        ).one_or_none()
        return None if row is None else Port.of(row)

    def holder_of_ip(
        self, connection: sa.Connection, network: NetworkId, offset: int
    ) -> InstanceId | None:
        """Whose address this is, by its distance from the subnet's first address."""
        column = self._ports.c
        return connection.execute(
            sa.select(column.instance_id).where(
                column.network_id == network, column.ip_offset == offset
            )
        ).scalar()

    def holder_of_mac(self, connection: sa.Connection, mac: str) -> InstanceId | None:
        return connection.execute(
            sa.select(self._ports.c.instance_id).where(self._ports.c.mac == mac)
        ).scalar()

    def uses_of_network(self, connection: sa.Connection, network: NetworkId) -> int:
        return connection.execute(
            sa.select(sa.func.count()).where(self._ports.c.network_id == network)
        ).scalar_one()

    def allocate(
        self,
        connection: sa.Connection,
        *,
        port: PortId,
        project: str,
        instance: InstanceId,
        operation: OperationId,
        position: int,
        network: NetworkId,
        subnet: ipaddress.IPv4Network,
        gateway: ipaddress.IPv4Address,
        ip: str | None,
        mac: str | None,
    ) -> Port:
        """Give the port a MAC and an IP; asked again, give the same ones.

        `ip` and `mac` are the user's wishes. `Conflict` if a wish is taken or the subnet is full,
        `NotFound` if the network was deleted meanwhile.
        """
        held = self.get(connection, port)
        if held is not None:
            return held
        for attempt in range(_TRIES):
            offset = (
                self._free_offset(connection, network, subnet, gateway)
                if ip is None
                else int(ipaddress.IPv4Address(ip)) - int(subnet.network_address)
            )
            candidate = Port(
                id=port,
                network_id=network,
                instance_id=instance,
                operation_id=operation,
                position=position,
                mac=mac or _mac_of(port, attempt),
                ip=str(subnet.network_address + offset),
                ip_offset=offset,
                project_id=project,
            )
            taken = self._insert(connection, candidate)
            if taken is None:
                return candidate
            _refuse_taken_wish(taken, ip=ip, mac=mac)
        raise _too_busy(subnet)

    def release(
        self, connection: sa.Connection, instance: InstanceId, operation: OperationId | None
    ) -> None:
        """Give the addresses of an instance back; with an operation, only those that it took."""
        condition = self._ports.c.instance_id == instance
        if operation is not None:
            condition &= self._ports.c.operation_id == operation
        connection.execute(sa.delete(self._ports).where(condition))

    def _insert(self, connection: sa.Connection, port: Port) -> str | None:
        """Insert; None if that worked, else the name of the column whose value is taken."""
        try:
            with connection.begin_nested():
                connection.execute(sa.insert(self._ports).values(port.values()))
        except Duplicate as error:
            return "mac" if any("mac" in column for column in error.columns) else "ip"
        except Dangling:
            raise NotFound(f"network {port.network_id} was deleted") from None
        return None

    def _free_offset(
        self,
        connection: sa.Connection,
        network: NetworkId,
        subnet: ipaddress.IPv4Network,
        gateway: ipaddress.IPv4Address,
    ) -> int:
        """The lowest address that nobody holds: the first one, or the one after a held one."""
        last = subnet.num_addresses - 2
        taken = int(gateway) - int(subnet.network_address)
        for first in (1, taken + 1):
            if first == taken or first > last:
                continue
            free = self._lowest_gap(connection, network, first)
            if free <= last and free != taken:
                return free
        raise Conflict(
            f"subnet {subnet} has no free address", hint="use another network, or delete instances"
        )

    def _lowest_gap(self, connection: sa.Connection, network: NetworkId, first: int) -> int:
        held, after = self._ports.alias("held"), self._ports.alias("after")
        start = connection.execute(
            sa.select(held.c.seq).where(held.c.network_id == network, held.c.ip_offset == first)
        ).first()
        if start is None:
            return first
        gap = connection.execute(
            sa.select(held.c.ip_offset + 1)
            .where(
                held.c.network_id == network,
                held.c.ip_offset >= first,
                ~sa.exists().where(
                    after.c.network_id == network, after.c.ip_offset == held.c.ip_offset + 1
                ),
            )
            .order_by(held.c.ip_offset)
            .limit(1)
        ).scalar_one()
        return int(gap)


def _too_busy(subnet: ipaddress.IPv4Network) -> Conflict:
    return Conflict(f"no free address was found in {subnet} in {_TRIES} tries")


def _refuse_taken_wish(taken: str, *, ip: str | None, mac: str | None) -> None:
    if taken == "mac" and mac is not None:
        raise Conflict(f"MAC address {mac} is in use", hint="leave it out to have one made")
    if taken == "ip" and ip is not None:
        raise Conflict(f"fixed IP {ip} is in use", hint="leave it out to have one chosen")


def _mac_of(port: PortId, attempt: int) -> str:
    """A MAC with QEMU's prefix, derived from the port: who asks twice gets the same."""
    digest = hashlib.sha256(f"{port}/{attempt}".encode()).digest()
    return ":".join(["52", "54", "00", *(f"{byte:02x}" for byte in digest[:3])])
