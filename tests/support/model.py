"""What a host promises, in dictionaries: neither files nor time, only the outcomes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from pathlib import Path

from vmwright.backends.host import Host
from vmwright.backends.hypervisor import Domain, Guest, HostFacts
from vmwright.backends.network import Leased, Reservation, Reserved, Subnet
from vmwright.backends.volumes import Base, Stored, Volume
from vmwright.errors import HostFault, Refused
from vmwright.ids import (
    DeploymentId,
    InstanceId,
    Mark,
    NetworkId,
    Whose,
    base_name,
    domain_name,
    mark_of_volume,
)
from vmwright.states import PowerState
from vmwright.waiting import Wait


def refuse_if(condition: object) -> None:
    if condition:
        raise Refused("the model says no")


def _ours(guest: Guest) -> set[NetworkId]:
    return {nic.network for nic in guest.nics if nic.kind == "nat"}


@dataclass
class Model:
    """One host; it is its own hypervisor, network and storage."""

    deployment: DeploymentId
    guests: dict[InstanceId, tuple[Guest, Mark]] = field(default_factory=dict)
    running: set[InstanceId] = field(default_factory=set)
    subnets: dict[NetworkId, Subnet] = field(default_factory=dict)
    reserved: dict[tuple[NetworkId, str], tuple[str, Mark]] = field(default_factory=dict)
    bridges: frozenset[str | None] = frozenset({"br0"})
    stored: dict[str, Volume] = field(default_factory=dict)
    bases: dict[str, Base] = field(default_factory=dict)

    @property
    def host(self) -> Host:
        return Host(hypervisor=self, network=self, volumes=self)

    def facts(self, wait: Wait) -> HostFacts:
        return HostFacts(
            uuid="",
            name="model",
            vcpus=1,
            memory_mib=1,
            disk_gib=1,
            virt_type="simulated",
            architecture="x86_64",
        )

    def domains(self, wait: Wait) -> Sequence[Domain]:
        return [self._domain(instance) for instance in sorted(self.guests)]

    def find_domain(self, instance: InstanceId, wait: Wait) -> Domain | None:
        return self._domain(instance) if instance in self.guests else None

    def find_domain_named(self, name: str, wait: Wait) -> Domain | None:
        found = (self._domain(known) for known in self.guests if domain_name(known) == name)
        return next(found, None)

    def ensure_domain(self, guest: Guest, mark: Mark, wait: Wait) -> None:
        _, known = self.guests.get(guest.instance, (None, mark))
        refuse_if(known != mark)
        if guest.instance in self.running:
            return
        refuse_if({disk.volume for disk in guest.disks} - self.stored.keys())
        refuse_if(_ours(guest) - self.subnets.keys())
        self.guests[guest.instance] = (guest, mark)

    def ensure_running(self, instance: InstanceId, mark: Mark, wait: Wait) -> PowerState:
        guest, known = self.guests.get(instance, (None, None))
        refuse_if(guest is None or known != mark)
        assert guest
        if instance not in self.running and not self._startable(guest):
            raise HostFault("the model cannot")
        self.running.add(instance)
        return PowerState.RUNNING

    def ensure_no_domain(self, instance: InstanceId, whose: Whose, wait: Wait) -> None:
        if instance in self.guests and whose.covers(self.guests[instance][1]):
            del self.guests[instance]
            self.running.discard(instance)

    def settle_domain(self, instance: InstanceId, wait: Wait) -> None:
        """Nothing is ever under way."""

    def console(self, instance: InstanceId, wait: Wait) -> Iterator[bytes]:
        refuse_if(instance not in self.running)
        return iter(())

    def networks(self, wait: Wait) -> Sequence[str]:
        return sorted(self.subnets)

    def ours(self, wait: Wait) -> Sequence[NetworkId]:
        return sorted(self.subnets)

    def leases(self, network: NetworkId, wait: Wait) -> Sequence[Leased]:
        return []

    def ensure_network(self, subnet: Subnet, wait: Wait) -> None:
        others = (known for known in self.subnets.values() if known != subnet)
        if any(IPv4Network(known.cidr).overlaps(IPv4Network(subnet.cidr)) for known in others):
            raise HostFault("the model routes it elsewhere")
        self.subnets[subnet.network] = subnet

    def ensure_no_network(self, network: NetworkId, wait: Wait) -> None:
        if network in self.subnets:
            refuse_if(network in {known for known, _ in self.reserved})
            refuse_if(any(network in _ours(guest) for guest, _ in self.guests.values()))
            del self.subnets[network]

    def reservations(self, network: NetworkId, wait: Wait) -> Sequence[Reserved]:
        return [
            Reserved(mac=mac, ip=ip, mark=mark)
            for (known, mac), (ip, mark) in sorted(self.reserved.items())
            if known == network
        ]

    def ensure_reservation(self, reservation: Reservation, mark: Mark, wait: Wait) -> None:
        network, mac, ip = reservation.network, reservation.mac, reservation.ip
        refuse_if(network not in self.subnets)
        for known in self.reservations(network, wait):
            rival = known.mac == mac or known.ip == ip
            refuse_if(rival and known != Reserved(mac=mac, ip=ip, mark=mark))
        self.reserved[network, mac] = (ip, mark)

    def ensure_no_reservation(
        self, network: NetworkId, mac: str, ip: str, whose: Whose, wait: Wait
    ) -> None:
        _, mark = self.reserved.get((network, mac), (None, None))
        if whose.covers(mark):
            del self.reserved[network, mac]

    def settle_network(self, network: NetworkId, wait: Wait) -> None:
        """Nothing is ever under way."""

    def settle_reservation(self, network: NetworkId, mac: str, wait: Wait) -> None:
        """Nothing is ever under way."""

    def volumes(self, wait: Wait) -> Sequence[Stored]:
        made = [
            Stored(name=v.name, mark=mark_of_volume(v.name), size_bytes=v.size_bytes)
            for v in self.stored.values()
        ]
        cached = [
            Stored(name=name, mark=None, size_bytes=base.virtual_size_bytes)
            for name, base in self.bases.items()
        ]
        return sorted(made + cached, key=lambda stored: stored.name)

    def ensure_base(self, base: Base, source: Path, wait: Wait) -> None:
        self.bases[self._name_of(base)] = base

    def ensure_no_base(self, base: Base, wait: Wait) -> None:
        refuse_if(base in [volume.base for volume in self.stored.values()])
        self.bases.pop(self._name_of(base), None)

    def ensure_volume(self, volume: Volume, wait: Wait) -> None:
        known = self.stored.get(volume.name)
        if known:
            refuse_if(known.disk_format != volume.disk_format)
            refuse_if(known.size_bytes != volume.size_bytes)
            refuse_if((known.base, known.backing) != (volume.base, volume.backing))
            return
        refuse_if(volume.base and self._name_of(volume.base) not in self.bases)
        refuse_if(volume.backing and volume.backing not in self.stored)
        self.stored[volume.name] = volume

    def ensure_content(self, name: str, content: bytes, wait: Wait) -> None:
        known = self.stored.get(name)
        refuse_if(known and known.disk_format != "raw")
        filled = Volume(name=name, disk_format="raw", size_bytes=len(content))
        refuse_if(known != filled and any(self._writers(name)))
        self.stored[name] = filled

    def ensure_copy(self, name: str, source: str, wait: Wait) -> None:
        if name in self.stored:
            return
        known = self.stored.get(source)
        refuse_if(known is None or known.disk_format != "qcow2" or any(self._writers(source)))
        assert known
        self.stored[name] = replace(known, name=name, base=None, backing=None)

    def ensure_no_volume(self, name: str, whose: Whose, wait: Wait) -> None:
        if name in self.stored and whose.covers(mark_of_volume(name)):
            refuse_if(any(self._writers(name)))
            refuse_if(name in [volume.backing for volume in self.stored.values()])
            del self.stored[name]

    def ensure_no_pool(self, wait: Wait) -> None:
        refuse_if(self.stored or self.bases)

    def settle_volume(self, name: str, wait: Wait) -> None:
        """Nothing is ever under way."""

    def _domain(self, instance: InstanceId) -> Domain:
        state = PowerState.RUNNING if instance in self.running else PowerState.SHUTDOWN
        _, mark = self.guests[instance]
        return Domain(uuid=instance, name=domain_name(instance), mark=mark, power_state=state)

    def _startable(self, guest: Guest) -> bool:
        """Whether every volume is there, of its format, and no guest that runs has it open; and
        every bridge is there."""
        bridges = {nic.source for nic in guest.nics if nic.kind == "bridge"}
        return bridges <= self.bridges and all(
            disk.volume in self.stored
            and disk.disk_format in ("raw", self.stored[disk.volume].disk_format)
            and not list(self._writers(disk.volume))
            for disk in guest.disks
        )

    def _writers(self, volume: str) -> Iterator[InstanceId]:
        for instance in self.running:
            if volume in {disk.volume for disk in self.guests[instance][0].disks}:
                yield instance

    def _name_of(self, base: Base) -> str:
        return base_name(self.deployment, base.sha256, base.disk_format)
