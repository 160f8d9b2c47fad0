"""Notices what guests do by themselves: one that powered itself off is stopped, or is to end."""

import logging
import threading
from collections.abc import Callable

from vmwright.concerning import concerning
from vmwright.errors import StoreUnavailable, Unavailable, VmwrightError
from vmwright.ids import InstanceId
from vmwright.persistence.records import HostRecord, Instance
from vmwright.spec import Spec
from vmwright.states import PowerState, VmState
from vmwright.tasks.task import Means
from vmwright.waiting import Wait

LOG = logging.getLogger(__name__)

_OFF = frozenset({PowerState.SHUTDOWN, PowerState.CRASHED})


def sync_power_states(
    means: Means,
    *,
    patience: float,
    end: Callable[[InstanceId], object],
    stopping: threading.Event | None = None,
) -> None:
    """Compare every instance that nothing is done to with its guest.

    `end` has an instance deleted whose request asked for that once its guest is off. A host
    that does not answer within `patience` seconds is left for the next time. `Cancelled` once
    `stopping` is set.
    """
    stores = means.stores
    with stores.database.read() as connection:
        hosts = stores.registries.hosts.all(connection)
    for host in hosts:
        try:
            _sync_host(means, host, Wait(patience, cancelled=stopping), end)
        except Unavailable as error:
            LOG.info("host %s was not asked for power states: %s", host.name, error)


def _sync_host(
    means: Means, host: HostRecord, wait: Wait, end: Callable[[InstanceId], object]
) -> None:
    stores = means.stores
    with stores.database.read() as connection:
        settled = stores.instances.settled_on(connection, host.id)
    if not settled:
        return
    domains = means.backend.host(host.connection_uri).hypervisor.domains(wait)
    found = {domain.uuid: domain for domain in domains}
    for instance in settled:
        domain = found.get(instance.id)
        power = domain.power_state if domain else PowerState.NOSTATE
        if power is not instance.power_state:
            ends = domain is not None and domain.off_by_itself
            _noted(means, instance, power, end if ends else None)


def _noted(
    means: Means,
    instance: Instance,
    power: PowerState,
    end: Callable[[InstanceId], object] | None,
) -> None:
    """One instance that cannot be dealt with must not keep the others from being noticed."""
    try:
        with concerning(instance_id=instance.id):
            _note(means, instance, power, end)
    except StoreUnavailable:
        raise
    except VmwrightError as error:
        LOG.warning("instance %s: that it is %s is left: %s", instance.id, power.name, error)


def _note(
    means: Means,
    instance: Instance,
    power: PowerState,
    end: Callable[[InstanceId], object] | None,
) -> None:
    off = power in _OFF
    # Not what a crash or a power cut switched off: its user wants that again.
    if end is not None and Spec.from_store(instance.request).shutdown_terminate:
        LOG.info("instance %s powered itself off and is deleted, as was asked for", instance.id)
        end(instance.id)
        return
    state = VmState.STOPPED if off else instance.vm_state
    if power is PowerState.RUNNING:
        state = VmState.ACTIVE
    with means.stores.database.write() as connection:
        means.stores.instances.note_power(connection, instance, state, power)
    LOG.info("instance %s: %s, %s", instance.id, state, power.name.lower())
