"""Tasks that give an instance its addresses and bring them to its host."""

import ipaddress
from collections.abc import Iterable
from typing import Any

from vmwright.backends.network import Reservation, Subnet
from vmwright.backends.removal import Kind, Removal
from vmwright.ids import NetworkId, Whose
from vmwright.persistence.records import Port
from vmwright.spec import NicSpec, Spec
from vmwright.states import TaskState
from vmwright.tasks.task import RemovingTask, Run, StoreTask, Task


class AllocateNetwork(StoreTask):
    """Give each interface a MAC and an address. They stay with the instance on any host."""

    task_name = "allocate_network"
    task_state = TaskState.NETWORKING
    gives_back = "addresses"
    default_provides = "network_info"

    def execute(self, run: Run, spec: Spec) -> list[dict[str, Any]]:
        return [
            self._allocate(run, spec.project, position, nic)
            for position, nic in enumerate(spec.nics)
        ]

    def _allocate(self, run: Run, project: str, position: int, nic: NicSpec) -> dict[str, Any]:
        port = self._means.stores.ports.allocate(
            run.connection,
            port=nic.port,
            project=project,
            instance=run.instance,
            operation=run.operation,
            position=position,
            network=nic.network,
            subnet=ipaddress.IPv4Network(nic.cidr),
            gateway=ipaddress.IPv4Address(nic.gateway),
            ip=nic.ip,
            mac=nic.mac,
        )
        return {"port": nic.port, "network": nic.network, "mac": port.mac, "ip": port.ip}

    def revert(self, run: Run, **_: Any) -> None:
        self._means.stores.ports.release(run.connection, run.instance, run.whose.operation)


class PlugNetwork(Task):
    """Have the networks on the host hand out exactly these addresses."""

    task_name = "plug_network"
    task_state = TaskState.BLOCK_DEVICE_MAPPING
    gives_back = "DHCP reservations"
    default_provides = "interfaces"

    def execute(
        self, run: Run, spec: Spec, host: dict[str, Any], network_info: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        network = self._means.backend.host(host["uri"]).network
        for nic in spec.nics:
            subnet = Subnet(network=nic.network, cidr=nic.cidr, gateway=nic.gateway)
            network.ensure_network(subnet, run.wait)
        for port in network_info:
            reservation = Reservation(
                network=NetworkId(port["network"]),
                mac=port["mac"],
                ip=port["ip"],
                hostname=spec.hostname,
            )
            network.ensure_reservation(reservation, run.mark, run.wait)
        return [{"network": port["network"], "mac": port["mac"]} for port in network_info]

    def revert(
        self, run: Run, host: dict[str, Any], network_info: list[dict[str, Any]], **_: Any
    ) -> None:
        pairs = [(port["network"], port["mac"], port["ip"]) for port in network_info]
        run.remove(self._means.backend, host, _reservations(pairs, run.whose))


class UnplugNetwork(RemovingTask):
    """Take the instance's addresses off its host."""

    task_name = "unplug_network"

    def execute(self, run: Run, host: dict[str, Any] | None) -> None:
        if host is None:
            return
        stores = self._means.stores
        with stores.database.read() as connection:
            ports = stores.ports.of_instance(connection, run.instance)
        run.remove(self._means.backend, host, _reservations(map(_pair, ports), run.whose))


class ReleaseAddresses(StoreTask, RemovingTask):
    """Give the instance's addresses back."""

    task_name = "release_addresses"

    def execute(self, run: Run) -> None:
        self._means.stores.ports.release(run.connection, run.instance, None)


def _pair(port: Port) -> tuple[str, str, str]:
    return port.network_id, port.mac, port.ip


def _reservations(pairs: Iterable[tuple[str, str, str]], whose: Whose) -> list[Removal]:
    return [Removal(kind=Kind.RESERVATION, key="/".join(pair), whose=whose) for pair in pairs]
