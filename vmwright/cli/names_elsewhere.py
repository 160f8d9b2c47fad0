"""Names as a service tells them, for who completes a command that works through one."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from vmwright.states import CLAIMABLE, STANDING_STILL, OperationState

if TYPE_CHECKING:
    from vmwright.controller import Controller

_MOST = 500


def _operations(controller: "Controller", states: Iterable[OperationState]) -> Iterable[Any]:
    return reversed(controller.operations(tuple(states), limit=_MOST))


_QUESTIONS: Mapping[str, Callable[["Controller"], Iterable[Any]]] = {
    "flavor": lambda controller: controller.inventory.flavors(),
    "host": lambda controller: controller.inventory.hosts(),
    "image": lambda controller: controller.inventory.images(),
    "instance": lambda controller: controller.instances(limit=_MOST),
    "keypair": lambda controller: controller.inventory.key_pairs.list(),
    "network": lambda controller: controller.inventory.networks(),
    "operation": lambda controller: _operations(controller, OperationState),
    "unfinished operation": lambda one: _operations(one, CLAIMABLE | STANDING_STILL),
    "halted operation": lambda controller: _operations(controller, STANDING_STILL),
    "port": lambda controller: controller.inventory.ports.all(),
    "security group": lambda controller: controller.inventory.security_groups.list(),
    "server group": lambda controller: controller.inventory.server_groups.list(),
    "snapshot": lambda controller: controller.inventory.snapshots(),
    "token": lambda controller: controller.inventory.tokens.list(),
    "volume": lambda controller: controller.inventory.volumes(),
    "zone": lambda controller: controller.inventory.zones(),
}
_ABOUT = ("vm_state", "kind", "state", "disk_format", "cidr", "ip", "instance_name")
"""What tells things of a kind apart, where they have it."""


def things_at(controller: "Controller", kind: str) -> Iterable[tuple[str, str | None, str]]:
    """Id, name, and in a few words what it is, of each thing of a kind; none of kinds that a
    service is not asked for."""
    question = _QUESTIONS.get(kind)
    for thing in question(controller) if question else ():
        about = (getattr(thing, part, None) for part in _ABOUT)
        name = getattr(thing, "name", None)
        yield str(getattr(thing, "id", name)), name, " ".join(str(one) for one in about if one)
