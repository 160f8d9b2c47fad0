"""Looks at one host."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vmwright.backends.host import Backend, Host
from vmwright.backends.hypervisor import Domain
from vmwright.backends.network import Leased, Reserved
from vmwright.backends.volumes import Stored
from vmwright.ids import HostId, NetworkId, is_snapshot
from vmwright.persistence.records import HostRecord
from vmwright.reconcilers.audit.verdicts import Thing
from vmwright.waiting import Wait


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What one host has."""

    host: HostRecord
    place: Host
    domains: Sequence[Domain]
    volumes: Sequence[Stored]
    reservations: Sequence[tuple[NetworkId, Reserved]]
    leases: Sequence[tuple[NetworkId, Leased]]
    networks: Sequence[NetworkId]
    """Those that say that they are ours."""

    def things(self) -> Iterator[Thing]:
        """What carries a mark, or could. Guests first: what they have open cannot go."""
        host: HostId = self.host.id
        for domain in self.domains:
            yield Thing(host=host, kind="domain", key=domain.uuid, mark=domain.mark)
        for volume in self.volumes:
            if not volume.name.startswith("vmw-base."):
                kind = "snapshot" if is_snapshot(volume.name) else "volume"
                yield Thing(host=host, kind=kind, key=volume.name, mark=volume.mark)
        reserved = set()
        for network, known in self.reservations:
            key = f"{network}/{known.mac}/{known.ip}"
            reserved.add((network, known.mac))
            yield Thing(host=host, kind="reservation", key=key, mark=known.mark)
        for network, lease in self.leases:
            if lease.mark is not None and (network, lease.mac) not in reserved:
                key = f"{network}/{lease.mac}/{lease.ip}"
                yield Thing(host=host, kind="lease", key=key, mark=lease.mark)

    def orphaned_leases(self) -> Iterator[tuple[NetworkId, Leased]]:
        """Leases that say nothing of who made them, and that no reservation stands behind."""
        reserved = {(network, known.mac) for network, known in self.reservations}
        for network, lease in self.leases:
            if lease.mark is None and (network, lease.mac) not in reserved:
                yield network, lease


def look_at(
    backend: Backend, host: HostRecord, networks: Sequence[NetworkId], wait: Wait
) -> Sighting:
    """All that the host has, and what it has on these networks and on others of ours.

    Raises `Unavailable` or `HostFault`.
    """
    place = backend.host(host.connection_uri)
    ours = place.network.ours(wait)
    looked_at = sorted({*networks, *ours})
    return Sighting(
        host=host,
        place=place,
        domains=place.hypervisor.domains(wait),
        volumes=place.volumes.volumes(wait),
        reservations=[
            (network, known)
            for network in looked_at
            for known in place.network.reservations(network, wait)
        ],
        leases=[
            (network, known)
            for network in looked_at
            for known in place.network.leases(network, wait)
        ],
        networks=ours,
    )
