"""The flow that ends an instance, whatever state a build or a crash left it in."""

from taskflow.patterns import linear_flow, unordered_flow

from vmwright.spec import HooksSpec
from vmwright.tasks.block_devices import ReleaseBlockDevices
from vmwright.tasks.guest import DestroyGuest
from vmwright.tasks.host import ReleaseHost
from vmwright.tasks.instance import LocateGuest, MarkDeleted
from vmwright.tasks.network import ReleaseAddresses, UnplugNetwork
from vmwright.tasks.task import Means

NAME = "delete_instance"
VERSION = 1


def delete_instance(means: Means, _hooks: HooksSpec) -> linear_flow.Flow:
    """Needs `run`. It only goes forward: what cannot be removed now is owed, or tried again."""
    return linear_flow.Flow(NAME).add(
        LocateGuest(means),
        DestroyGuest(means),
        unordered_flow.Flow("devices").add(UnplugNetwork(means), ReleaseBlockDevices(means)),
        ReleaseHost(means),
        ReleaseAddresses(means),
        MarkDeleted(means),
    )
