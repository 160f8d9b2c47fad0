"""Hosts: the machines that run instances, and the zones that they are in."""

from fastapi import APIRouter

from vmwright.api.identity import Speaking
from vmwright.api.names import NameOrId
from vmwright.controller import Controller
from vmwright.inventory.hosts import HostUse
from vmwright.inventory.wishes import HostChange, NewHost
from vmwright.persistence.records import HostRecord
from vmwright.resources.host import Host, Zone

router = APIRouter(tags=["hosts"])


@router.post("/hosts", status_code=201)
def create_host(controller: Speaking, body: NewHost) -> Host:
    """Register a host. It is asked what it has; figures given here win over its own."""
    return _shown(controller, controller.inventory.create_host(**body.model_dump()))


@router.get("/hosts")
def list_hosts(controller: Speaking) -> list[Host]:
    """Every host with what is claimed of it, oldest first."""
    return [_described(host, use) for host, use in controller.inventory.hosts_in_use()]


@router.get("/hosts/{host}")
def show_host(controller: Speaking, host: NameOrId) -> Host:
    """A host, what is claimed of it, and whether it answers."""
    return _shown(controller, controller.inventory.host(host))


@router.patch("/hosts/{host}")
def change_host(controller: Speaking, host: NameOrId, body: HostChange) -> Host:
    """Change what is said of a host. Instances that are there stay."""
    changes = body.model_dump(exclude_unset=True)
    return _shown(controller, controller.inventory.set_host(host, **changes))


@router.post("/hosts/{host}/drain")
def drain_host(controller: Speaking, host: NameOrId) -> Host:
    """Let a host become empty: it takes no new instances until it is enabled again."""
    return _shown(controller, controller.inventory.drain_host(host))


@router.delete("/hosts/{host}", status_code=204)
def delete_host(controller: Speaking, host: NameOrId) -> None:
    """Forget a host that holds nothing of ours, and take our empty storage from it."""
    controller.inventory.delete_host(host)


@router.get("/zones")
def list_zones(controller: Speaking) -> list[Zone]:
    """The availability zones that hosts are in, by name."""
    return [Zone.model_validate(zone) for zone in controller.inventory.zones()]


def _shown(controller: Controller, host: HostRecord) -> Host:
    return _described(host, controller.inventory.host_use(host.id))


def _described(host: HostRecord, use: HostUse) -> Host:
    claimed = {f"claimed_{name}": value for name, value in vars(use.claimed).items()}
    return Host.model_validate(
        {
            **vars(host),
            **claimed,
            "instances": use.instances,
            "circuit": use.condition.state,
            "silent_since": use.condition.since,
            "silent_reason": use.condition.reason,
            "unanswered_calls": use.condition.unanswered,
        }
    )
