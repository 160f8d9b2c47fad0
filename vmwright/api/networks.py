"""Networks: where instances have their addresses."""

from fastapi import APIRouter

from vmwright.api.identity import Speaking
from vmwright.api.names import NameOrId
from vmwright.inventory import Inventory
from vmwright.inventory.wishes import NewNetwork
from vmwright.persistence.records import NetworkRecord
from vmwright.request.fields import NameOrId as HostNameOrId
from vmwright.request.model import Model
from vmwright.resources.network import Network

router = APIRouter(prefix="/networks", tags=["networks"])


class Binding(Model):
    """The hosts that have a network, and no others; none: every host has it."""

    hosts: tuple[HostNameOrId, ...]


@router.post("", status_code=201)
def create_network(controller: Speaking, body: NewNetwork) -> Network:
    """Make a network, or register one that hosts have already."""
    inventory = controller.inventory
    return _shown(inventory, inventory.create_network(**body.model_dump()))


@router.get("")
def list_networks(controller: Speaking) -> list[Network]:
    """Every network, oldest first."""
    inventory = controller.inventory
    return [_shown(inventory, one) for one in inventory.networks()]


@router.get("/{network}")
def show_network(controller: Speaking, network: NameOrId) -> Network:
    """One network."""
    return _shown(controller.inventory, controller.inventory.network(network))


@router.patch("/{network}")
def bind_network(controller: Speaking, network: NameOrId, body: Binding) -> Network:
    """Say which hosts have it. Instances that are on it stay where they are."""
    return _shown(controller.inventory, controller.inventory.bind_network(network, body.hosts))


@router.delete("/{network}", status_code=204)
def delete_network(controller: Speaking, network: NameOrId) -> None:
    """Forget a network that no port has an address of. What is not ours stays on its hosts."""
    controller.inventory.delete_network(network)


def _shown(inventory: Inventory, network: NetworkRecord) -> Network:
    hosts = [host.name for host in inventory.hosts_of_network(network)]
    return Network.model_validate({**vars(network), "hosts": hosts})
