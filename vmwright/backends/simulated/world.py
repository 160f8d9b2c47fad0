"""The files of a simulated world: one directory per host, one JSON file per thing."""

import json
import os
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
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

_LEGAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")
_SUFFIX = ".json"
_PIECE = 65536
_ENCODER = json.JSONEncoder(sort_keys=True)
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


def unwatched(_step: str) -> None:
    """Nobody wants to know."""


class _Seen(threading.local):
    """What a thread has read while it has its turn: nobody else writes then."""

    records: dict[tuple[Folder, str], Record | None] | None = None


class HostFiles:
    """One host's records. They appear, change and vanish whole, whenever the process dies.

    Whoever writes holds `turn`, so a temporary file that is seen under it was left by the dead
    and may be overwritten. Nothing is flushed to the disk: the machine itself is not simulated.
    """

    def __init__(self, directory: Path, watch: Watch = unwatched) -> None:
        self.name = directory.name
        self.watch = watch
        self._directory = directory
        self._root = str(directory)
        self._ready = False
        self._kept = False
        self._temporary = f"{self._root}/.new"
        self._turn = Turn(f"{self._root}/lock")
        self._seen = _Seen()

    @contextmanager
    def turn(self, wait: Wait, what: str) -> Iterator[None]:
        """Hold the host against every other thread and process."""
        self._prepare()
        with self._turn.held(wait, what):
            self._keep_host()
            self._seen.records = {}
            try:
                yield
            finally:
                self._seen.records = None

    def find(self, folder: Folder, key: str) -> Record | None:
        """The record, or None. `HostFault` if the file does not hold one.

        Files made by hand may leave out what is not worth saying.
        """
        seen = self._seen.records
        if seen is None:
            return self._find(folder, key)
        if (folder, key) not in seen:
            seen[folder, key] = self._find(folder, key)
        return seen[folder, key]

    def _find(self, folder: Folder, key: str) -> Record | None:
        if not _LEGAL.fullmatch(key):
            return None
        record = self._read(self._path(folder, key))
        return None if record is None else {**_unsaid(folder, key), **record}

    def _forget(self, folder: Folder, key: str) -> None:
        if self._seen.records is not None:
            self._seen.records.pop((folder, key), None)

    def put(self, folder: Folder, key: str, record: Record) -> None:
        """Write the record in one step. Only under `turn`. Refused for a key that is no name."""
        if not _LEGAL.fullmatch(key):
            raise Refused(f"host {self.name}: {key!r} cannot name anything in {folder}")
        write_record(
            self._path(folder, key),
            self._temporary,
            record,
            half=lambda: self.watch(f"{folder} half written"),
        )
        self._forget(folder, key)
        self.watch(f"{folder} written")

    def remove(self, folder: Folder, key: str) -> None:
        """Remove a record that `find` finds. Only under `turn`."""
        with suppress(FileNotFoundError):
            os.unlink(self._path(folder, key))
        self._forget(folder, key)
        self.watch(f"{folder} removed")

    def keys(self, folder: Folder) -> Sequence[str]:
        """The keys of all records, in no order."""
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
            return os.stat(self._path(folder, key)).st_mtime
        except FileNotFoundError:
            return None

    def host(self) -> Record:
        """The host's uuid, capacity, and networks that are not ours: what its file says, or what
        it is given on first use.
        """
        path = f"{self._root}/host{_SUFFIX}"
        stored = self._read(path) or {}
        derived = uuid.uuid5(uuid.NAMESPACE_URL, f"simulated://{self._root}")
        return {"uuid": str(derived), **_CAPACITY, **_THERE_ALREADY, **stored}

    def flagged(self, flag: str) -> bool:
        """Whether the host's directory holds a file of this name, as an operator may put there."""
        return os.path.exists(f"{self._root}/{flag}")

    def flag(self, flag: str) -> None:
        Path(f"{self._root}/{flag}").touch()

    def unflag(self, flag: str) -> None:
        Path(f"{self._root}/{flag}").unlink(missing_ok=True)

    def _prepare(self) -> None:
        if not self._ready:
            for folder in Folder:
                (self._directory / folder).mkdir(parents=True, exist_ok=True)
            self._ready = True

    def _keep_host(self) -> None:
        path = f"{self._root}/host{_SUFFIX}"
        if not self._kept and not os.path.exists(path):
            write_record(path, self._temporary, self.host())
        self._kept = True

    def _path(self, folder: Folder, key: str) -> str:
        return f"{self._root}/{folder}/{key}{_SUFFIX}"

    def _read(self, path: str) -> Record | None:
        return read_record(path, f"host {self.name}")


class Calls:
    """How often the verbs that have faults were called, by every process of this world."""

    def __init__(self, world_dir: Path, faults: Sequence[Fault]) -> None:
        self._faults = faults
        self._path = f"{world_dir}/calls.json"
        self._temporary = f"{world_dir}/.calls.new"
        self._turn = Turn(f"{world_dir}/calls.lock")

    def concern(self, verb: str, host: str) -> bool:
        """Whether any fault may meet such a call."""
        return any(fault.concerns(verb, host) for fault in self._faults)

    def count(self, verb: str, host: str, wait: Wait) -> Fault | None:
        """Count this call, and say which fault it meets."""
        if not self.concern(verb, host):
            return None
        with self._turn.held(wait, f"{verb} on host {host}"):
            counts = read_record(self._path, "the count of calls") or {}
            fault, counted = count_call(self._faults, counts, verb, host)
            write_record(self._path, self._temporary, counted)
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


def read_record(path: str, whose: str) -> Record | None:
    """The record in this file, or None without one; `HostFault` if it holds anything else."""
    try:
        record = json.loads(_content(path).decode())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise HostFault(f"{whose}: {path} is not JSON", hint="repair or remove it") from error
    if not isinstance(record, dict):
        raise HostFault(f"{whose}: {path} is not a JSON object", hint="repair or remove it")
    return record


def _content(path: str) -> bytes:
    """All of a file. A hundred are read for one guest, and Python's own files cost twice that."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.read(descriptor, _PIECE)
        while piece := os.read(descriptor, _PIECE) if len(content) % _PIECE == 0 else b"":
            content += piece
        return content
    finally:
        os.close(descriptor)


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
