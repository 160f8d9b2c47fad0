"""One host's networks, and the addresses that their DHCP servers give, through libvirt."""

import contextlib
from collections.abc import Sequence

import libvirt

from vmwright import ids
from vmwright.backends.libvirt.connection import HostConnection
from vmwright.backends.libvirt.failures import Code
from vmwright.backends.libvirt.in_use import guest_on_network
from vmwright.backends.libvirt.line import Connect
from vmwright.backends.libvirt.lookups import found, wake
from vmwright.backends.libvirt.network_xml import (
    Entry,
    cidr_of,
    deployment_of,
    entries_of,
    is_guest_address,
    is_hostname,
    is_mac,
    is_network,
    network_xml,
)
from vmwright.backends.libvirt.reservations import VirNetwork, give_back, mend, reserve
from vmwright.backends.network import Leased, Reservation, Reserved, Subnet
from vmwright.errors import Refused
from vmwright.ids import DeploymentId, Mark, NetworkId, Whose
from vmwright.waiting import Wait


class LibvirtNetwork:
    """Networks with NAT, and dnsmasq's DHCP entries.

    Giving an address back removes its entry but not the lease: libvirt has no call for that, and
    dnsmasq drops a lease only when it ends (after an hour) or its guest says so. The rest of it
    bars nobody: an entry made later for this address is heir of the lease, see `Entry`.
    """

    def __init__(self, connection: HostConnection, deployment: DeploymentId) -> None:
        self._connection = connection
        self._deployment = deployment
        self._host = connection.host

    def networks(self, wait: Wait) -> Sequence[str]:
        return self._connection.ask(
            "list networks",
            lambda connection: [known.UUIDString() for known in connection.listAllNetworks(0)],
            wait,
        )

    def ours(self, wait: Wait) -> Sequence[NetworkId]:
        return self._connection.ask("list networks", self._marked, wait)

    def ensure_network(self, subnet: Subnet, wait: Wait) -> None:
        if not is_network(subnet.cidr, subnet.gateway):
            raise Refused(
                f"{self._host}: network {subnet.network} cannot be {subnet.cidr!r} by "
                f"{subnet.gateway!r}"
            )
        what = f"make network {subnet.network}"
        self._connection.ask(what, lambda c: self._make(c, subnet), wait, subnet.network)

    def ensure_no_network(self, network: NetworkId, wait: Wait) -> None:
        what = f"remove network {network}"
        self._connection.ask(what, lambda c: self._remove(c, network), wait, network)

    def settle_network(self, network: NetworkId, wait: Wait) -> None:
        self._connection.settle(network, wait)
        # A host lets changes of a network and looks at it take turns.
        self.reservations(network, wait)

    def reservations(self, network: NetworkId, wait: Wait) -> Sequence[Reserved]:
        what = f"list reservations of network {network}"
        entries = self._connection.ask(what, lambda c: _entries(c, network), wait)
        return [Reserved(mac=entry.mac, ip=entry.ip, mark=entry.mark) for entry in entries]

    def leases(self, network: NetworkId, wait: Wait) -> Sequence[Leased]:
        what = f"list leases of network {network}"
        return self._connection.ask(what, lambda c: _leases(c, network), wait)

    def ensure_reservation(self, reservation: Reservation, mark: Mark, wait: Wait) -> None:
        network, ip, mac = reservation.network, reservation.ip, reservation.mac.lower()
        what = f"reserve {ip} for {mac} on network {network}"
        if not is_mac(mac) or not is_hostname(reservation.hostname):
            raise Refused(f"{self._host}: {what}: MAC or hostname {reservation.hostname!r} is bad")
        name = ids.reservation_name(reservation.hostname, mac, mark)
        wanted = Entry(mac=mac, ip=ip, name=name)
        self._connection.ask(
            what, lambda c: self._reserve(c, network, wanted), wait, _about(network, mac)
        )

    def ensure_no_reservation(
        self, network: NetworkId, mac: str, ip: str, whose: Whose, wait: Wait
    ) -> None:
        mac = mac.lower()
        what = f"give {ip} of {mac} on network {network} back"

        def give(connection: Connect) -> None:
            known = _known(connection, network)
            if known is not None:
                give_back(known, mac, whose)

        self._connection.ask(what, give, wait, _about(network, mac))

    def settle_reservation(self, network: NetworkId, mac: str, wait: Wait) -> None:
        self._connection.settle(_about(network, mac), wait)
        # A host lets changes of a network and looks at it take turns.
        self.reservations(network, wait)

    def _marked(self, connection: Connect) -> list[NetworkId]:
        marked = []
        for uuid in [network.UUIDString() for network in connection.listAllNetworks(0)]:
            network = _known(connection, uuid)
            if network is not None and deployment_of(network.XMLDesc(0)) == self._deployment:
                marked.append(NetworkId(uuid))
        return marked

    def _make(self, connection: Connect, subnet: Subnet) -> None:
        network = _known(connection, subnet.network)
        if network is None:
            self._define(connection, subnet)
            return
        if cidr_of(network.XMLDesc(0)) != (subnet.cidr, subnet.gateway):
            raise Refused(f"{self._host}: network {subnet.network} exists with another subnet")
        if network.isActive():
            return
        if network.isPersistent() and not network.autostart():
            network.setAutostart(1)  # whoever made it died before that
        wake(network, network.create)

    def _define(self, connection: Connect, subnet: Subnet) -> None:
        network = connection.networkDefineXML(network_xml(subnet, self._deployment))
        try:
            network.setAutostart(1)
            wake(network, network.create)
        except libvirt.libvirtError:
            with contextlib.suppress(libvirt.libvirtError):
                network.undefine()
            raise
        mend(network)

    def _remove(self, connection: Connect, network_id: NetworkId) -> None:
        network = _known(connection, network_id)
        if network is None:
            return
        for entry in entries_of(network.XMLDesc(0)):
            raise Refused(f"{self._host}: network {network_id} has a reservation: {entry.mac}")
        guest = guest_on_network(connection, network.name())
        if guest is not None:
            raise Refused(f"{self._host}: network {network_id} is used by guest {guest}")
        persistent = network.isPersistent()
        if network.isActive():
            network.destroy()
        if persistent:
            network.undefine()

    def _reserve(self, connection: Connect, network_id: NetworkId, wanted: Entry) -> None:
        network: VirNetwork = _known(connection, network_id)
        if network is not None:
            wake(network, network.create)
        live = None if network is None else network.XMLDesc(0)
        subnet = None if live is None else cidr_of(live)
        if live is None or subnet is None:
            raise Refused(f"{self._host}: no network {network_id} to reserve {wanted.ip} on")
        if not is_guest_address(wanted.ip, *subnet):
            raise Refused(f"{self._host}: {wanted.ip!r} is no address of a guest in {subnet[0]}")
        reserve(self._host, network, wanted, entries_of(live))


def _known(connection: Connect, network: NetworkId) -> VirNetwork | None:
    return found(connection.networkLookupByUUIDString, network, Code.NO_NETWORK)


def _entries(connection: Connect, network: NetworkId) -> Sequence[Entry]:
    known = _known(connection, network)
    return [] if known is None else entries_of(known.XMLDesc(0))


def _leases(connection: Connect, network: NetworkId) -> list[Leased]:
    known = _known(connection, network)
    if known is None or not known.isActive():
        return []
    leases = known.DHCPLeases() or []
    return [
        Leased(
            mac=str(lease["mac"]).lower(),
            ip=str(lease["ipaddr"]),
            mark=None,
            ends_at=float(lease["expirytime"]),
        )
        for lease in leases
    ]


def _about(network: NetworkId, mac: str) -> str:
    return f"{network}/{mac}"
