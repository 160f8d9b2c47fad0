"""The storage of a simulated host."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vmwright import ids
from vmwright.backends.simulated.jobs import Change
from vmwright.backends.simulated.machine import Effect, Machine
from vmwright.backends.simulated.openings import opened_by
from vmwright.backends.simulated.world import Folder, HostFiles, Record
from vmwright.backends.volumes import Base, Stored, Volume
from vmwright.errors import Refused
from vmwright.ids import DeploymentId, Whose
from vmwright.waiting import Wait

_FORMATS = ("qcow2", "raw")
_SECTOR = 512
"""Bytes: a qcow2 disk has whole sectors."""


class SimulatedVolumes:
    """Volumes as records: of their content only the digest is kept, for it may be secret."""

    def __init__(self, machine: Machine, deployment: DeploymentId) -> None:
        self._machine = machine
        self._deployment = deployment
        self._pool = ids.pool_name(deployment)

    def volumes(self, wait: Wait) -> Sequence[Stored]:
        return self._machine.look("volumes", "", wait, self._stored)

    def ensure_base(self, base: Base, source: Path, wait: Wait) -> None:
        name = self._base_name(base)
        record = {
            **vars(base),
            "name": name,
            "deployment": self._deployment,
            "pool": self._pool,
            "source_bytes": _length(source),
        }
        change = Change(verb="ensure_base", key=name, record=record)
        moves = self._machine.takes_time(change) and not self._machine.files.has(Folder.BASES, name)
        self._machine.make(change, wait, moves=base.size_bytes if moves else 0)

    def ensure_no_base(self, base: Base, wait: Wait) -> None:
        name = self._base_name(base)
        self._machine.unmake(Change(verb="ensure_no_base", key=name, record={"name": name}), wait)

    def ensure_volume(self, volume: Volume, wait: Wait) -> None:
        record = self._record(volume.name, volume.disk_format, volume.size_bytes)
        record["base"] = self._base_name(volume.base) if volume.base else None
        record["backing"] = volume.backing
        self._machine.make(Change(verb="ensure_volume", key=volume.name, record=record), wait)

    def ensure_content(self, name: str, content: bytes, wait: Wait) -> None:
        record = self._record(name, "raw", len(content))
        record["content_sha256"] = hashlib.sha256(content).hexdigest()
        self._machine.make(Change(verb="ensure_content", key=name, record=record), wait)

    def ensure_copy(self, name: str, source: str, wait: Wait) -> None:
        record = {"name": name, "source": source}
        self._machine.make(Change(verb="ensure_copy", key=name, record=record), wait)

    def ensure_no_volume(self, name: str, whose: Whose, wait: Wait) -> None:
        record = {"name": name, "whose": whose.to_store()}
        self._machine.unmake(Change(verb="ensure_no_volume", key=name, record=record), wait)

    def ensure_no_pool(self, wait: Wait) -> None:
        change = Change(verb="ensure_no_pool", key=self._pool, record={"pool": self._pool})
        self._machine.unmake(change, wait)

    def settle_volume(self, name: str, wait: Wait) -> None:
        self._machine.settle("settle_volume", name, wait)

    def _stored(self) -> Sequence[Stored]:
        files = self._machine.files
        found = [
            Stored(
                name=record["name"],
                mark=ids.mark_of_volume(record["name"]),
                size_bytes=record.get("virtual_size_bytes") or record["size_bytes"],
                backing=record.get("base") or record.get("backing"),
                changed_at=files.changed_at(folder, record["name"]),
            )
            for folder, record in _in_pool(files, self._pool)
        ]
        return sorted(found, key=lambda stored: stored.name)

    def _base_name(self, base: Base) -> str:
        return ids.base_name(self._deployment, base.sha256, base.disk_format)

    def _record(self, name: str, disk_format: str, size_bytes: int) -> Record:
        mark = ids.mark_of_volume(name)
        unit = _SECTOR if disk_format == "qcow2" else 1
        return {
            "name": name,
            "mark": mark.to_store() if mark else None,
            "pool": self._pool,
            "disk_format": disk_format,
            "size_bytes": -(-size_bytes // unit) * unit,
            "base": None,
            "backing": None,
            "content_sha256": None,
        }


def _in_pool(files: HostFiles, pool: str) -> Iterator[tuple[Folder, Record]]:
    """Volumes and bases of a pool; a file made by hand names none and counts as one of ours."""
    for folder in (Folder.VOLUMES, Folder.BASES):
        for known in files.records(folder):
            if known.get("pool", pool) == pool:
                yield folder, known


def _length(source: Path) -> int | None:
    """Bytes of the file; None if it cannot be read, which matters only without the base."""
    try:
        return source.stat().st_size if source.is_file() else None
    except OSError:
        return None


def _keep_base(files: HostFiles, record: Record) -> None:
    if files.has(Folder.BASES, record["name"]):
        return
    if record["source_bytes"] != record["size_bytes"]:
        raise Refused(
            f"host {files.name}: the file for base {record['name']} is not of the "
            f"{record['size_bytes']} bytes that the image has"
        )
    kept = {key: value for key, value in record.items() if key != "source_bytes"}
    files.put(Folder.BASES, record["name"], kept)


def _forget_base(files: HostFiles, record: Record) -> None:
    name = record["name"]
    if files.find(Folder.BASES, name) is None:
        return
    _refuse_overlaid(files, name, "base")
    for domain in files.records(Folder.DOMAINS):
        if name in (domain["kernel"], domain["ramdisk"]):
            raise Refused(f"host {files.name}: guest {domain['uuid']} boots from base {name}")
    files.remove(Folder.BASES, name)


def _make_volume(files: HostFiles, record: Record) -> None:
    _refuse_unfit(files, record)
    known = files.find(Folder.VOLUMES, record["name"])
    if known is None:
        _refuse_without_base(files, record)
        files.put(Folder.VOLUMES, record["name"], record)
        return
    _refuse_other(files, known, record, ("pool", "disk_format", "size_bytes", "base", "backing"))


def _fill_volume(files: HostFiles, record: Record) -> None:
    _refuse_unfit(files, record)
    known = files.find(Folder.VOLUMES, record["name"])
    if known is not None:
        _refuse_other(files, known, record, ("pool", "disk_format"))
    if known != record:
        _refuse_in_use(files, record["name"])
        files.put(Folder.VOLUMES, record["name"], record)


def _copy_volume(files: HostFiles, record: Record) -> None:
    name, what = record["name"], f"host {files.name}: volume {record['source']}"
    if not ids.is_snapshot(name):
        raise Refused(f"host {files.name}: {name!r} is not the name of a snapshot")
    if files.find(Folder.VOLUMES, name) is not None:
        return
    source = files.find(Folder.VOLUMES, record["source"])
    if source is None:
        raise Refused(f"{what} does not exist")
    if source["disk_format"] != "qcow2":
        raise Refused(f"{what} is not qcow2")
    _refuse_in_use(files, record["source"])
    mark = ids.mark_of_volume(name)
    copy = {**source, "name": name, "mark": mark and mark.to_store()}
    files.put(Folder.VOLUMES, name, copy | {"base": None, "backing": None})


def _remove_volume(files: HostFiles, record: Record) -> None:
    name = record["name"]
    if not Whose.from_store(record["whose"]).covers(ids.mark_of_volume(name)):
        return
    if ids.is_snapshot(name):
        _refuse_overlaid(files, name, "snapshot")
    _refuse_in_use(files, name)
    files.remove(Folder.VOLUMES, name)


def _forget_pool(files: HostFiles, record: Record) -> None:
    """A pool is nothing but what lies in it."""
    for _, known in _in_pool(files, record["pool"]):
        raise Refused(f"host {files.name}: volume {known['name']} is in the pool")


def _refuse_overlaid(files: HostFiles, name: str, what: str) -> None:
    overlay = next(
        (v for v in files.records(Folder.VOLUMES) if name in (v["base"], v["backing"])), None
    )
    if overlay is not None:
        raise Refused(f"host {files.name}: volume {overlay['name']} is an overlay of {what} {name}")


def _refuse_in_use(files: HostFiles, name: str) -> None:
    for domain, _ in opened_by(files, name):
        raise Refused(f"host {files.name}: guest {domain['uuid']} runs and has {name} open")


def _refuse_other(files: HostFiles, known: Record, record: Record, fields: Sequence[str]) -> None:
    for field in fields:
        # A file made by hand names no pool: it counts as one of ours.
        if field in known and known[field] != record[field]:
            raise Refused(
                f"host {files.name}: volume {record['name']} exists with {field} "
                f"{known[field]!r}, not {record[field]!r}"
            )


def _refuse_unfit(files: HostFiles, record: Record) -> None:
    name = record["name"]
    if record["mark"] is None:
        raise Refused(f"host {files.name}: the name of volume {name} holds no mark")
    if ids.is_snapshot(name):
        raise Refused(f"host {files.name}: {name} is a snapshot, and never written")
    if record["disk_format"] not in _FORMATS:
        raise Refused(
            f"host {files.name}: volume {name} in format {record['disk_format']!r}",
            hint=f"formats are {', '.join(_FORMATS)}",
        )
    if record["size_bytes"] < 0:
        raise Refused(f"host {files.name}: volume {name} of {record['size_bytes']} bytes")


def _refuse_without_base(files: HostFiles, record: Record) -> None:
    base, backing = record["base"], record["backing"]
    if (base or backing) and record["disk_format"] != "qcow2":
        raise Refused(f"host {files.name}: overlay {record['name']} must be qcow2")
    if base is not None and not files.has(Folder.BASES, base):
        raise Refused(f"host {files.name}: base {base} of volume {record['name']} is missing")
    if backing is None:
        return
    if not ids.is_snapshot(backing) or not files.has(Folder.VOLUMES, backing):
        raise Refused(f"host {files.name}: snapshot {backing} of {record['name']} is missing")


EFFECTS: Mapping[str, Effect] = {
    "ensure_base": _keep_base,
    "ensure_no_base": _forget_base,
    "ensure_volume": _make_volume,
    "ensure_content": _fill_volume,
    "ensure_copy": _copy_volume,
    "ensure_no_volume": _remove_volume,
    "ensure_no_pool": _forget_pool,
}
