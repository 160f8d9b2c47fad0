"""What a flow may ask of the networks of a host."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vmwright.ids import Mark, NetworkId, Whose
from vmwright.waiting import Wait


@dataclass(frozen=True, kw_only=True)
class Subnet:
    """A network with addresses by DHCP and a way out by NAT, the same on every host."""

    network: NetworkId
    cidr: str
    """IPv4, such as ``10.1.0.0/24``."""
    gateway: str
    """The host's own address on it."""
    dns: tuple[str, ...] = ()
    """Servers that the host passes its guests' questions to; none: the host's own."""


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """The address that DHCP gives to one interface."""

    network: NetworkId
    mac: str
    ip: str
    hostname: str
    """One DNS label: what the guest is told to call itself."""


@dataclass(frozen=True, kw_only=True)
class Reserved:
    """A reservation as the host knows it; `mark` is None for one that no flow made."""

    mac: str
    ip: str
    mark: Mark | None


@dataclass(frozen=True, kw_only=True)
class Leased:
    """An address that DHCP has given away and not got back."""

    mac: str
    ip: str
    mark: Mark | None
    """Of the reservation that it was given by; None where the host does not keep that."""
    ends_at: float | None
    """Seconds since the epoch; None if it ends with its reservation."""


class Network(Protocol):
    """One host's networks of ours. Promises as in `Hypervisor`.

    A network itself belongs to the deployment, not to an operation: its uuid on the host is
    its `NetworkId`, and nobody else's store knows that.
    """

    def networks(self, wait: Wait) -> Sequence[str]:
        """The uuids of every network of this host, ours and foreign."""

    def ours(self, wait: Wait) -> Sequence[NetworkId]:
        """The networks of this host that say that this deployment made them."""

    def ensure_network(self, subnet: Subnet, wait: Wait) -> None:
        """Make the network exist and be active.

        `HostFault` if the host already routes that subnet elsewhere.
        """

    def ensure_no_network(self, network: NetworkId, wait: Wait) -> None: ...

    def settle_network(self, network: NetworkId, wait: Wait) -> None:
        """Return once the host says that no change of the network itself is under way."""

    def reservations(self, network: NetworkId, wait: Wait) -> Sequence[Reserved]:
        """Every DHCP reservation of this network; none if the network does not exist."""

    def leases(self, network: NetworkId, wait: Wait) -> Sequence[Leased]:
        """Every lease of this network that has not ended; none if the network does not exist."""

    def ensure_reservation(self, reservation: Reservation, mark: Mark, wait: Wait) -> None:
        """Reserve the address for the MAC, also for a guest that starts at once.

        Refused if the MAC or the address is reserved with another mark or to another pair, or if
        the network does not exist.
        """

    def ensure_no_reservation(
        self, network: NetworkId, mac: str, ip: str, whose: Whose, wait: Wait
    ) -> None:
        """Give the address back: no reservation of this MAC remains, and no lease bars the next."""

    def settle_reservation(self, network: NetworkId, mac: str, wait: Wait) -> None:
        """Return once the host says that no change of this reservation is under way."""
