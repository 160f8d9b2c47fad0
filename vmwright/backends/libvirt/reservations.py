"""DHCP entries of one network on its host. Every function is used inside a question."""

from collections.abc import Iterable, Mapping, Sequence
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


def reserve(host: str, network: VirNetwork, wanted: Entry, live: Sequence[Entry]) -> None:
    """Have the entry, now and after the next start; `network` is active, and `live` what it has.

    libvirt answers an entry that exists as it answers one that is barred, and never compares:
    so look, add what is missing, and look again. It takes one entry a call.
    """
    known = {_LIVE: live}
    if network.isPersistent():
        known[_CONFIG] = _entries(network, _CONFIG)
    missing = _missing(host, known, wanted)
    if not missing:
        return
    entry = _with_heirs(host, network, wanted, live)
    try:
        _update(network, _ADD, entry, missing)
    except libvirt.libvirtError:
        if _missing(host, _everywhere(network), wanted):
            raise


def give_back(network: VirNetwork, mac: str, whose: Whose) -> None:
    """Remove every entry of this MAC that `whose` covers."""
    doomed: dict[Entry, int] = {}
    for place, entries in _everywhere(network).items():
        for entry in entries:
            if entry.mac == mac and whose.covers(entry.mark):
                doomed[entry] = doomed.get(entry, 0) | place
    for entry, places in doomed.items():
        _remove(network, entry, places)


def mend(network: VirNetwork) -> None:
    """Write down entries that only the running network has.

    Defining a network that another process has just made, and has begun to use, loses those.
    """
    written = _entries(network, _CONFIG)
    for entry in _entries(network, _LIVE):
        if entry not in written:
            _update(network, _ADD, entry, _CONFIG)


def _missing(host: str, known: Mapping[int, Sequence[Entry]], wanted: Entry) -> int:
    """The places that lack the entry, as flags; `Refused` if another one bars it."""
    missing = 0
    for place, entries in known.items():
        related = [entry for entry in entries if entry.mac == wanted.mac or entry.ip == wanted.ip]
        for entry in related:
            if (entry.mac, entry.ip, entry.mark) != (wanted.mac, wanted.ip, wanted.mark):
                raise Refused(
                    f"{host}: {entry.ip} is reserved for {entry.mac} by others, which bars "
                    f"{wanted.ip} for {wanted.mac}"
                )
        if not related:
            missing |= place
    return missing


def _with_heirs(host: str, network: VirNetwork, wanted: Entry, live: Iterable[Entry]) -> Entry:
    """The entry, heir of the MACs that still lease its address."""
    leases = [lease for lease in network.DHCPLeases() or [] if lease["ipaddr"] == wanted.ip]
    macs = sorted({str(lease["mac"]).lower() for lease in leases} - {wanted.mac})
    for entry in live:
        if entry.mac in macs:
            raise HostFault(
                f"{host}: {wanted.ip} is still leased to {entry.mac}, which has another "
                "reservation now",
                hint="start that guest, or wait for the end of the lease",
            )
    return Entry(mac=wanted.mac, ip=wanted.ip, name=wanted.name, heirs_of=tuple(macs))


def _remove(network: VirNetwork, entry: Entry, places: int) -> None:
    try:
        _update(network, _DELETE, entry, places)
    except libvirt.libvirtError:
        # libvirt does nothing if the entry is missing in one of them.
        for place, entries in _everywhere(network).items():
            if entry in entries:
                _update(network, _DELETE, entry, place)


def _everywhere(network: VirNetwork) -> Mapping[int, Sequence[Entry]]:
    """What the network has now, and after the next start, as far as it runs and is kept."""
    known = {}
    if network.isActive():
        known[_LIVE] = _entries(network, _LIVE)
    if network.isPersistent():
        known[_CONFIG] = _entries(network, _CONFIG)
    return known


def _entries(network: VirNetwork, place: int) -> Sequence[Entry]:
    return entries_of(network.XMLDesc(_XML_OF[place]))


def _update(network: VirNetwork, command: int, entry: Entry, places: int) -> None:
    section = libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST
    network.update(command, section, -1, entry.to_xml(), places)
