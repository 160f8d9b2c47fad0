"""Tasks that give an instance its addresses and bring them to its host."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from vmwright.backends.network import Reservation, Subnet
from vmwright.backends.removal import Kind, Removal
from vmwright.ids import NetworkId, Whose
from vmwright.persistence.census import Held
from vmwright.persistence.ports import Allocation
from vmwright.persistence.records import Port
from vmwright.spec import NicSpec, Spec
from vmwright.states import TaskState
from vmwright.tasks.task import RemovingTask, Run, StoreTask, Task


class AllocateNetwork(StoreTask):
    """Give each interface a MAC and an address, or the user's port that has them.

    They stay with the instance on any host.
    """

    task_name = "allocate_network"
    task_state = TaskState.NETWORKING
    gives_back = "addresses"
    leaves = frozenset({Held.PORT})
    default_provides = "network_info"

    def execute(self, run: Run, spec: Spec) -> list[dict[str, Any]]:
        ports = [
            self._bind(run, position, nic) if nic.given else self._allocate(run, spec, position)
            for position, nic in enumerate(spec.nics)
        ]
        return [
            {"port": port.id, "network": port.network_id, "mac": port.mac, "ip": port.ip}
            for port in ports
        ]

    def _bind(self, run: Run, position: int, nic: NicSpec) -> Port:
        return self._means.stores.ports.bind(
            run.connection,
            nic.port,
            instance=run.instance,
            operation=run.operation,
            position=position,
        )

    def _allocate(self, run: Run, spec: Spec, position: int) -> Port:
        nic = spec.nics[position]
        wanted = Allocation(
            port=nic.port,
            project=spec.project,
            network=nic.network,
            addresses=nic.addresses,
            ip=nic.ip,
            mac=nic.mac,
            instance=run.instance,
            operation=run.operation,
            position=position,
        )
        return self._means.stores.ports.allocate(run.connection, wanted)

    def revert(self, run: Run, **_: Any) -> None:
        stores = self._means.stores
        # What may still use them on a host that could not be cleaned keeps them from others.
        if not stores.debts.keep_addresses(run.connection, run.instance):
            stores.ports.release(run.connection, run.instance, run.whose.operation)


class PlugNetwork(Task):
    """Have our networks on the host hand out exactly these addresses."""

    task_name = "plug_network"
    task_state = TaskState.BLOCK_DEVICE_MAPPING
    gives_back = "DHCP reservations"
    leaves = frozenset({Kind.RESERVATION})
    default_provides = "interfaces"

    def execute(
        self, run: Run, spec: Spec, host: dict[str, Any], network_info: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        network = self._means.backend.host(host["uri"]).network
        for nic in spec.nics:
            if nic.kind == "nat":
                network.ensure_network(_subnet(nic), run.wait)
        for port in _ours(spec, network_info):
            reservation = Reservation(
                network=NetworkId(port["network"]),
                mac=port["mac"],
                ip=port["ip"],
                hostname=spec.label,
            )
            network.ensure_reservation(reservation, run.mark, run.wait)
        return [{"network": port["network"], "mac": port["mac"]} for port in network_info]

    def revert(
        self,
        run: Run,
        spec: Spec,
        host: dict[str, Any],
        network_info: list[dict[str, Any]],
        **_: Any,
    ) -> None:
        run.remove(self._means.backend, host, self.removals(run, spec, network_info))

    def removals(
        self, run: Run, spec: Spec, network_info: list[dict[str, Any]], **_: Any
    ) -> list[Removal]:
        ours = _ours(spec, network_info)
        pairs = [(port["network"], port["mac"], port["ip"]) for port in ours]
        return _reservations(pairs, run.whose)


class UnplugNetwork(RemovingTask):
    """Take the instance's addresses off its host."""

    task_name = "unplug_network"

    def intend(self, run: Run, **_: Any) -> None:
        run.noted[self.name] = self._looked_up(run.connection, run)

    def execute(self, run: Run, host: dict[str, Any] | None) -> None:
        if host is not None:
            run.remove(self._means.backend, host, run.noted[self.name])

    def removals(self, run: Run, **_: Any) -> list[Removal]:
        with self._means.stores.database.read() as connection:
            return self._looked_up(connection, run)

    def _looked_up(self, connection: sa.Connection, run: Run) -> list[Removal]:
        ports = self._means.stores.ports.on_networks_of_ours(connection, run.instance)
        return _reservations(((port.network_id, port.mac, port.ip) for port in ports), run.whose)


class ReleaseAddresses(StoreTask, RemovingTask):
    """Give the instance's addresses back, and its user the ports that were there before."""

    task_name = "release_addresses"

    def execute(self, run: Run) -> None:
        stores = self._means.stores
        if not stores.debts.keep_addresses(run.connection, run.instance):
            stores.ports.release(run.connection, run.instance, None)


def _ours(spec: Spec, network_info: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The ports on networks that we make. What is there already is plugged in and left alone."""
    pairs = zip(spec.nics, network_info, strict=True)
    return [port for nic, port in pairs if nic.kind == "nat"]


def _subnet(nic: NicSpec) -> Subnet:
    return Subnet(network=nic.network, cidr=nic.cidr, gateway=nic.gateway, dns=nic.dns)


def _reservations(pairs: Iterable[tuple[str, str, str]], whose: Whose) -> list[Removal]:
    return [Removal(kind=Kind.RESERVATION, key="/".join(pair), whose=whose) for pair in pairs]
