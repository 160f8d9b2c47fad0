"""Ports: addresses that are held before an instance has them, and after."""

from fastapi import APIRouter

from vmwright.api.identity import Speaking
from vmwright.api.names import NameOrId
from vmwright.inventory.wishes import NewPort
from vmwright.persistence import records
from vmwright.resources.network import Port

router = APIRouter(prefix="/ports", tags=["ports"])


@router.post("", status_code=201)
def create_port(controller: Speaking, body: NewPort) -> Port:
    """Hold a MAC and an IP address of a network, chosen where none is asked for."""
    inventory = controller.inventory
    port = inventory.ports.create(**body.model_dump())
    return _shown(port, inventory.network(port.network_id).name)


@router.get("")
def list_ports(controller: Speaking) -> list[Port]:
    """Every port of the project, oldest first; also those that were made with an instance."""
    inventory = controller.inventory
    ports = inventory.ports.all()
    names = {network.id: network.name for network in inventory.networks()}
    # A network may have gone since, with the last of its ports.
    return [_shown(port, names.get(port.network_id, port.network_id)) for port in ports]


@router.get("/{port}")
def show_port(controller: Speaking, port: NameOrId) -> Port:
    """One port."""
    inventory = controller.inventory
    known = inventory.ports.get(port)
    return _shown(known, inventory.network(known.network_id).name)


@router.delete("/{port}", status_code=204)
def delete_port(controller: Speaking, port: NameOrId) -> None:
    """Forget a port that no instance has."""
    controller.inventory.ports.delete(port)


def _shown(port: records.Port, network: str) -> Port:
    return Port.model_validate({**vars(port), "network": network})
