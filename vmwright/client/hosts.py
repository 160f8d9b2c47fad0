"""Hosts and zones, as an inventory tells of them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmwright.client.collection import Collection
from vmwright.client.connection import Connection
from vmwright.errors import DeadlinePassed
from vmwright.resources.host import Host, Zone

_POLL = 0.5
"""Seconds between two looks whether a host is empty."""
_ASKED = 120.0
"""Seconds for what a host is asked for itself."""


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """The sum of all claims on a host."""

    vcpus: int
    memory_mib: int
    disk_gib: int


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Whether it answers the controllers of the service's machine; times in seconds since the
    epoch."""

    state: str
    since: float | None
    reason: str | None
    unanswered: int


@dataclass(frozen=True, kw_only=True)
class HostUse:
    """What a host holds, and whether it can be asked."""

    claimed: Claimed
    instances: int
    condition: Condition


class Hosts:
    """The hosts of a deployment."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._hosts = Collection(connection, "hosts", Host)
        self._zones = Collection(connection, "zones", Zone)

    def create(self, **wishes: Any) -> Host:
        return self._hosts.create(timeout=_ASKED, **wishes)

    def all(self) -> Sequence[Host]:
        return self._hosts.all()

    def get(self, name_or_id: str) -> Host:
        return self._hosts.get(name_or_id)

    def set(self, name_or_id: str, **changes: Any) -> Host:
        return self._hosts.change(name_or_id, **changes)

    def drain(self, name_or_id: str) -> Host:
        return self._hosts.post(self._hosts.of(name_or_id, "drain"))

    def delete(self, name_or_id: str) -> None:
        self._hosts.delete(name_or_id, timeout=_ASKED)

    def zones(self) -> Sequence[Zone]:
        return self._zones.all()

    def use(self, name_or_id: str) -> HostUse:
        host = self.get(name_or_id)
        return HostUse(
            claimed=Claimed(
                vcpus=host.claimed_vcpus,
                memory_mib=host.claimed_memory_mib,
                disk_gib=host.claimed_disk_gib,
            ),
            instances=host.instances,
            condition=Condition(
                state=host.circuit,
                since=None if host.silent_since is None else host.silent_since.timestamp(),
                reason=host.silent_reason,
                unanswered=host.unanswered_calls,
            ),
        )

    def await_empty(self, name_or_id: str, timeout: float | None) -> None:
        ends = None if timeout is None else time.monotonic() + timeout
        while number := self.get(name_or_id).instances:
            if ends is not None and time.monotonic() >= ends:
                raise DeadlinePassed(
                    f"{number} instances still live on host {name_or_id!r}",
                    hint="it takes no new ones; delete them, or wait longer",
                )
            self._connection.pause(_POLL)
