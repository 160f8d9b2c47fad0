"""Finding guests by name and reservations by address without reading every file."""

import hashlib
from collections.abc import Iterator

from vmwright import ids
from vmwright.backends.simulated.world import Folder, HostFiles, Record
from vmwright.ids import InstanceId

_NO_MAC = "00:00:00:00:00:00"
"""Matches no reservation: what is left is found by its address."""


def domain_named(files: HostFiles, name: str) -> Record | None:
    """The guest with this name. A name that is not derived from the uuid stands in the index."""
    noted = files.find(Folder.NAMES, _digest(name)) or {}
    for uuid in (_uuid_in(name), noted.get("uuid")):
        known = files.find(Folder.DOMAINS, uuid) if uuid else None
        if known is not None and known["name"] == name:
            return known
    return None


def reservation_key(network: str, mac: str) -> str:
    return f"{network}-{mac.replace(':', '-')}"


def reservations_like(files: HostFiles, network: str, mac: str, ip: str) -> Iterator[Record]:
    """Each reservation of this network that has the MAC or the address."""
    noted = files.find(Folder.ADDRESSES, f"{network}-{ip}") or {}
    for key in sorted({reservation_key(network, known) for known in (mac, noted.get("mac", mac))}):
        known = files.find(Folder.RESERVATIONS, key)
        if known is not None and (known["mac"] == mac or known["ip"] == ip):
            yield known


def note_address(files: HostFiles, reservation: Record) -> None:
    """Have the reservation found by its address. Before it is written: a note alone is harmless."""
    key = f"{reservation['network']}-{reservation['ip']}"
    files.put(Folder.ADDRESSES, key, {"mac": reservation["mac"]})


def forget_address(files: HostFiles, reservation: Record) -> None:
    files.remove(Folder.ADDRESSES, f"{reservation['network']}-{reservation['ip']}")


def index_strays(files: HostFiles) -> None:
    """Note what was put into the directories by hand, as far as the indexes need to know."""
    for domain in files.records(Folder.DOMAINS):
        if domain["uuid"] != _uuid_in(domain["name"]):
            files.put(Folder.NAMES, _digest(domain["name"]), {"uuid": domain["uuid"]})
    for known in files.records(Folder.RESERVATIONS):
        if known not in reservations_like(files, known["network"], _NO_MAC, known["ip"]):
            note_address(files, known)


def _uuid_in(name: str) -> str | None:
    prefix = ids.domain_name(InstanceId(""))
    return name[len(prefix) :] if name.startswith(prefix) and len(name) > len(prefix) else None


def _digest(name: str) -> str:
    """Foreign names may hold anything: they never become a path."""
    return hashlib.sha256(name.encode()).hexdigest()
