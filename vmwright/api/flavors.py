"""Flavors: the sizes that instances come in."""

from fastapi import APIRouter

from vmwright.api.identity import Speaking
from vmwright.api.names import NameOrId
from vmwright.inventory import wishes
from vmwright.resources.flavor import Flavor

router = APIRouter(prefix="/flavors", tags=["flavors"])


class FlavorChange(wishes.FlavorChange):
    """What becomes different about a flavor; `without` are extra specs that it loses."""

    without: tuple[str, ...] = ()


@router.post("", status_code=201)
def create_flavor(controller: Speaking, body: wishes.NewFlavor) -> Flavor:
    """Register a size of instances."""
    return Flavor.model_validate(controller.inventory.create_flavor(**body.model_dump()))


@router.get("")
def list_flavors(controller: Speaking) -> list[Flavor]:
    """Every flavor, oldest first."""
    return [Flavor.model_validate(one) for one in controller.inventory.flavors()]


@router.get("/{flavor}")
def show_flavor(controller: Speaking, flavor: NameOrId) -> Flavor:
    """One flavor."""
    return Flavor.model_validate(controller.inventory.flavor(flavor))


@router.patch("/{flavor}")
def change_flavor(controller: Speaking, flavor: NameOrId, body: FlavorChange) -> Flavor:
    """Let new instances have it or not, add extra specs, or drop them."""
    return Flavor.model_validate(controller.inventory.set_flavor(flavor, **body.model_dump()))


@router.delete("/{flavor}", status_code=204)
def delete_flavor(controller: Speaking, flavor: NameOrId) -> None:
    """Forget a flavor; instances keep what they were built with."""
    controller.inventory.delete_flavor(flavor)
