"""What lies on hosts as an outsider sees it: the files of a simulated world."""

import base64
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Guest:
    """A domain on a host."""

    host: str
    uuid: str
    running: bool
    volumes: tuple[str, ...]
    macs: tuple[str, ...]
    operation: str | None
    """Which operation made it, if its mark says so."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A volume in a pool."""

    host: str
    name: str

    @property
    def instance(self) -> str | None:
        """Whose it is, by the mark in its name."""
        labels = self.name.split(".")
        return unpacked(labels[2]) if len(labels) == 7 and labels[0] == "vmw" else None

    @property
    def role(self) -> str:
        return self.name.split(".")[5]


@dataclass(frozen=True, kw_only=True)
class Reserved:
    """An address that a host's DHCP gives to a MAC, or has given."""

    host: str
    mac: str
    ip: str
    lease: bool = False


@dataclass(frozen=True, kw_only=True)
class Seen:
    """All that hosts hold at one moment."""

    guests: Sequence[Guest]
    volumes: Sequence[Kept]
    reservations: Sequence[Reserved]
    strays: Sequence[str] = field(default=())
    """Whatever else is there and should not be."""


class World(Protocol):
    def see(self) -> Seen: ...


class SimulatedWorld:
    """Hosts that are directories of JSON files."""

    def __init__(self, directory: Path) -> None:
        self._hosts = directory / "hosts"

    def see(self) -> Seen:
        return Seen(
            guests=[self._guest(host, record) for host, record in self._records("domains")],
            volumes=[Kept(host=host, name=v["name"]) for host, v in self._records("volumes")],
            reservations=[
                Reserved(host=host, mac=known["mac"], ip=known["ip"], lease=folder == "leases")
                for folder in ("reservations", "leases")
                for host, known in self._records(folder)
            ],
            strays=[f"job {job['change']['verb']} on {h}" for h, job in self._records("jobs")],
        )

    def _guest(self, host: str, record: dict[str, Any]) -> Guest:
        return Guest(
            host=host,
            uuid=record["uuid"],
            # Not of its own will: the host had no power, and brings no guest back by itself.
            running=record["state"] == "running" or record["off_by"] == "host",
            volumes=tuple(disk["volume"] for disk in record["disks"]),
            macs=tuple(nic["mac"] for nic in record["nics"]),
            operation=record["mark"]["operation"],
        )

    def _records(self, folder: str) -> list[tuple[str, dict[str, Any]]]:
        paths = sorted(self._hosts.glob(f"*/{folder}/*.json"))
        return [(path.parent.parent.name, json.loads(path.read_text())) for path in paths]


def unpacked(label: str) -> str:
    """The uuid in 26 letters and digits of a mark."""
    return str(uuid.UUID(bytes=base64.b32decode(label.upper() + "======")))
