"""One host's guests, through libvirt."""

import threading
from collections.abc import Iterable, Iterator, Sequence

from vmwright.backends.hypervisor import Domain, Guest, HostFacts, unfit_disk
from vmwright.backends.libvirt import capabilities, guests
from vmwright.backends.libvirt.connection import HostConnection
from vmwright.backends.libvirt.console import read_console
from vmwright.backends.libvirt.domain_xml import ARCH, domain_xml
from vmwright.backends.libvirt.line import Connect
from vmwright.backends.libvirt.network_xml import is_mac
from vmwright.backends.libvirt.pool import Pool
from vmwright.backends.libvirt.turns import turn
from vmwright.backends.libvirt.virt_type import VirtType
from vmwright.backends.volumes import Volume
from vmwright.errors import HostFault, Refused
from vmwright.ids import InstanceId, Mark, Whose, domain_name, network_name
from vmwright.networks import is_source
from vmwright.states import PowerState
from vmwright.waiting import Wait

_POLL = 0.1
"""Seconds between two looks at a guest that is on its way."""
_STARTS = 3
"""How often a guest is started that goes off at once, as after a crash of the daemon."""
_PAUSED_SECONDS = 20.0
"""How long a start of unknown outcome is waited for. A guest stays paused for ever if libvirtd is
killed just when it starts QEMU: libvirt 9 then takes it for running, and no call can move it."""


class LibvirtHypervisor:
    """Guests as domains of QEMU."""

    def __init__(
        self, connection: HostConnection, pool: Pool, virt_type: VirtType, *, starts: int
    ) -> None:
        self._connection = connection
        self._host = connection.host
        self._pool = pool
        self._virt_type = virt_type
        self._starts = threading.BoundedSemaphore(starts)

    def facts(self, wait: Wait) -> HostFacts:
        virt_type = self._virt_type.of_host(wait)

        def facts(connection: Connect) -> HostFacts:
            return HostFacts(
                uuid=capabilities.host_uuid(connection),
                name=connection.getHostname(),
                vcpus=capabilities.vcpus(connection),
                memory_mib=capabilities.memory_mib(connection),
                disk_gib=self._pool.size_gib(connection),
                virt_type=virt_type,
                architecture=ARCH,
            )

        return self._connection.ask("say what the host is", facts, wait)

    def domains(self, wait: Wait) -> Sequence[Domain]:
        return self._connection.ask("list guests", guests.all_described, wait)

    def find_domain(self, instance: InstanceId, wait: Wait) -> Domain | None:
        return self._connection.ask(
            f"look up guest {instance}",
            lambda connection: guests.described(guests.by_uuid(connection, instance)),
            wait,
        )

    def find_domain_named(self, name: str, wait: Wait) -> Domain | None:
        return self._connection.ask(
            f"look up guest {name!r}",
            lambda connection: guests.described(guests.by_name(connection, name)),
            wait,
        )

    def definition(
        self, guest: Guest, mark: Mark, volumes: Iterable[Volume], virt_type: str | None
    ) -> str:
        return domain_xml(
            guest,
            mark,
            virt_type=self._virt_type.known or virt_type or "qemu",
            storage=self._pool.places(guest, volumes),
            networks={nic.network: network_name(nic.network) for nic in guest.nics},
        )

    def ensure_domain(self, guest: Guest, mark: Mark, wait: Wait) -> None:
        self._refuse_unfit(guest)
        virt_type = self._virt_type.of_host(wait)
        self._connection.ask(
            f"define guest {guest.instance}",
            lambda c: guests.define(c, self._host, self._pool, guest, mark, virt_type),
            wait,
            guest.instance,
        )

    def ensure_running(self, instance: InstanceId, mark: Mark, wait: Wait) -> PowerState:
        what = f"start guest {instance}"
        off, patience = 0, wait.within(_PAUSED_SECONDS)
        while True:
            with turn(self._starts, f"{self._host}: {what}: others are being started", wait):
                state = self._connection.ask(
                    what, lambda c: guests.switch_on(c, self._host, instance, mark), wait, instance
                )
            if state is PowerState.RUNNING:
                return state
            off += state in {PowerState.SHUTDOWN, PowerState.CRASHED}
            if off >= _STARTS:
                raise self._not_started(instance, "it goes off at once")
            if not patience.remaining():
                raise self._not_started(instance, "it stays paused")
            wait.pause(_POLL, f"{self._host}: {what}: it does not run yet")

    def ensure_no_domain(self, instance: InstanceId, whose: Whose, wait: Wait) -> None:
        what = f"remove guest {instance}"
        while not self._connection.ask(
            what, lambda c: guests.is_removed(c, instance, whose), wait, instance
        ):
            wait.pause(_POLL, f"{self._host}: {what}: it is still there")

    def settle_domain(self, instance: InstanceId, wait: Wait) -> None:
        self._connection.settle(instance, wait)
        what = f"see that nothing is done with guest {instance}"
        while not self._connection.ask(what, lambda c: guests.is_settled(c, instance), wait):
            wait.pause(_POLL, f"{self._host}: {what}")

    def console(self, instance: InstanceId, wait: Wait) -> Iterator[bytes]:
        return read_console(self._connection, instance, wait)

    def _not_started(self, instance: InstanceId, reason: str) -> HostFault:
        name = domain_name(instance)
        return HostFault(
            f"{self._host}: start guest {instance}: {reason}",
            hint=f"on the host: see /var/log/libvirt/qemu/{name}.log; if libvirtd was killed, stop "
            f"it, remove /run/libvirt/qemu/{name}.xml and start it",
        )

    def _refuse_unfit(self, guest: Guest) -> None:
        what = f"{self._host}: guest {guest.instance}"
        if guest.vcpus < 1 or guest.memory_mib < 1:
            raise Refused(f"{what} with {guest.vcpus} vCPUs and {guest.memory_mib} MiB")
        if reason := unfit_disk(guest.disks):
            raise Refused(f"{what} with {reason}")
        for nic in guest.nics:
            if not is_mac(nic.mac.lower()):
                raise Refused(f"{what}: {nic.mac!r} is not the MAC of an interface")
            if not is_source(nic.kind, nic.source):
                raise Refused(f"{what}: {nic.source!r} is not the name of a {nic.kind} network")
