"""The files of a simulated world: one directory per host, one JSON file per thing."""

import json
import os
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

from vmwright.backends.simulated.faults import Fault, count_call
from vmwright.backends.simulated.locking import Turn
from vmwright.errors import HostFault, Refused
from vmwright.waiting import Wait

Record = dict[str, Any]
"""What one file holds."""

Watch = Callable[[str], None]
"""Told of each step inside a call, where it may be cut in two. What it raises leaves the call."""

DOWN = "down"
"""The file that means power off: made by a fault, a test or an operator."""

WAS_DOWN = "was-down"
"""The file that remembers it until the power is back and the guests were switched off."""

_LEGAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")
_SUFFIX = ".json"
_PIECE = 65536
_ENCODER = json.JSONEncoder(sort_keys=True)
_DECODER = json.JSONDecoder()
_MAC_LENGTH = len("52-54-00-00-00-00")
_NO_DEVICES: Record = {"memory_mib": 0, "disks": [], "nics": [], "kernel": None, "ramdisk": None}
_BLANK: Record = {"base": None, "backing": None, "content_sha256": None}
_CAPACITY: Record = {"vcpus": 64, "memory_mib": 262144, "disk_gib": 4096}
_THERE_ALREADY: Record = {"bridges": ["br0"], "libvirt_networks": ["default"]}


class Folder(StrEnum):
    """The directories of a host. The first three, and how their files are named, are promised
    to scripts; the last three are indexes, true only where the record confirms them.
    """

    DOMAINS = "domains"
    VOLUMES = "volumes"
    RESERVATIONS = "reservations"
    NETWORKS = "networks"
    BASES = "bases"
    LEASES = "leases"
    JOBS = "jobs"
    NAMES = "names"
    ADDRESSES = "addresses"
    OPENED = "opened"


class _Seen(threading.local):
    """What a thread has read while it has its turn, by path: nobody else writes then."""

    records: dict[str, Record | None] | None = None


class HostFiles:
    """One host's records. They appear, change and vanish whole, whenever the process dies.

    Whoever writes holds `turn`, so a temporary file that is seen under it was left by the dead
    and may be overwritten. Nothing is flushed to the disk: the machine itself is not simulated.
    """

    def __init__(self, directory: Path, watch: Watch | None = None) -> None:
        self.name = directory.name
        self.watch = watch
        self._directory = directory
        self._root = str(directory)
        self._ready = False
        self._temporary = f"{self._root}/.new"
        self._down = f"{self._root}/{DOWN}"
        self._was_down = f"{self._root}/{WAS_DOWN}"
        self._jobs = f"{self._root}/{Folder.JOBS}"
        self._host_file = f"{self._root}/host{_SUFFIX}"
        self._turn = Turn(f"{self._root}/lock")
        self._seen = _Seen()

    def begin_turn(self, wait: Wait, what: str) -> None:
        """Hold the host against every other thread and process until `end_turn`."""
        if not self._ready:
            self._prepare()
        self._turn.begin(wait, what)
        self._seen.records = {}

    def end_turn(self) -> None:
        self._seen.records = None
        self._turn.end()

    def find(self, folder: Folder, key: str) -> Record | None:
        """The record, or None. `HostFault` if the file does not hold one.

        Files made by hand may leave out what is not worth saying.
        """
        path = f"{self._root}/{folder}/{key}{_SUFFIX}"
        seen = self._seen.records
        if seen is not None and path in seen:
            return seen[path]
        record = read_record(path, self.name) if _LEGAL.fullmatch(key) else None
        if record is not None:
            record = {**_unsaid(folder, key), **record}
        if seen is not None:
            seen[path] = record
        return record

    def has(self, folder: Folder, key: str) -> bool:
        """Whether there is a record, whatever it holds."""
        return _LEGAL.fullmatch(key) is not None and os.access(
            f"{self._root}/{folder}/{key}{_SUFFIX}", os.F_OK
        )

    def put(self, folder: Folder, key: str, record: Record) -> None:
        """Write the record in one step. Only under `turn`. Refused for a key that is no name."""
        if not _LEGAL.fullmatch(key):
            raise Refused(f"host {self.name}: {key!r} cannot name anything in {folder}")
        path, watch = f"{self._root}/{folder}/{key}{_SUFFIX}", self.watch
        half = None if watch is None else lambda: watch(f"{folder} half written")
        write_record(path, self._temporary, record, half)
        self._written(path, f"{folder} written")

    def remove(self, folder: Folder, key: str) -> None:
        """Remove a record that `find` finds. Only under `turn`."""
        path = f"{self._root}/{folder}/{key}{_SUFFIX}"
        with suppress(FileNotFoundError):
            os.unlink(path)
        self._written(path, f"{folder} removed")

    def _written(self, path: str, step: str) -> None:
        if self._seen.records is not None:
            self._seen.records.pop(path, None)
        if self.watch is not None:
            self.watch(step)

    def keys(self, folder: Folder) -> Sequence[str]:
        """The keys of all records, in no order."""
        if not self._ready:
            self._prepare()
        names = os.listdir(f"{self._root}/{folder}")
        return [name[: -len(_SUFFIX)] for name in names if name[-len(_SUFFIX) :] == _SUFFIX]

    def records(self, folder: Folder) -> Iterator[Record]:
        """All records in the order of their keys, without those that vanish meanwhile."""
        for key in sorted(self.keys(folder)):
            record = self.find(folder, key)
            if record is not None:
                yield record

    def changed_at(self, folder: Folder, key: str) -> float | None:
        """When the record was last written; None if it has gone meanwhile."""
        try:
            return os.stat(f"{self._root}/{folder}/{key}{_SUFFIX}").st_mtime
        except FileNotFoundError:
            return None

    def host(self) -> Record:
        """The host's uuid, capacity, and networks that are not ours: what its file says, or what
        it is given on first use.
        """
        seen = self._seen.records
        known = None if seen is None else seen.get(self._host_file)
        if known is None:
            said = read_record(self._host_file, self.name) or {}
            known = {**_CAPACITY, **_THERE_ALREADY, **said}
            if "uuid" not in known:
                derived = uuid.uuid5(uuid.NAMESPACE_URL, f"simulated://{self._root}")
                known["uuid"] = str(derived)
            if seen is not None:
                seen[self._host_file] = known
        return known

    def keep_host(self) -> None:
        """Write down what `host` says, unless it is. Only under `turn`."""
        if not os.access(self._host_file, os.F_OK):
            write_record(self._host_file, self._temporary, self.host())

    def is_quiet(self) -> bool:
        """Whether the power is on, as it was, and no job is under way. Cheap: all ask it."""
        if os.access(self._down, os.F_OK) or os.access(self._was_down, os.F_OK):
            return False
        return self._ready and not os.listdir(self._jobs)

    def flagged(self, flag: str) -> bool:
        """Whether the host's directory holds a file of this name, as an operator may put there."""
        return os.access(f"{self._root}/{flag}", os.F_OK)

    def flag(self, flag: str) -> None:
        Path(f"{self._root}/{flag}").touch()

    def unflag(self, flag: str) -> None:
        Path(f"{self._root}/{flag}").unlink(missing_ok=True)

    def _prepare(self) -> None:
        for folder in Folder:
            (self._directory / folder).mkdir(parents=True, exist_ok=True)
        self._ready = True


class Calls:
    """How often the verbs that have faults were called, by every process of this world."""

    def __init__(self, world_dir: Path, faults: Sequence[Fault]) -> None:
        self._faults = faults
        self._path = f"{world_dir}/calls.json"
        self._temporary = f"{world_dir}/.calls.new"
        self._turn = Turn(f"{world_dir}/calls.lock")

    def concern(self, verb: str, host: str) -> bool:
        """Whether any fault may meet such a call."""
        return bool(self._faults) and any(f.concerns(verb, host) for f in self._faults)

    def count(self, verb: str, host: str, wait: Wait) -> Fault | None:
        """Count this call, and say which fault it meets."""
        if not self.concern(verb, host):
            return None
        self._turn.begin(wait, f"{verb} on host {host}")
        try:
            counts = read_record(self._path, None) or {}
            fault, counted = count_call(self._faults, counts, verb, host)
            write_record(self._path, self._temporary, counted)
        finally:
            self._turn.end()
        return fault


def _unsaid(folder: Folder, key: str) -> Record:
    """What a record says where its file is silent."""
    match folder:
        case Folder.DOMAINS:
            return {"uuid": key, "name": key, "mark": None, "state": "shutdown", **_NO_DEVICES}
        case Folder.VOLUMES | Folder.BASES:
            return {"name": key, "disk_format": "raw", "size_bytes": 0, **_BLANK}
        case Folder.RESERVATIONS | Folder.LEASES:
            network, mac = key[: -_MAC_LENGTH - 1], key[-_MAC_LENGTH:]
            return {"network": network, "mac": mac.replace("-", ":"), "ip": "", "mark": None}
        case Folder.NETWORKS:
            return {"uuid": key, "cidr": None, "gateway": None}
        case _:
            return {}


def read_record(path: str, host: str | None) -> Record | None:
    """The record in this file, or None without one; `HostFault` if it holds anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    # A hundred are read for one guest, and Python's own files cost twice that.
    try:
        content = os.read(descriptor, _PIECE)
        while piece := os.read(descriptor, _PIECE) if len(content) % _PIECE == 0 else b"":
            content += piece
    finally:
        os.close(descriptor)
    try:
        record = _DECODER.decode(content.decode())
    except ValueError as error:
        raise _unreadable(path, host, "JSON") from error
    if not isinstance(record, dict):
        raise _unreadable(path, host, "a JSON object")
    return record


def _unreadable(path: str, host: str | None, expected: str) -> HostFault:
    whose = "the count of calls" if host is None else f"host {host}"
    return HostFault(f"{whose}: {path} is not {expected}", hint="repair or remove it")


def write_record(
    path: str, temporary: str, record: Record, half: Callable[[], None] | None = None
) -> None:
    """Have exactly this record in the file, in one step. `half` is called just before that."""
    text = _ENCODER.encode(record).encode() + b"\n"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        while text:
            text = text[os.write(descriptor, text) :]
    finally:
        os.close(descriptor)
    if half is not None:
        half()
    os.replace(temporary, path)
