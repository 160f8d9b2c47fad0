"""Instances and operations as users see them: plain values, the same for every way out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from vmwright.ids import HostId, OperationId
from vmwright.persistence.lists import Attached
from vmwright.persistence.records import (
    Attempt,
    Debt,
    Event,
    HostRecord,
    Instance,
    Operation,
    Port,
)
from vmwright.persistence.stores import Stores
from vmwright.progress import Progress
from vmwright.states import ENDED, HELD, Direction, PowerState


class Descriptions:
    """Puts together what lies in several tables."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def instance(self, connection: sa.Connection, instance: Instance) -> dict[str, Any]:
        (described,) = self.instances(connection, [instance])
        return described

    def instances(
        self, connection: sa.Connection, instances: Sequence[Instance]
    ) -> list[dict[str, Any]]:
        """Each of a page, in as many statements as for one."""
        lists, ids = self._stores.lists, [one.id for one in instances]
        hosts = lists.hosts(connection, {one.host_id for one in instances if one.host_id})
        latest = lists.latest_of(connection, ids)
        ports = lists.ports_of(connection, ids)
        volumes = lists.volumes_of(connection, ids)
        return [
            _instance(
                one,
                hosts.get(one.host_id) if one.host_id else None,
                latest.get(one.id),
                ports[one.id],
                volumes[one.id],
            )
            for one in instances
        ]

    def operation(self, connection: sa.Connection, operation: Operation) -> dict[str, Any]:
        (described,) = self.operations(connection, [operation])
        return described

    def operations(
        self, connection: sa.Connection, operations: Sequence[Operation]
    ) -> list[dict[str, Any]]:
        """Each of a page, in as many statements as for one."""
        lists, ids = self._stores.lists, [one.id for one in operations]
        attempts, debts = lists.attempts_of(connection, ids), lists.debts_of(connection, ids)
        named = {try_.host_id for tries in attempts.values() for try_ in tries if try_.host_id}
        named |= {debt.host_id for owed in debts.values() for debt in owed}
        hosts = {host.id: host.name for host in lists.hosts(connection, named).values()}
        names = lists.names_of(connection, {one.instance_id for one in operations})
        begun = [one.id for one in operations if one.state in HELD]
        told = lists.latest_of_tasks(connection, begun)
        return [
            _operation(one, attempts[one.id], debts[one.id], hosts)
            | {
                "instance_name": names.get(one.instance_id),
                "under_way": under_way(told.get(one.id, ())),
            }
            for one in operations
        ]


def under_way(told: Iterable[Event]) -> list[dict[str, Any]]:
    """The tasks that run or are being undone, from the last that was said of each, in order."""
    tasks: dict[str, dict[str, Any]] = {}
    for event in told:
        task = event.task or ""
        if event.kind == "progress":
            if task in tasks:
                progress = Progress.from_store(event.detail or {})
                tasks[task]["progress"] = progress.to_users()
            continue
        tasks.pop(task, None)
        undoes = event.direction == Direction.REVERT
        # An undo that failed is tried again: its task stays where it is.
        if event.state in _BEGUN or (undoes and event.state == "FAILURE"):
            tasks[task] = {
                "task": task,
                "direction": str(Direction.REVERT if undoes else Direction.EXECUTE),
                "since": moment(event.at),
                "progress": None,
            }
    return [*tasks.values()]


_BEGUN = ("RUNNING", "REVERTING")
"""What events call a task that its host has in hand."""


def _instance(
    instance: Instance,
    host: HostRecord | None,
    operation: OperationId | None,
    ports: Sequence[Port],
    volumes: Sequence[Attached],
) -> dict[str, Any]:
    spec = _request_of(instance)
    return {
        "id": instance.id,
        "name": instance.name,
        "vm_state": str(instance.vm_state),
        "task_state": None if instance.task_state is None else str(instance.task_state),
        "power_state": _power(instance),
        "host": host.name if host else None,
        "addresses": _addresses(spec, ports),
        "volumes": _volumes(volumes),
        "fault": instance.fault,
        "operation_id": operation,
        "image": (spec.get("image") or {}).get("name"),
        "flavor": {
            "vcpus": spec.get("vcpus"),
            "ram": spec.get("ram_mib"),
            "disk": spec.get("root_gib"),
        },
        "hostname": spec.get("hostname", instance.hostname),
        "metadata": spec.get("metadata"),
        "tags": spec.get("tags", []),
        **_as_asked(spec),
        "availability_zone": host.zone if host else spec.get("placement", {}).get("zone"),
        "project_id": instance.project_id,
        "user_id": instance.user_id,
        "reservation_id": instance.reservation_id,
        "created_at": moment(instance.created_at),
        "launched_at": moment(instance.launched_at),
        "deleted_at": moment(instance.deleted_at),
    }


def _operation(
    operation: Operation,
    attempts: Sequence[Attempt],
    debts: Sequence[Debt],
    hosts: Mapping[HostId, str],
) -> dict[str, Any]:
    tries = [_attempt(one, hosts) for one in attempts]
    return {
        "id": operation.id,
        "kind": operation.kind,
        "flow": operation.flow_name,
        "flow_version": operation.flow_version,
        "state": str(operation.state),
        "instance_id": operation.instance_id,
        "host": tries[-1]["host"] if tries else None,
        "attempt": operation.attempt,
        "attempts": tries,
        "error": operation.error,
        "owes": [_debt(one, hosts) for one in debts],
        "undo_tries": operation.undo_tries,
        "not_before": moment(operation.not_before or None),
        "cancel_reason": operation.cancel_reason,
        "ended": operation.state in ENDED,
        "project_id": operation.project_id,
        "user_id": operation.user_id,
        "created_at": moment(operation.created_at),
        "started_at": moment(operation.started_at),
        "finished_at": moment(operation.finished_at),
    }


def _attempt(attempt: Attempt, hosts: Mapping[HostId, str]) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "host": attempt.host_id and hosts.get(attempt.host_id, attempt.host_id),
        "outcome": attempt.outcome,
        "fault": attempt.fault,
        "ended_at": moment(attempt.ended_at),
    }


def _debt(debt: Debt, hosts: Mapping[HostId, str]) -> dict[str, Any]:
    return {
        "id": debt.id,
        "kind": debt.kind,
        "key": debt.key,
        "host": hosts.get(debt.host_id, debt.host_id),
        "reason": debt.reason,
        "not_before": moment(debt.not_before),
        "error": debt.last_error,
    }


def _addresses(spec: dict[str, Any], ports: Sequence[Port]) -> list[dict[str, Any]]:
    names = {nic["network"]: nic["network_name"] for nic in spec.get("nics", [])}
    return [
        # A store that was mended by hand may bind what the request never named.
        {"network": names.get(port.network_id, port.network_id), "ip": port.ip, "mac": port.mac}
        for port in ports
    ]


def _volumes(volumes: Sequence[Attached]) -> list[dict[str, Any]]:
    return [
        {
            "id": volume.id,
            "name": volume.name,
            "size": volume.size_gib,
            "delete_on_termination": attachment.delete_on_termination,
        }
        for attachment, volume in volumes
    ]


def _request_of(instance: Instance) -> dict[str, Any]:
    """What was asked for; nothing where the row is damaged, so that the others are shown."""
    return instance.request if isinstance(instance.request, dict) else {}


def _power(instance: Instance) -> str | None:
    power = instance.power_state
    return power.name.lower() if isinstance(power, PowerState) else None


def moment(seconds: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC."""
    # A damaged row may hold anything: the rest of it is shown.
    if not isinstance(seconds, int | float):
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _as_asked(spec: dict[str, Any]) -> dict[str, Any]:
    """What is shown as it was asked for. A spec of the first version lacks most of it."""
    names = ("description", "access_ip_v4", "access_ip_v6", "key_name")
    return {name: spec.get(name) for name in names} | {
        "security_groups": [group["name"] for group in spec.get("security_groups", [])],
        "config_drive": spec.get("config_drive"),
        "shutdown_terminate": spec.get("shutdown_terminate", False),
    }
