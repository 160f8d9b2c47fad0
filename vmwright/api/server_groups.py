"""Server groups: instances that are to be together, or apart."""

from fastapi import APIRouter

from vmwright.api.identity import Speaking
from vmwright.api.names import NameOrId
from vmwright.inventory import server_groups
from vmwright.persistence import records
from vmwright.resources.group import ServerGroup

router = APIRouter(prefix="/server-groups", tags=["server groups"])


@router.post("", status_code=201)
def create_server_group(controller: Speaking, body: server_groups.NewServerGroup) -> ServerGroup:
    """Make a group for instances to be built in."""
    groups = controller.inventory.server_groups
    return _shown(groups, groups.create(**body.model_dump()))


@router.get("")
def list_server_groups(controller: Speaking) -> list[ServerGroup]:
    """The server groups of the project, oldest first."""
    groups = controller.inventory.server_groups
    return [_shown(groups, group) for group in groups.list()]


@router.get("/{group}")
def show_server_group(controller: Speaking, group: NameOrId) -> ServerGroup:
    """One group, with its instances."""
    groups = controller.inventory.server_groups
    return _shown(groups, groups.get(group))


@router.delete("/{group}", status_code=204)
def delete_server_group(controller: Speaking, group: NameOrId) -> None:
    """Forget a group that no living instance is in."""
    controller.inventory.server_groups.delete(group)


def _shown(groups: server_groups.ServerGroups, group: records.ServerGroup) -> ServerGroup:
    members = list(groups.members(group.id))
    return ServerGroup.model_validate({**vars(group), "members": members})
