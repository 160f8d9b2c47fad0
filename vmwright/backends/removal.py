"""What must become absent on a host, as data: an undo does it now, a debt has it done later."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from vmwright.backends.host import Host
from vmwright.backends.volumes import Base
from vmwright.ids import InstanceId, NetworkId, Whose
from vmwright.waiting import Wait


class Kind(StrEnum):
    DOMAIN = "domain"
    VOLUME = "volume"
    RESERVATION = "reservation"
    NETWORK = "network"
    BASE = "base"


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One thing on one host, and whose marks it may carry to be removed."""

    kind: Kind
    key: str
    """Instance id, volume name, network id, ``network/mac/ip`` of a reservation, or
    ``sha256/format`` of a cached image."""
    whose: Whose

    def settle(self, host: Host, wait: Wait) -> None:
        """Return once no job that could still make the thing is under way on the host."""
        match self.kind:
            case Kind.DOMAIN:
                host.hypervisor.settle_domain(InstanceId(self.key), wait)
            case Kind.VOLUME:
                host.volumes.settle_volume(self.key, wait)
            case Kind.RESERVATION:
                network, mac, _ = self.key.split("/")
                host.network.settle_reservation(NetworkId(network), mac, wait)
            case Kind.NETWORK:
                host.network.settle_network(NetworkId(self.key), wait)
            case Kind.BASE:
                return

    def carry_out(self, host: Host, wait: Wait) -> None:
        """Make the thing absent. May be repeated; raises what the backend's verbs raise."""
        match self.kind:
            case Kind.DOMAIN:
                host.hypervisor.ensure_no_domain(InstanceId(self.key), self.whose, wait)
            case Kind.VOLUME:
                host.volumes.ensure_no_volume(self.key, self.whose, wait)
            case Kind.RESERVATION:
                network, mac, ip = self.key.split("/")
                host.network.ensure_no_reservation(NetworkId(network), mac, ip, self.whose, wait)
            case Kind.NETWORK:
                host.network.ensure_no_network(NetworkId(self.key), wait)
            case Kind.BASE:
                sha256, disk_format = self.key.split("/")
                # Its name on the host holds nothing else of it.
                base = Base(
                    sha256=sha256, disk_format=disk_format, size_bytes=0, virtual_size_bytes=0
                )
                host.volumes.ensure_no_base(base, wait)

    def describe(self) -> str:
        return f"{self.kind} {self.key}"

    def to_store(self) -> dict[str, Any]:
        return {"kind": self.kind.value, "key": self.key, "whose": self.whose.to_store()}

    @classmethod
    def from_store(cls, stored: dict[str, Any]) -> Self:
        return cls(
            kind=Kind(stored["kind"]),
            key=stored["key"],
            whose=Whose.from_store(stored["whose"]),
        )
