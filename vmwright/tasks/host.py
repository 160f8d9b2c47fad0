"""Tasks that find a host and hold its room for a guest."""

import math
from typing import Any

import sqlalchemy as sa

from vmwright.errors import NoValidHost
from vmwright.ids import HostId
from vmwright.persistence.claims import Demand
from vmwright.persistence.records import HostRecord
from vmwright.spec import Spec
from vmwright.states import AttemptOutcome
from vmwright.tasks.instance import host_value
from vmwright.tasks.task import RemovingTask, Run, StoreTask

_MIB_PER_GIB = 1024


class ClaimHost(StoreTask):
    """Hold room on a host for the guest: the emptiest one that fits and was not tried yet."""

    task_name = "claim_host"
    gives_back = "room on the host"
    default_provides = "host"

    def execute(self, run: Run, spec: Spec) -> dict[str, Any]:
        stores = self._means.stores
        held = stores.claims.held(run.connection, run.instance, run.operation)
        if held is not None:
            return host_value(stores.registries.hosts.find(run.connection, held))
        reasons, tried = [], self._tried(run)
        for host in self._emptiest_first(run.connection):
            reason = tried.get(host.id) or self._why_not(run, spec, host)
            if reason is None:
                return host_value(host)
            reasons.append(f"{host.name}: {reason}")
        raise NoValidHost(
            "no host can take the guest: " + ("; ".join(reasons) or "none is registered"),
            hint="see: vmwright host list",
        )

    def revert(self, run: Run, **_: Any) -> None:
        stores = self._means.stores
        stores.claims.release(run.connection, run.instance, run.whose.operation)
        stores.instances.place(run.connection, run.instance, None)

    def _tried(self, run: Run) -> dict[HostId, str]:
        """The hosts on which this operation came to nothing, and why."""
        attempts = self._means.stores.attempts.of_operation(run.connection, run.operation)
        return {
            attempt.host_id: f"tried already: {(attempt.fault or {}).get('message')}"
            for attempt in attempts
            if attempt.host_id is not None and attempt.outcome == AttemptOutcome.FAILED
        }

    def _emptiest_first(self, connection: sa.Connection) -> list[HostRecord]:
        stores = self._means.stores
        hosts = stores.registries.hosts.all(connection)
        free = {
            host.id: host.memory_mib * host.memory_ratio
            - stores.claims.used(connection, host.id).memory_mib
            for host in hosts
        }
        return sorted(hosts, key=lambda host: -free[host.id])

    def _why_not(self, run: Run, spec: Spec, host: HostRecord) -> str | None:
        """None once the host is claimed, else why it is not."""
        stores, demand = self._means.stores, demand_of(spec)
        if not host.enabled:
            return f"disabled ({host.disabled_reason or 'no reason given'})"
        # Guests and addresses that it still has are in nobody's books any more.
        uncleaned = stores.debts.left_while_away(run.connection, host.id)
        if uncleaned:
            return f"was away and still has to be cleaned of {uncleaned} things"
        for nic in spec.nics:
            hosts = stores.registries.networks.hosts_of(run.connection, nic.network)
            if hosts and host.id not in hosts:
                return f"network {nic.network_name!r} is not there"
        for volume in spec.volumes:
            record = stores.volumes.get(run.connection, volume.volume)
            lies = record and record.host_id
            if not {lies, volume.snapshot and volume.snapshot.host} <= {None, host.id}:
                how = "is" if lies else "begins as a snapshot"
                return f"volume {volume.name!r} {how} on another host"
        claimed = stores.claims.claim(
            run.connection,
            host.id,
            demand,
            instance=run.instance,
            operation=run.operation,
            attempt=run.mark.attempt,
        )
        if not claimed:
            return self._shortage(run.connection, host, demand)
        stores.instances.place(run.connection, run.instance, host.id)
        stores.attempts.place(run.connection, run.operation, run.mark.attempt, host.id)
        return None

    def _shortage(self, connection: sa.Connection, host: HostRecord, demand: Demand) -> str:
        used = self._means.stores.claims.used(connection, host.id)
        room = {
            "vCPUs": (demand.vcpus, host.vcpus * host.vcpu_ratio - used.vcpus),
            "MiB memory": (
                demand.memory_mib,
                host.memory_mib * host.memory_ratio - used.memory_mib,
            ),
            "GiB disk": (demand.disk_gib, host.disk_gib * host.disk_ratio - used.disk_gib),
        }
        short = [
            f"{wanted} {what} wanted, {free:g} free"
            for what, (wanted, free) in room.items()
            if wanted > free
        ]
        return ", ".join(short) or "taken by another build meanwhile"


class ReleaseHost(StoreTask, RemovingTask):
    """Give the instance's room on its host back."""

    task_name = "release_host"

    def execute(self, run: Run) -> None:
        self._means.stores.claims.release(run.connection, run.instance, None)


def demand_of(spec: Spec) -> Demand:
    """What the guest needs of a host."""
    disk = spec.root_gib if spec.image is not None else 0
    disk += sum(volume.size_gib for volume in spec.volumes)
    disk += sum(math.ceil(local.size_mib / _MIB_PER_GIB) for local in spec.disks)
    return Demand(vcpus=spec.vcpus, memory_mib=spec.ram_mib, disk_gib=disk)
