"""Guests of a host and their states. Every function is used inside a question."""

from collections.abc import Mapping
from typing import Any

import libvirt

from vmwright import ids
from vmwright.backends.hypervisor import Domain, Guest
from vmwright.backends.libvirt.domain_xml import (
    OWNER,
    Backing,
    Placed,
    domain_xml,
    mark_of_metadata,
)
from vmwright.backends.libvirt.failures import Code
from vmwright.backends.libvirt.line import Connect
from vmwright.backends.libvirt.lookups import found, tolerated
from vmwright.backends.libvirt.pool import Pool
from vmwright.errors import Refused
from vmwright.ids import InstanceId, Mark, NetworkId, Whose
from vmwright.states import PowerState

VirDomain = Any
"""`libvirt.virDomain`: the binding has no types."""

_UNDEFINE = (
    libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
    | libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
)
_POWER_STATES = {
    libvirt.VIR_DOMAIN_RUNNING: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: PowerState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_SHUTOFF: PowerState.SHUTDOWN,
    libvirt.VIR_DOMAIN_CRASHED: PowerState.CRASHED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: PowerState.SUSPENDED,
}
_NO_ID = -1
_SHUT_DOWN = [libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN]


def by_uuid(connection: Connect, instance: str) -> VirDomain | None:
    return found(connection.lookupByUUIDString, instance, Code.NO_DOMAIN)


def by_name(connection: Connect, name: str) -> VirDomain | None:
    return found(connection.lookupByName, name, Code.NO_DOMAIN)


def described(domain: VirDomain | None) -> Domain | None:
    """The guest as data; None if it is not there, or has gone meanwhile."""
    if domain is None:
        return None
    with tolerated(Code.NO_DOMAIN):
        return _described(domain, domain.state())
    return None


def all_described(connection: Connect) -> list[Domain]:
    """Every guest as data: their states by one call, which waits for no guest that is busy."""
    described = []
    for domain, said in connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, 0):
        with tolerated(Code.NO_DOMAIN):
            state = [
                said.get("state.state", libvirt.VIR_DOMAIN_NOSTATE),
                said.get("state.reason", 0),
            ]
            described.append(_described(domain, state))
    return described


def _described(domain: VirDomain, state: list[int]) -> Domain:
    return Domain(
        uuid=domain.UUIDString(),
        name=domain.name(),
        mark=mark_of(domain),
        power_state=_power_state(state),
        off_by_itself=state == _SHUT_DOWN,
    )


def mark_of(domain: VirDomain) -> Mark | None:
    kind = libvirt.VIR_DOMAIN_METADATA_ELEMENT
    element = found(lambda uri: domain.metadata(kind, uri, 0), OWNER, Code.NO_DOMAIN_METADATA)
    return None if element is None else mark_of_metadata(element)


def _power_state(state: list[int]) -> PowerState:
    return _POWER_STATES.get(state[0], PowerState.NOSTATE)


def define(
    connection: Connect, host: str, pool: Pool, guest: Guest, mark: Mark, virt_type: str
) -> None:
    """As `Hypervisor.ensure_domain`."""
    known = by_uuid(connection, guest.instance)
    if known is not None:
        if mark_of(known) != mark:
            raise _of_others(host, known)
        if _is_active(known):
            return
    xml = domain_xml(
        guest,
        mark,
        virt_type=virt_type,
        storage=_storage(connection, host, pool, guest),
        networks=_networks(connection, host, guest),
    )
    try:
        connection.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    except libvirt.libvirtError:
        # libvirt gives no name to two guests.
        named = by_name(connection, ids.domain_name(guest.instance))
        if named is not None and named.UUIDString() != guest.instance:
            raise _of_others(host, named) from None
        raise


def _of_others(host: str, domain: VirDomain) -> Refused:
    return Refused(f"{host}: guest {domain.UUIDString()} was made by others")


def _is_active(domain: VirDomain) -> bool:
    """Whether it was switched on when it was looked up: libvirt said so then."""
    return bool(domain.ID() != _NO_ID)


def switch_on(connection: Connect, host: str, instance: InstanceId, mark: Mark) -> PowerState:
    """Start the guest or let it go on, and say what it does now.

    While it is being started by an earlier call, it is left alone, and paused.
    """
    domain = by_uuid(connection, instance)
    if domain is None or mark_of(domain) != mark:
        raise Refused(f"{host}: there is no guest {instance} of this operation's attempt")
    state, reason = domain.state()
    # Refused if the state has changed since: whoever asks looks again.
    with tolerated(Code.OPERATION_INVALID):
        if not _is_active(domain):
            domain.create()
        elif state == libvirt.VIR_DOMAIN_PAUSED and reason != libvirt.VIR_DOMAIN_PAUSED_STARTING_UP:
            domain.resume()
    return _power_state(domain.state())


def is_removed(connection: Connect, instance: InstanceId, whose: Whose) -> bool:
    """Switch the guest off and forget it; False if it was still there afterwards."""
    domain = by_uuid(connection, instance)
    if domain is None or not whose.covers(mark_of(domain)):
        return True
    with tolerated(Code.NO_DOMAIN, Code.OPERATION_INVALID):
        if _is_active(domain):
            domain.destroy()
        domain.undefineFlags(_UNDEFINE)
    return by_uuid(connection, instance) is None


def is_settled(connection: Connect, instance: InstanceId) -> bool:
    """Whether the host does nothing with the guest, besides running it."""
    domain = by_uuid(connection, instance)
    if domain is None:
        return True
    with tolerated(Code.NO_DOMAIN, Code.OPERATION_INVALID):
        if not domain.isActive():
            return True
        starting = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP)
        idle = libvirt.VIR_DOMAIN_CONTROL_OK
        return tuple(domain.state()) != starting and domain.controlInfo()[0] == idle
    return False


def _storage(connection: Connect, host: str, pool: Pool, guest: Guest) -> Mapping[str, Placed]:
    """Where every volume of the guest lies; `Refused` if one does not exist."""
    placed = {}
    formats = {disk.volume: disk.disk_format for disk in guest.disks}
    for name in (guest.kernel, guest.ramdisk):
        if name is not None:
            formats[name] = "raw"
    for name, disk_format in formats.items():
        # Only the header of a qcow2 volume is ours: a guest writes the whole of a raw one.
        if disk_format == "qcow2":
            facts = pool.facts(connection, name)
            path, backing = (facts.path, facts.backing) if facts else (None, None)
        else:
            path, backing = pool.path(connection, name), None
        if path is None:
            raise Refused(f"{host}: volume {name} of guest {guest.instance} does not exist")
        placed[name] = Placed(path=path, backing=_backing(host, pool, name, backing))
    return placed


def _backing(host: str, pool: Pool, name: str, path: str | None) -> Backing | None:
    if path is None:
        return None
    below = pool.backing_at(path)
    if below is None:
        raise Refused(f"{host}: volume {name} is an overlay of {path}, which is not ours")
    return Backing(path=path, disk_format=below.rpartition(".")[2])


def _networks(connection: Connect, host: str, guest: Guest) -> Mapping[NetworkId, str]:
    """What the guest's networks are called that are ours; `Refused` if one does not exist."""
    names = {}
    for nic in guest.nics:
        if nic.kind != "nat":
            continue
        network = found(connection.networkLookupByUUIDString, nic.network, Code.NO_NETWORK)
        if network is None:
            raise Refused(f"{host}: network {nic.network} of guest {guest.instance} does not exist")
        names[nic.network] = network.name()
    return names
