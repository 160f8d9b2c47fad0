"""Who asks, and whom."""

from importlib.metadata import version

from fastapi import APIRouter

from vmwright.api.identity import Speaking
from vmwright.errors import Forbidden
from vmwright.inventory import Inventory
from vmwright.resources.me import Me

router = APIRouter(tags=["service"])


@router.get("/me")
def show_me(controller: Speaking) -> Me:
    """For whom the token speaks, and of which deployment and version the service is."""
    caller = controller.caller
    return Me(
        project=caller.project,
        user=caller.user,
        roles=sorted(caller.roles),
        deployment=controller.deployment,
        version=version("vmwright"),
        operates=_operates(controller.inventory),
        runs=controller.runs,
    )


def _operates(inventory: Inventory) -> bool:
    try:
        inventory.rights.operate()
    except Forbidden:
        return False
    return True
