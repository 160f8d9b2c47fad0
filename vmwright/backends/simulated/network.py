"""The networks of a simulated host."""

import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network

from vmwright import ids
from vmwright.backends.network import Leased, Reservation, Reserved, Subnet
from vmwright.backends.simulated.indexes import (
    forget_address,
    note_address,
    reservation_key,
    reservations_like,
)
from vmwright.backends.simulated.jobs import Change
from vmwright.backends.simulated.machine import Effect, Machine
from vmwright.backends.simulated.plugs import our_networks
from vmwright.backends.simulated.records import covered, mark_of, same_maker
from vmwright.backends.simulated.world import Folder, HostFiles, Record
from vmwright.errors import HostFault, Refused
from vmwright.ids import DeploymentId, Mark, NetworkId, Whose
from vmwright.networks import bounds_of, number_of
from vmwright.waiting import Wait

_MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")
_HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)


class SimulatedNetwork:
    """Networks, reservations and leases as records."""

    def __init__(self, machine: Machine, deployment: DeploymentId) -> None:
        self._machine = machine
        self._deployment = deployment

    def networks(self, wait: Wait) -> Sequence[str]:
        files = self._machine.files
        return self._machine.look("networks", "", wait, lambda: sorted(files.keys(Folder.NETWORKS)))

    def ours(self, wait: Wait) -> Sequence[NetworkId]:
        files = self._machine.files
        return self._machine.look(
            "ours",
            "",
            wait,
            lambda: [
                NetworkId(record["uuid"])
                for record in files.records(Folder.NETWORKS)
                if record.get("deployment") == self._deployment
            ],
        )

    def ensure_network(self, subnet: Subnet, wait: Wait) -> None:
        record = {
            "uuid": subnet.network,
            "name": ids.network_name(subnet.network),
            "bridge": ids.bridge_name(subnet.network),
            "deployment": self._deployment,
            "cidr": subnet.cidr,
            "gateway": subnet.gateway,
            "dns": list(subnet.dns),
        }
        self._machine.make(Change(verb="ensure_network", key=subnet.network, record=record), wait)

    def ensure_no_network(self, network: NetworkId, wait: Wait) -> None:
        change = Change(verb="ensure_no_network", key=network, record={"uuid": network})
        self._machine.unmake(change, wait)

    def settle_network(self, network: NetworkId, wait: Wait) -> None:
        self._machine.settle("settle_network", network, wait)

    def reservations(self, network: NetworkId, wait: Wait) -> Sequence[Reserved]:
        files = self._machine.files
        return self._machine.look(
            "reservations",
            f"of network {network}",
            wait,
            lambda: [
                Reserved(mac=record["mac"], ip=record["ip"], mark=mark_of(record))
                for record in _on_network(files, Folder.RESERVATIONS, network)
            ],
        )

    def leases(self, network: NetworkId, wait: Wait) -> Sequence[Leased]:
        files = self._machine.files
        return self._machine.look(
            "leases",
            f"of network {network}",
            wait,
            lambda: [
                Leased(mac=record["mac"], ip=record["ip"], mark=mark_of(record), ends_at=None)
                for record in _on_network(files, Folder.LEASES, network)
            ],
        )

    def ensure_reservation(self, reservation: Reservation, mark: Mark, wait: Wait) -> None:
        record = {
            **vars(reservation),
            "mac": reservation.mac.lower(),
            "mark": mark.to_store(),
        }
        key = f"{reservation.network}/{record['mac']}"
        self._machine.make(Change(verb="ensure_reservation", key=key, record=record), wait)

    def ensure_no_reservation(
        self, network: NetworkId, mac: str, ip: str, whose: Whose, wait: Wait
    ) -> None:
        record = {"network": network, "mac": mac.lower(), "ip": ip, "whose": whose.to_store()}
        key = f"{network}/{record['mac']}"
        self._machine.unmake(Change(verb="ensure_no_reservation", key=key, record=record), wait)

    def settle_reservation(self, network: NetworkId, mac: str, wait: Wait) -> None:
        self._machine.settle("settle_reservation", f"{network}/{mac.lower()}", wait)


def refuse_bad_mac(files: HostFiles, mac: str) -> None:
    """`Refused` unless this is the address of one interface."""
    if not _MAC.fullmatch(mac):
        raise Refused(f"host {files.name}: {mac!r} is not the MAC of an interface")


def lease_reserved(files: HostFiles, nic: Record) -> None:
    """Give an interface that came up the address that is reserved for it, if any."""
    key = reservation_key(nic["network"], nic["mac"])
    reservation = files.find(Folder.RESERVATIONS, key)
    if reservation is not None and files.find(Folder.LEASES, key) != reservation:
        files.put(Folder.LEASES, key, reservation)


def leased(files: HostFiles, nic: Record) -> str | None:
    """The address that an interface has."""
    lease = files.find(Folder.LEASES, reservation_key(nic["network"], nic["mac"]))
    return str(lease["ip"]) if lease else None


def _bring_up(files: HostFiles, record: Record) -> None:
    uuid, cidr, gateway = record["uuid"], record["cidr"], record["gateway"]
    if not _is_guest_address(gateway, cidr, ""):
        raise Refused(f"host {files.name}: network {uuid} cannot be {cidr!r} by {gateway!r}")
    known = files.find(Folder.NETWORKS, uuid)
    if known is not None:
        _refuse_other_subnet(files, known, record)
        return
    for other in files.records(Folder.NETWORKS):
        if other["cidr"] and IPv4Network(other["cidr"]).overlaps(IPv4Network(cidr)):
            raise HostFault(
                f"host {files.name}: {cidr} of network {uuid} is routed to network {other['uuid']}"
            )
    files.put(Folder.NETWORKS, uuid, record)


def _refuse_other_subnet(files: HostFiles, known: Record, record: Record) -> None:
    if (known["cidr"], known["gateway"]) != (record["cidr"], record["gateway"]):
        raise Refused(
            f"host {files.name}: network {record['uuid']} exists as {known['cidr']!r} "
            f"by {known['gateway']!r}"
        )


def _take_down(files: HostFiles, record: Record) -> None:
    uuid = record["uuid"]
    if files.find(Folder.NETWORKS, uuid) is None:
        return
    for reservation in _on_network(files, Folder.RESERVATIONS, uuid):
        raise Refused(f"host {files.name}: network {uuid} has a reservation: {reservation['mac']}")
    for domain in files.records(Folder.DOMAINS):
        if uuid in our_networks(domain):
            raise Refused(f"host {files.name}: network {uuid} is used by guest {domain['uuid']}")
    files.remove(Folder.NETWORKS, uuid)


def _reserve(files: HostFiles, record: Record) -> None:
    network, mac, ip = record["network"], record["mac"], record["ip"]
    refuse_bad_mac(files, mac)
    if not _HOSTNAME.fullmatch(record["hostname"]):
        raise Refused(f"host {files.name}: {record['hostname']!r} is not a DNS label")
    subnet = files.find(Folder.NETWORKS, network)
    if subnet is None:
        raise Refused(f"host {files.name}: no network {network} to reserve {ip} on")
    if not _is_guest_address(ip, subnet["cidr"] or "", subnet["gateway"] or ""):
        raise Refused(f"host {files.name}: {ip!r} is no address of a guest in {subnet['cidr']}")
    for known in reservations_like(files, network, mac, ip):
        same_pair = (known["mac"], known["ip"]) == (mac, ip)
        if not same_pair or not same_maker(known, record):
            raise Refused(
                f"host {files.name}: {known['ip']} is reserved for {known['mac']} on network "
                f"{network}, which bars {ip} for {mac} of this mark"
            )
    key = reservation_key(network, mac)
    if not files.has(Folder.RESERVATIONS, key):
        note_address(files, record)
        files.put(Folder.RESERVATIONS, key, record)


def _give_back(files: HostFiles, record: Record) -> None:
    key = reservation_key(record["network"], record["mac"])
    for folder in (Folder.LEASES, Folder.RESERVATIONS):
        known = files.find(folder, key)
        if known is None or not covered(known, record["whose"]):
            continue
        if folder is Folder.RESERVATIONS:
            # First: who dies between the two finds the reservation again, and nothing but it.
            forget_address(files, known)
        files.remove(folder, key)


def _is_guest_address(ip: str, cidr: str, gateway: str) -> bool:
    """Whether a machine of this subnet, other than the gateway, may have the address."""
    try:
        first, last = bounds_of(cidr)
        return first < number_of(ip) < last and ip != gateway
    except ValueError:
        return False


def _on_network(files: HostFiles, folder: Folder, network: str) -> Iterator[Record]:
    for key in sorted(files.keys(folder)):
        if key.startswith(f"{network}-"):
            record = files.find(folder, key)
            if record is not None:
                yield record


EFFECTS: Mapping[str, Effect] = {
    "ensure_network": _bring_up,
    "ensure_no_network": _take_down,
    "ensure_reservation": _reserve,
    "ensure_no_reservation": _give_back,
}
