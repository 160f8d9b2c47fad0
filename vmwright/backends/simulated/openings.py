"""Which running guests have a volume open."""

from collections.abc import Iterator

from vmwright import ids
from vmwright.backends.simulated.records import runs
from vmwright.backends.simulated.world import Folder, HostFiles, Record
from vmwright.errors import HostFault


def opened_by(files: HostFiles, volume: str) -> Iterator[tuple[Record, Record]]:
    """Each running guest that has the volume open, with the disk by which it has."""
    for instance in sorted(_noted(files, volume) | _made_for(volume)):
        domain = files.find(Folder.DOMAINS, instance)
        if domain is not None and runs(domain):
            yield from ((domain, disk) for disk in domain["disks"] if disk["volume"] == volume)


def open_disks(files: HostFiles, domain: Record) -> None:
    """Note that this guest, which is still off, opens its disks.

    `HostFault` where QEMU's image locks would fail: many may read a volume, who writes to it
    must be alone.
    """
    for disk in domain["disks"]:
        for other, others_disk in opened_by(files, disk["volume"]):
            shared = disk["read_only"] and others_disk["read_only"]
            if not shared:
                raise HostFault(
                    f"host {files.name}: guest {domain['uuid']} cannot lock volume "
                    f"{disk['volume']}: guest {other['uuid']} has it open"
                )
    for volume in _of_others(domain):
        _note(files, volume, {*_noted(files, volume), domain["uuid"]})


def close_disks(files: HostFiles, domain: Record) -> None:
    """Forget what `open_disks` noted. Once the guest is gone: until then the note is needed."""
    for volume in {disk["volume"] for disk in domain["disks"]}:
        noted = _noted(files, volume)
        if domain["uuid"] in noted:
            _note(files, volume, noted - {domain["uuid"]})


def _of_others(domain: Record) -> set[str]:
    """Its volumes that do not say by their names which guest they were made for."""
    volumes = {disk["volume"] for disk in domain["disks"]}
    return {volume for volume in volumes if domain["uuid"] not in _made_for(volume)}


def _made_for(volume: str) -> set[str]:
    mark = ids.mark_of_volume(volume)
    return set() if mark is None else {mark.instance}


def _noted(files: HostFiles, volume: str) -> set[str]:
    return set((files.find(Folder.OPENED, volume) or {}).get("domains", []))


def _note(files: HostFiles, volume: str, domains: set[str]) -> None:
    if domains:
        files.put(Folder.OPENED, volume, {"domains": sorted(domains)})
    else:
        files.remove(Folder.OPENED, volume)
