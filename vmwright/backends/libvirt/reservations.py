"""DHCP entries of one network on its host. Every function is used inside a question."""

from collections.abc import Iterator, Sequence
from typing import Any

import libvirt

from vmwright.backends.libvirt.network_xml import Entry, entries_of
from vmwright.errors import HostFault, Refused
from vmwright.ids import Whose

VirNetwork = Any
"""`libvirt.virNetwork`: the binding has no types."""

_LIVE = libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE
_CONFIG = libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
_XML_OF = {_LIVE: 0, _CONFIG: libvirt.VIR_NETWORK_XML_INACTIVE}
_ADD = libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST
_DELETE = libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE


def reserve(host: str, network: VirNetwork, wanted: Entry) -> None:
    """Have the entry, now and after the next start; `network` is active.

    libvirt answers an entry that exists as it answers one that is barred, and never compares:
    so look, add what is missing, and look again.
    """
    missing = _missing(host, network, wanted)
    if not missing:
        return
    entry = _with_heirs(host, network, wanted)
    try:
        _update(network, _ADD, entry, missing)
    except libvirt.libvirtError:
        if _missing(host, network, wanted):
            raise


def give_back(network: VirNetwork, mac: str, whose: Whose) -> None:
    """Remove every entry of this MAC that `whose` covers."""
    for place in _places(network):
        for entry in _entries(network, place):
            if entry.mac == mac and whose.covers(entry.mark):
                _remove(network, entry, place)


def mend(network: VirNetwork) -> None:
    """Write down entries that only the running network has.

    Defining a network that another process has just made, and has begun to use, loses those.
    """
    written = _entries(network, _CONFIG)
    for entry in _entries(network, _LIVE):
        if entry not in written:
            _update(network, _ADD, entry, _CONFIG)


def _missing(host: str, network: VirNetwork, wanted: Entry) -> int:
    """The places that lack the entry, as flags; `Refused` if another one bars it."""
    missing = 0
    for place in _places(network):
        related = [
            entry
            for entry in _entries(network, place)
            if entry.mac == wanted.mac or entry.ip == wanted.ip
        ]
        for entry in related:
            if (entry.mac, entry.ip, entry.mark) != (wanted.mac, wanted.ip, wanted.mark):
                raise Refused(
                    f"{host}: {entry.ip} is reserved for {entry.mac} by others, which bars "
                    f"{wanted.ip} for {wanted.mac}"
                )
        if not related:
            missing |= place
    return missing


def _with_heirs(host: str, network: VirNetwork, wanted: Entry) -> Entry:
    """The entry, heir of the MACs that still lease its address."""
    leases = [lease for lease in network.DHCPLeases() or [] if lease["ipaddr"] == wanted.ip]
    macs = sorted({str(lease["mac"]).lower() for lease in leases} - {wanted.mac})
    for entry in _entries(network, _LIVE):
        if entry.mac in macs:
            raise HostFault(
                f"{host}: {wanted.ip} is still leased to {entry.mac}, which has another "
                "reservation now",
                hint="start that guest, or wait for the end of the lease",
            )
    return Entry(mac=wanted.mac, ip=wanted.ip, name=wanted.name, heirs_of=tuple(macs))


def _remove(network: VirNetwork, entry: Entry, place: int) -> None:
    try:
        _update(network, _DELETE, entry, place)
    except libvirt.libvirtError:
        if entry in _entries(network, place):
            raise


def _places(network: VirNetwork) -> Iterator[int]:
    if network.isActive():
        yield _LIVE
    if network.isPersistent():
        yield _CONFIG


def _entries(network: VirNetwork, place: int) -> Sequence[Entry]:
    return entries_of(network.XMLDesc(_XML_OF[place]))


def _update(network: VirNetwork, command: int, entry: Entry, places: int) -> None:
    section = libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST
    network.update(command, section, -1, entry.to_xml(), places)
