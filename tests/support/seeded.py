"""A deployment with an instance that lives, and hands that put more beside it: into the files of
the world and the rows of the store, past vmwright."""

import fcntl
import json
import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.fernet import Fernet

from tests.support.lab import Lab
from vmwright.ids import (
    DeploymentId,
    InstanceId,
    Mark,
    OperationId,
    SnapshotId,
    VolumeId,
    base_name,
    data_role,
    domain_name,
    new_id,
    snapshot_mark,
    volume_name,
)

_FOLDERS = ("domains", "volumes", "reservations", "networks", "bases", "leases")
_IGNORED = ("vmwright_events", "vmwright_owners", "sqlite_sequence")
AGES = 3 * 86400.0
"""Seconds: older than anything that is kept for a while."""

Row = tuple[str, int]
"""A table and the `seq` of a row in it."""


@dataclass(frozen=True)
class Traces:
    """What one seeding has put there."""

    files: frozenset[str] = frozenset()
    rows: frozenset[Row] = frozenset()

    def __or__(self, other: "Traces") -> "Traces":
        return Traces(self.files | other.files, self.rows | other.rows)


@dataclass
class Seeder:
    """Puts things where they lie in reality, made after those of the living instance."""

    lab: Lab
    locked: set[str] = field(default_factory=set)
    """Files that somebody is to hold."""
    held: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.host = self._latest("hosts")
        self.network = self._latest("networks")["id"]
        self.instance, *_ = self.lab.rows("SELECT * FROM vmwright_instances ORDER BY seq")
        self.operation, *_ = self.lab.rows("SELECT * FROM vmwright_operations ORDER BY seq")
        self.number = 100

    @property
    def deployment(self) -> DeploymentId:
        return DeploymentId(self._latest("deployment")["id"])

    @property
    def living(self) -> Mark:
        return Mark(
            deployment=self.deployment,
            instance=InstanceId(self.instance["id"]),
            operation=OperationId(self.operation["id"]),
            attempt=1,
        )

    # Rows.

    def mark(
        self,
        *,
        state: str = "done",
        deleted: bool = True,
        attempts: int = 1,
        kind: str = "create",
    ) -> Mark:
        """An instance with an operation in this state; of its first attempt."""
        instance, operation, ended = new_id(), new_id(), time.time() - AGES
        over = state in ("done", "undone", "cancelled")
        built = state == "done"
        self.row(
            "instances",
            self.instance,
            id=instance,
            name=f"seeded-{instance}",
            vm_state="deleted" if deleted else "active" if built else "error",
            deleted_at=ended if deleted else None,
            host_id=None if deleted else self.host["id"],
            operation_id=None if over else operation,
        )
        self.row(
            "operations",
            self.operation,
            id=operation,
            instance_id=instance,
            state=state,
            kind=kind,
            attempt=attempts,
            owner_id=None,
            idempotency_key=None,
            finished_at=ended if over else None,
        )
        return Mark(
            deployment=self.deployment,
            instance=InstanceId(instance),
            operation=OperationId(operation),
            attempt=1,
        )

    def row(self, table: str, template: dict[str, Any], **changes: Any) -> Traces:
        """A row like another one, but for some columns."""
        values = {**template, **changes}
        values.pop("seq", None)
        marks = ", ".join("?" * len(values))
        statement = f"INSERT INTO vmwright_{table} ({', '.join(values)}) VALUES ({marks})"
        with closing(sqlite3.connect(self.lab.home / "store.db")) as connection:
            inserted = connection.execute(statement, list(values.values()))
            connection.commit()
            return Traces(rows=frozenset({(f"vmwright_{table}", int(inserted.lastrowid or 0))}))

    def claim(self, mark: Mark) -> Traces:
        held = {"instance_id": mark.instance, "operation_id": mark.operation}
        return self.row("claims", self._latest("claims"), **held)

    def port(self, mark: Mark | None, *, user_made: bool = False) -> Traces:
        self.number += 1
        return self.row(
            "ports",
            self._latest("ports"),
            id=new_id(),
            instance_id=mark.instance if mark else None,
            operation_id=mark.operation if mark else None,
            mac=f"52:54:00:aa:bb:{self.number:02x}",
            ip=f"10.1.0.{self.number}",
            ip_offset=self.number,
            user_made=user_made,
            name=f"port-{self.number}" if user_made else None,
        )

    def secret(self, mark: Mark) -> Traces:
        """Encrypted as secrets are, with the key of the deployment."""
        ciphertext = Fernet((self.lab.home / "key").read_bytes()).encrypt(b"secret").decode()
        return self.row(
            "secrets",
            self._latest("secrets"),
            id=new_id(),
            instance_id=mark.instance,
            ciphertext=ciphertext,
            erased_at=None,
        )

    def volume_row(self, mark: Mark | None, *, deleted: bool = False) -> tuple[str, Traces]:
        """A volume that an instance's operation has put on the host, and its id."""
        volume = new_id()
        traces = self.row(
            "volumes",
            self._latest("volumes"),
            id=volume,
            name=f"volume-{volume}",
            host_id=self.host["id"] if mark else None,
            location=volume_name(mark, data_role(VolumeId(volume)), "qcow2") if mark else None,
            made_by=mark.operation if mark else None,
            deleted_at=time.time() - AGES if deleted else None,
            image_id=None,
            snapshot_id=None,
        )
        return volume, traces

    def location(self, volume: str) -> str:
        """Where the row says that the volume lies."""
        (row,) = self.lab.rows("SELECT location FROM vmwright_volumes WHERE id = ?", volume)
        return str(row["location"])

    def attachment(self, mark: Mark) -> Traces:
        """The volume, which lies nowhere so far, and who has it."""
        volume, _ = self.volume_row(None)
        return self.row(
            "attachments",
            self._latest("attachments"),
            id=new_id(),
            volume_id=volume,
            instance_id=mark.instance,
            operation_id=mark.operation,
        )

    def debt(self, kind: str, key: str, mark: Mark, *, reason: str) -> Traces:
        """One that is not due yet."""
        whose = {"deployment": mark.deployment, "instance": mark.instance, "operation": None}
        return self.row(
            "debts",
            {},
            id=new_id(),
            host_id=self.host["id"],
            kind=kind,
            key=key,
            whose=json.dumps(whose),
            reason=reason,
            instance_id=mark.instance,
            not_before=time.time() + AGES,
            tries=0,
            created_at=time.time(),
        )

    # Files of the world.

    def domain(self, mark: Mark | None, name: str = "stranger", **changes: Any) -> Traces:
        """A guest that is off and has no disks; without a mark, somebody's."""
        uuid = mark.instance if mark else new_id()
        record = {
            "uuid": uuid,
            "name": domain_name(mark.instance) if mark else name,
            "mark": mark.to_store() if mark else None,
            "state": "shutdown",
            "disks": [],
            "nics": [],
            "memory_mib": 64,
            "kernel": None,
            "ramdisk": None,
        }
        return self._file("domains", uuid, record | changes)

    def volume(self, name: str, **changes: Any) -> Traces:
        pool = f"vmwright-{self.deployment}"
        record = {"name": name, "pool": pool, "disk_format": "qcow2", "size_bytes": 1024}
        return self._file("volumes", name, record | {"base": None, "backing": None} | changes)

    def disk(self, mark: Mark, role: str = "root", disk_format: str = "qcow2") -> Traces:
        return self.volume(volume_name(mark, role, disk_format), disk_format=disk_format)

    def snapshot(self, *, row: bool, deleted: bool = False) -> tuple[str, Traces]:
        """A snapshot's volume, with a row or without one; its id."""
        snapshot = SnapshotId(new_id())
        mark = snapshot_mark(self.deployment, snapshot)
        name = volume_name(mark, "snapshot", "qcow2")
        if row:
            volume = self._latest("volumes")["id"]
            self.row(
                "snapshots",
                {},
                id=snapshot,
                project_id="default",
                name=f"snapshot-{snapshot}",
                volume_id=volume,
                size_gib=1,
                host_id=self.host["id"],
                location=name,
                bootable=0,
                created_at=0.0,
                deleted_at=time.time() - AGES if deleted else None,
            )
        return snapshot, self.volume(name)

    def reservation(self, mark: Mark | None, *, folder: str = "reservations") -> Traces:
        self.number += 1
        mac, ip = f"52:54:00:cc:dd:{self.number:02x}", f"10.1.0.{self.number}"
        record = {
            "network": self.network,
            "mac": mac,
            "ip": ip,
            "hostname": "guest",
            "mark": mark.to_store() if mark else None,
        }
        return self._file(folder, f"{self.network}-{mac.replace(':', '-')}", record)

    def base(self, sha256: str, *, old: bool, deployment: str | None = None) -> Traces:
        name = base_name(DeploymentId(deployment or self.deployment), sha256, "raw")
        record = {
            "name": name,
            "pool": f"vmwright-{self.deployment}",
            "disk_format": "raw",
            "size_bytes": 10,
            "virtual_size_bytes": 10,
        }
        traces = self._file("bases", name, record)
        return self._aged(traces) if old else traces

    def network_on_host(self, *, ours: bool) -> Traces:
        uuid = new_id()
        record = {"uuid": uuid, "cidr": None, "gateway": None}
        return self._file(
            "networks", uuid, {**record, "deployment": self.deployment if ours else ""}
        )

    # Files of the machine.

    def image(self, sha256: str, *, row: bool = True, file: bool = True) -> Traces:
        """An image of the store, or only its bytes, or only its row."""
        location = f"{sha256}.raw"
        traces = Traces()
        if row:
            known = {"sha256": sha256, "location": location, "disk_format": "raw"}
            traces |= self.row(
                "images", self._latest("images"), id=new_id(), name=f"image-{sha256[:8]}", **known
            )
        if file:
            traces |= self._machine_file(f"images/{self.deployment}/{location}", b"bytes")
        return traces

    def draft(self, *, locked: bool) -> Traces:
        path = f"images/{self.deployment}/.draft-{new_id()}"
        traces = self._machine_file(path, b"half")
        if locked:
            self.locked |= {path}
        return traces

    def owner_lock(self, *, locked: bool) -> Traces:
        path = f"owners/{new_id()}.lock"
        traces = self._aged(self._machine_file(path, b""))
        if locked:
            self.locked |= {path}
        return traces

    def aged(self, traces: Traces) -> Traces:
        return self._aged(traces)

    def hold_locks(self) -> None:
        """Be the living processes whose files are locked."""
        for path in sorted(self.locked):
            file = (self.lab.home / path).open("rb")
            fcntl.flock(file, fcntl.LOCK_EX)
            self.held.append(file)

    def close(self) -> None:
        """Let go of what is locked."""
        for file in self.held:
            file.close()

    # What an outsider sees.

    def files(self) -> dict[str, bytes]:
        """Everything that is not an index of the world, a log, or the store itself."""
        home = self.lab.home
        roots = [
            *(home / "world" / "hosts" / self.host["name"] / folder for folder in _FOLDERS),
            home / "images",
            home / "owners",
        ]
        paths = (path for root in roots for path in root.rglob("*") if path.is_file())
        found = {str(path.relative_to(home)): path.read_bytes() for path in paths}
        return found | {"key": (home / "key").read_bytes()}

    def rows(self) -> dict[Row, tuple[Any, ...]]:
        """Every row but those of the histories of operations and of living processes."""
        with closing(sqlite3.connect(self.lab.home / "store.db")) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return {
                (table, row[0]): row
                for (table,) in names.fetchall()
                if table.startswith("vmwright_") and table not in _IGNORED
                if "alembic" not in table and "schema_revision" not in table
                for row in connection.execute(f"SELECT seq, * FROM {table}")
            }

    def _latest(self, table: str) -> dict[str, Any]:
        return self.lab.rows(f"SELECT * FROM vmwright_{table} ORDER BY seq DESC LIMIT 1")[0]

    def _file(self, folder: str, key: str, record: dict[str, Any]) -> Traces:
        path = f"world/hosts/{self.host['name']}/{folder}/{key}.json"
        return self._machine_file(path, json.dumps(record).encode())

    def _machine_file(self, path: str, content: bytes) -> Traces:
        (self.lab.home / path).parent.mkdir(parents=True, exist_ok=True)
        (self.lab.home / path).write_bytes(content)
        return Traces(files=frozenset({path}))

    def _aged(self, traces: Traces) -> Traces:
        for path in traces.files:
            os.utime(self.lab.home / path, (time.time() - AGES, time.time() - AGES))
        return traces


def other_deployment(mark: Mark) -> Mark:
    return replace(mark, deployment=DeploymentId(new_id()))


def nobody(deployment: DeploymentId) -> Mark:
    """A mark of ours that no row of the store speaks of."""
    return Mark(
        deployment=deployment,
        instance=InstanceId(new_id()),
        operation=OperationId(new_id()),
        attempt=1,
    )
