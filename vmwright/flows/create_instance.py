"""The flow that builds an instance: from nothing to a running guest, or back to nothing."""

from taskflow.patterns import linear_flow, unordered_flow

from vmwright.spec import HooksSpec
from vmwright.tasks.block_devices import MapBlockDevices
from vmwright.tasks.guest import Spawn
from vmwright.tasks.hooks import POST, PRE, hooks_of
from vmwright.tasks.host import ClaimHost
from vmwright.tasks.image import CheckImageSize
from vmwright.tasks.instance import CheckNotCreated, MarkActive
from vmwright.tasks.network import AllocateNetwork, PlugNetwork
from vmwright.tasks.task import Means
from vmwright.tasks.try_hosts import TryHosts

NAME = "create_instance"
VERSION = 2
"""Raise it when tasks are added, removed, renamed or reordered; keep the one before."""


def create_instance(means: Means, hooks: HooksSpec) -> linear_flow.Flow:
    """Needs `run` and `spec`. What lies on a host is one subflow: it can be made elsewhere."""
    return _around(means, hooks, linear_flow.Flow("on_host", retry=TryHosts(means)))


def create_instance_1(means: Means, hooks: HooksSpec) -> linear_flow.Flow:
    """Version 1: one host, and no other if that fails."""
    return _around(means, hooks, linear_flow.Flow("on_host"))


def _around(means: Means, hooks: HooksSpec, on_host: linear_flow.Flow) -> linear_flow.Flow:
    return linear_flow.Flow(NAME).add(
        CheckNotCreated(means),
        CheckImageSize(means),
        # Here, so that nothing is done for a build that is refused anyway.
        *hooks_of(means, PRE, hooks.pre),
        AllocateNetwork(means),
        on_host.add(
            ClaimHost(means),
            unordered_flow.Flow("devices").add(PlugNetwork(means), MapBlockDevices(means)),
            Spawn(means),
        ),
        *hooks_of(means, POST, hooks.post),
        MarkActive(means),
    )
