"""The flow that builds an instance: from nothing to a running guest, or back to nothing."""

from taskflow.patterns import linear_flow, unordered_flow

from vmwright.tasks.block_devices import MapBlockDevices
from vmwright.tasks.guest import Spawn
from vmwright.tasks.host import ClaimHost
from vmwright.tasks.image import CheckImageSize
from vmwright.tasks.instance import CheckNotCreated, MarkActive
from vmwright.tasks.network import AllocateNetwork, PlugNetwork
from vmwright.tasks.task import Means

NAME = "create_instance"
VERSION = 1
"""Raise it when tasks are added, removed, renamed or reordered."""


def create_instance(means: Means) -> linear_flow.Flow:
    """Needs `run` and `spec`. What lies on a host is one subflow: it can be made elsewhere."""
    return linear_flow.Flow(NAME).add(
        CheckNotCreated(means),
        CheckImageSize(means),
        AllocateNetwork(means),
        linear_flow.Flow("on_host").add(
            ClaimHost(means),
            unordered_flow.Flow("devices").add(PlugNetwork(means), MapBlockDevices(means)),
            Spawn(means),
        ),
        MarkActive(means),
    )
