"""The guests of a simulated host."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from vmwright import ids
from vmwright.backends.hypervisor import Disk, Domain, Guest, HostFacts, unfit_disk
from vmwright.backends.simulated.console import greeting, running_guest
from vmwright.backends.simulated.indexes import domain_named
from vmwright.backends.simulated.jobs import Change
from vmwright.backends.simulated.machine import Effect, Machine, unusable
from vmwright.backends.simulated.network import lease_reserved, refuse_bad_mac
from vmwright.backends.simulated.openings import close_disks, open_disks
from vmwright.backends.simulated.plugs import absent_sources, our_networks, refuse_bad_source
from vmwright.backends.simulated.records import (
    SWITCHED_OFF,
    SWITCHED_ON,
    covered,
    is_off_by_itself,
    mark_of,
    runs,
    same_maker,
    state_of,
)
from vmwright.backends.simulated.world import Folder, HostFiles, Record
from vmwright.backends.volumes import Volume
from vmwright.errors import HostFault, Refused, Unavailable
from vmwright.ids import InstanceId, Mark, Whose
from vmwright.states import PowerState
from vmwright.waiting import Wait

_POLL = 0.05
"""Seconds between two looks whether a silent guest still runs."""


class SimulatedHypervisor:
    """Guests as records that are switched on and off."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._files = machine.files

    def facts(self, wait: Wait) -> HostFacts:
        host = self._machine.look("facts", "", wait, self._files.host)
        return HostFacts(
            uuid=host["uuid"],
            name=self._files.name,
            vcpus=host["vcpus"],
            memory_mib=host["memory_mib"],
            disk_gib=host["disk_gib"],
            virt_type="simulated",
            architecture="x86_64",
        )

    def domains(self, wait: Wait) -> Sequence[Domain]:
        return self._machine.look(
            "domains", "", wait, lambda: [_domain(r) for r in self._files.records(Folder.DOMAINS)]
        )

    def find_domain(self, instance: InstanceId, wait: Wait) -> Domain | None:
        record = self._machine.look(
            "find_domain", instance, wait, lambda: self._files.find(Folder.DOMAINS, instance)
        )
        return _domain(record) if record else None

    def find_domain_named(self, name: str, wait: Wait) -> Domain | None:
        record = self._machine.look(
            "find_domain_named", name, wait, lambda: domain_named(self._files, name)
        )
        return _domain(record) if record else None

    def definition(
        self, guest: Guest, mark: Mark, volumes: Iterable[Volume], virt_type: str | None
    ) -> str:
        del volumes, virt_type
        return json.dumps(_record(guest, mark), indent=2, sort_keys=True)

    def ensure_domain(self, guest: Guest, mark: Mark, wait: Wait) -> None:
        record = _record(guest, mark)
        self._machine.make(Change(verb="ensure_domain", key=guest.instance, record=record), wait)

    def ensure_running(self, instance: InstanceId, mark: Mark, wait: Wait) -> PowerState:
        record = {"uuid": instance, "mark": mark.to_store()}
        self._machine.make(Change(verb="ensure_running", key=instance, record=record), wait)
        return PowerState.RUNNING

    def ensure_no_domain(self, instance: InstanceId, whose: Whose, wait: Wait) -> None:
        record = {"uuid": instance, "whose": whose.to_store()}
        self._machine.unmake(Change(verb="ensure_no_domain", key=instance, record=record), wait)

    def settle_domain(self, instance: InstanceId, wait: Wait) -> None:
        self._machine.settle("settle_domain", instance, wait)

    def console(self, instance: InstanceId, wait: Wait) -> Iterator[bytes]:
        domain = self._machine.look(
            "console", instance, wait, lambda: running_guest(self._files, instance)
        )
        return self._written(domain, wait)

    def _written(self, domain: Record, wait: Wait) -> Iterator[bytes]:
        what = f"console of guest {domain['uuid']} on host {self._files.name}"
        try:
            yield from greeting(self._files, domain)
            while self._goes_on(domain["uuid"], what) and wait.remaining():
                try:
                    wait.pause(_POLL, what)
                except Unavailable:
                    return  # the end of the wait is the end of the console
        except OSError as error:
            raise unusable(what, error) from error

    def _goes_on(self, instance: str, what: str) -> bool:
        self._machine.check_reachable(what)
        known = self._files.find(Folder.DOMAINS, instance)
        return known is not None and runs(known)


def _record(guest: Guest, mark: Mark) -> Record:
    """A guest that was never started."""
    return {
        "uuid": guest.instance,
        "name": ids.domain_name(guest.instance),
        "title": guest.title,
        "mark": mark.to_store(),
        **SWITCHED_OFF,
        "vcpus": guest.vcpus,
        "memory_mib": guest.memory_mib,
        "disks": [dict(vars(disk)) for disk in guest.disks],
        "nics": [{**vars(nic), "mac": nic.mac.lower()} for nic in guest.nics],
        "kernel": guest.kernel,
        "ramdisk": guest.ramdisk,
    }


def _domain(record: Record) -> Domain:
    return Domain(
        uuid=record["uuid"],
        name=record["name"],
        mark=mark_of(record),
        power_state=state_of(record),
        off_by_itself=is_off_by_itself(record),
    )


def _define(files: HostFiles, record: Record) -> None:
    known = files.find(Folder.DOMAINS, record["uuid"])
    for other in (known, domain_named(files, record["name"])):
        if other is not None:
            _refuse_other(files, other, record)
    if known is not None and runs(known):
        return
    _refuse_unfit(files, record)
    _refuse_missing(files, record)
    if known != record:
        files.put(Folder.DOMAINS, record["uuid"], record)


def _switch_on(files: HostFiles, record: Record) -> None:
    domain = files.find(Folder.DOMAINS, record["uuid"])
    if domain is None or not same_maker(domain, record):
        raise Refused(f"host {files.name}: no guest {record['uuid']} of this operation's attempt")
    already = runs(domain)
    if not already:
        _check_startable(files, domain)
        open_disks(files, domain)
    for nic in domain["nics"]:
        lease_reserved(files, nic)
    if not already:
        files.put(Folder.DOMAINS, domain["uuid"], {**domain, **SWITCHED_ON})


def _forget(files: HostFiles, record: Record) -> None:
    domain = files.find(Folder.DOMAINS, record["uuid"])
    if domain is None or not covered(domain, record["whose"]):
        return
    files.remove(Folder.DOMAINS, record["uuid"])
    close_disks(files, domain)


def _refuse_other(files: HostFiles, known: Record, record: Record) -> None:
    if known["uuid"] != record["uuid"] or not same_maker(known, record):
        raise Refused(
            f"host {files.name}: guest {known['uuid']} named {known['name']} was made by others"
        )


def _refuse_unfit(files: HostFiles, record: Record) -> None:
    if record["vcpus"] < 1 or record["memory_mib"] < 1:
        raise Refused(
            f"host {files.name}: guest {record['uuid']} with {record['vcpus']} vcpus and "
            f"{record['memory_mib']} MiB"
        )
    if reason := unfit_disk([Disk(**disk) for disk in record["disks"]]):
        raise Refused(f"host {files.name}: guest {record['uuid']} with {reason}")
    for nic in record["nics"]:
        refuse_bad_mac(files, nic["mac"])
        refuse_bad_source(files, nic)


def _refuse_missing(files: HostFiles, record: Record) -> None:
    absent = [f"volume {name}" for name in _volumes(record) if not _has_volume(files, name)]
    absent += [f"network {network}" for network in _absent_networks(files, record)]
    if absent:
        raise Refused(f"host {files.name}: {absent[0]} of guest {record['uuid']} does not exist")


def _check_startable(files: HostFiles, domain: Record) -> None:
    what = f"host {files.name}: guest {domain['uuid']} cannot start"
    if domain["memory_mib"] > files.host()["memory_mib"]:
        raise HostFault(f"{what}: cannot allocate memory of {domain['memory_mib']} MiB")
    formats = {disk["volume"]: disk["disk_format"] for disk in domain["disks"]}
    for name in _volumes(domain):
        volume = _volume(files, name)
        if volume is None:
            raise HostFault(f"{what}: volume {name} is gone")
        # Any bytes are a raw disk; a qcow2 disk has a header.
        if formats.get(name, "raw") not in ("raw", volume["disk_format"]):
            raise HostFault(f"{what}: volume {name} is not {formats[name]}")
    for network in _absent_networks(files, domain):
        raise HostFault(f"{what}: network {network} is gone")
    for source in absent_sources(files, domain):
        raise HostFault(f"{what}: {source} does not exist")


def _volumes(domain: Record) -> Sequence[str]:
    disks = [disk["volume"] for disk in domain["disks"]]
    return [*disks, *filter(None, (domain["kernel"], domain["ramdisk"]))]


def _volume(files: HostFiles, volume: str) -> Record | None:
    return files.find(Folder.VOLUMES, volume) or files.find(Folder.BASES, volume)


def _has_volume(files: HostFiles, volume: str) -> bool:
    return files.has(Folder.VOLUMES, volume) or files.has(Folder.BASES, volume)


def _absent_networks(files: HostFiles, domain: Record) -> Sequence[str]:
    wanted = our_networks(domain)
    return [network for network in wanted if not files.has(Folder.NETWORKS, network)]


EFFECTS: Mapping[str, Effect] = {
    "ensure_domain": _define,
    "ensure_running": _switch_on,
    "ensure_no_domain": _forget,
}
