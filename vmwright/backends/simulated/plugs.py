"""What the interfaces of simulated guests are plugged into."""

from collections.abc import Sequence

from vmwright.backends.simulated.world import HostFiles, Record
from vmwright.errors import Refused
from vmwright.networks import is_source

_LISTED = {"bridge": "bridges", "libvirt": "libvirt_networks"}
"""Where the host's file says what is there without us."""


def our_networks(domain: Record) -> Sequence[str]:
    """The networks of ours that a guest has interfaces on."""
    return [nic["network"] for nic in domain["nics"] if _kind_of(nic) == "nat"]


def refuse_bad_source(files: HostFiles, nic: Record) -> None:
    """`Refused` unless the interface names something that a host can have."""
    if not is_source(nic["kind"], nic["source"]):
        raise Refused(
            f"host {files.name}: {nic['source']!r} is not the name of a {nic['kind']} network"
        )


def absent_sources(files: HostFiles, domain: Record) -> Sequence[str]:
    """Bridges and networks of others that the guest needs and the host does not have."""
    host = files.host()
    return [
        f"{nic['kind']} network {nic['source']}"
        for nic in domain["nics"]
        if _kind_of(nic) in _LISTED and nic["source"] not in host[_LISTED[nic["kind"]]]
    ]


def _kind_of(nic: Record) -> str:
    """Files made by hand, or before there were other kinds, do not say it."""
    return str(nic.get("kind", "nat"))
