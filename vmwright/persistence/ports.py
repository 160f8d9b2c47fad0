"""Ports: a MAC and an IP for each interface, never the same one twice."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from vmwright.errors import Conflict, NotFound
from vmwright.ids import InstanceId, NetworkId, OperationId, PortId
from vmwright.networks import Addresses
from vmwright.persistence.failures import Dangling
from vmwright.persistence.free_addresses import FreeAddresses
from vmwright.persistence.inserting import NewRow
from vmwright.persistence.records import Port
from vmwright.persistence.tables import Schema

_TRIES = 64


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """A port that is to be: with an instance, or, without one, a user's own."""

    port: PortId
    project: str
    network: NetworkId
    addresses: Addresses
    ip: str | None = None
    mac: str | None = None
    """The user's wishes; None: any."""
    name: str | None = None
    instance: InstanceId | None = None
    operation: OperationId | None = None
    position: int = 0


class PortStore:
    """Ports of instances, and ports that users made and that an instance may have for a while."""

    def __init__(self, schema: Schema) -> None:
        self._ports = schema.ports
        self._networks = schema.networks
        self._new = NewRow(schema.ports)
        self._free = FreeAddresses(schema.ports)

    def of_instance(self, connection: sa.Connection, instance: InstanceId) -> Sequence[Port]:
        rows = connection.execute(self._of_instance, {"instance": instance})
        return [Port.of(row) for row in rows]

    def on_networks_of_ours(
        self, connection: sa.Connection, instance: InstanceId
    ) -> Sequence[Port]:
        """As `of_instance`, without those on networks that were there before us."""
        rows = connection.execute(self._on_ours, {"instance": instance})
        return [Port.of(row) for row in rows]

    def of_project(self, connection: sa.Connection, project: str) -> Sequence[Port]:
        """Every one, oldest first, also those that were made with an instance."""
        rows = connection.execute(
            sa.select(self._ports)
            .where(self._ports.c.project_id == project)
            .order_by(self._ports.c.seq)
        )
        return [Port.of(row) for row in rows]

    def find(self, connection: sa.Connection, project: str, name_or_id: str) -> Port:
        """The project's one port with this id or name. `Conflict` if several have the name."""
        column = self._ports.c
        rows = connection.execute(
            sa.select(self._ports).where(
                column.project_id == project,
                sa.or_(column.id == name_or_id, column.name == name_or_id),
            )
        ).all()
        exact = [row for row in rows if row.id == name_or_id] or rows
        if not exact:
            raise _not_found(name_or_id)
        if len(exact) > 1:
            ids = ", ".join(row.id for row in exact)
            raise Conflict(f"several ports are named {name_or_id!r}", hint=f"use an id: {ids}")
        return Port.of(exact[0])

    def get(self, connection: sa.Connection, port: PortId) -> Port | None:
        return self._one(connection, self._ports.c.id == port)

    def is_ip_taken(self, connection: sa.Connection, network: NetworkId, offset: int) -> bool:
        """Whether a port has this address, by its distance from the subnet's first address."""
        column = self._ports.c
        taken = (column.network_id == network) & (column.ip_offset == offset)
        return self._one(connection, taken) is not None

    def taken_offsets(self, connection: sa.Connection, network: NetworkId) -> set[int]:
        """Every address of the network that a port has, by its distance from the first one."""
        column = self._ports.c
        rows = connection.execute(sa.select(column.ip_offset).where(column.network_id == network))
        return set(rows.scalars())

    def is_mac_taken(self, connection: sa.Connection, mac: str) -> bool:
        return self._one(connection, self._ports.c.mac == mac) is not None

    def uses_of_network(self, connection: sa.Connection, network: NetworkId) -> int:
        return connection.execute(
            sa.select(sa.func.count()).where(self._ports.c.network_id == network)
        ).scalar_one()

    def allocate(self, connection: sa.Connection, wanted: Allocation) -> Port:
        """Give the port a MAC and an IP; asked again, give the same ones.

        `Conflict` if a wish is taken or no address is free, `NotFound` if the network was
        deleted meanwhile.
        """
        macs = 0
        for tries in range(_TRIES):
            offset = self._offset(connection, wanted, tries)
            if offset is not None:
                candidate = _candidate(wanted, offset, macs)
                if self._insert(connection, candidate):
                    return candidate
            # Who asks for the first time finds nothing of his own: it is looked for only now.
            held = self.get(connection, wanted.port)
            if held is not None:
                return held
            if offset is None:
                raise _full(wanted.addresses)
            macs += self._refuse_taken_wish(connection, wanted, candidate)
        raise Conflict(f"no free address was found in {wanted.addresses} in {_TRIES} tries")

    def bind(
        self,
        connection: sa.Connection,
        port: PortId,
        *,
        instance: InstanceId,
        operation: OperationId,
        position: int,
    ) -> Port:
        """Give a user's port to an instance; asked again by the same operation, do nothing.

        `Conflict` if another one has it, `NotFound` if it was deleted meanwhile.
        """
        column = self._ports.c
        bound = connection.execute(
            sa.update(self._ports)
            .where(
                column.id == port,
                sa.or_(
                    column.instance_id.is_(None),
                    sa.and_(column.instance_id == instance, column.operation_id == operation),
                ),
            )
            .values(instance_id=instance, operation_id=operation, position=position)
        )
        found = self.get(connection, port)
        if found is None:
            raise _not_found(port)
        if not bound.rowcount:
            raise in_use(found)
        return found

    def release(
        self, connection: sa.Connection, instance: InstanceId, operation: OperationId | None
    ) -> None:
        """Take the ports of an instance from it; with an operation, only those that it gave.

        Those that were made with it go, and their addresses with them. Users keep theirs.
        """
        held = self.of_instance(connection, instance)
        ours = [port for port in held if operation in (None, port.operation_id)]
        made = {port.id: port for port in ours if not port.user_made}
        if made:
            connection.execute(sa.delete(self._ports).where(self._ports.c.id.in_(made)))
        for port in made.values():
            self._free.given_back(port.network_id, port.ip_offset)
        if len(ours) > len(made):
            users = [port.id for port in ours if port.user_made]
            connection.execute(
                sa.update(self._ports)
                .where(self._ports.c.id.in_(users), self._ports.c.instance_id == instance)
                .values(instance_id=None, operation_id=None, position=0)
            )

    def remove(self, connection: sa.Connection, port: PortId) -> None:
        """Forget a port and free its addresses. `Conflict` if an instance has it."""
        column = self._ports.c
        known = self.get(connection, port)
        connection.execute(
            sa.delete(self._ports).where(column.id == port, column.instance_id.is_(None))
        )
        found = self.get(connection, port)
        if found is not None:
            raise in_use(found)
        if known is not None:
            self._free.given_back(known.network_id, known.ip_offset)

    def _one(self, connection: sa.Connection, condition: sa.ColumnElement[bool]) -> Port | None:
        row = connection.execute(sa.select(self._ports).where(condition)).one_or_none()
        return None if row is None else Port.of(row)

    def _offset(self, connection: sa.Connection, wanted: Allocation, tries: int) -> int | None:
        if wanted.ip is not None:
            return wanted.addresses.offset_of(wanted.ip)
        return self._free.choose(connection, wanted.network, wanted.addresses, tries)

    def _insert(self, connection: sa.Connection, port: Port) -> bool:
        try:
            return self._new.insert(connection, port.values())
        except Dangling:
            raise NotFound(f"network {port.network_id} was deleted") from None

    def _refuse_taken_wish(
        self, connection: sa.Connection, wanted: Allocation, candidate: Port
    ) -> bool:
        """`Conflict` if what is taken of the candidate is what was asked for. Whether it is the
        MAC."""
        if self.is_mac_taken(connection, candidate.mac):
            if wanted.mac is None:
                return True
            hint = "leave it out to have one made"
            raise Conflict(f"MAC address {wanted.mac} is in use", hint=hint)
        offset = candidate.ip_offset
        if wanted.ip and self.is_ip_taken(connection, candidate.network_id, offset):
            hint = "leave it out to have one chosen"
            raise Conflict(f"fixed IP {wanted.ip} is in use", hint=hint)
        return False

    @cached_property
    def _of_instance(self) -> sa.Select[Any]:
        column = self._ports.c
        wanted = column.instance_id == sa.bindparam("instance")
        return sa.select(self._ports).where(wanted).order_by(column.position)

    @cached_property
    def _on_ours(self) -> sa.Select[Any]:
        network = self._networks.c
        joined = network.id == self._ports.c.network_id
        return self._of_instance.join(self._networks, joined).where(network.kind == "nat")


def _candidate(wanted: Allocation, offset: int, macs: int) -> Port:
    return Port(
        id=wanted.port,
        network_id=wanted.network,
        instance_id=wanted.instance,
        operation_id=wanted.operation,
        position=wanted.position,
        mac=wanted.mac or mac_of(wanted.port, macs),
        ip=wanted.addresses.at(offset),
        ip_offset=offset,
        project_id=wanted.project,
        name=wanted.name,
        user_made=wanted.instance is None,
    )


def in_use(port: Port) -> Conflict:
    """What whoever wants a port hears that an instance has."""
    return Conflict(
        f"Port {port.name or port.id} is still in use.",
        hint=f"instance {port.instance_id} has it: delete that first, or use another port",
    )


def _not_found(port: str) -> NotFound:
    return NotFound(f"Port id {port} could not be found.", hint="see: vmwright port list")


def _full(addresses: Addresses) -> Conflict:
    return Conflict(
        f"{addresses} has no free address", hint="use another network, or delete instances"
    )


def mac_of(port: PortId, attempt: int) -> str:
    """A MAC with QEMU's prefix, derived from the port: who asks twice gets the same."""
    digest = hashlib.sha256(f"{port}/{attempt}".encode()).digest()
    return ":".join(["52", "54", "00", *(f"{byte:02x}" for byte in digest[:3])])
