"""Instances and operations as users see them: plain values, the same for every way out."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from vmwright.persistence.records import Instance, Operation
from vmwright.persistence.stores import Stores
from vmwright.states import ENDED, PowerState


class Descriptions:
    """Puts together what lies in several tables."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def instance(self, connection: sa.Connection, instance: Instance) -> dict[str, Any]:
        stores, spec = self._stores, _request_of(instance)
        hosts = stores.registries.hosts
        host = hosts.get(connection, instance.host_id) if instance.host_id else None
        operations = stores.operations.of_instance(connection, instance.id)
        return {
            "id": instance.id,
            "name": instance.name,
            "vm_state": str(instance.vm_state),
            "task_state": None if instance.task_state is None else str(instance.task_state),
            "power_state": _power(instance),
            "host": host.name if host else None,
            "addresses": self._addresses(connection, instance),
            "volumes": self._volumes(connection, instance),
            "fault": instance.fault,
            "operation_id": operations[-1].id if operations else None,
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

    def operation(self, connection: sa.Connection, operation: Operation) -> dict[str, Any]:
        debts = self._stores.debts.of_operation(connection, operation.id)
        return {
            "id": operation.id,
            "kind": operation.kind,
            "state": str(operation.state),
            "instance_id": operation.instance_id,
            "attempt": operation.attempt,
            "attempts": self._attempts(connection, operation),
            "error": operation.error,
            "owes": [
                {
                    "id": debt.id,
                    "kind": debt.kind,
                    "key": debt.key,
                    "host": self._host_name(connection, debt.host_id),
                    "reason": debt.reason,
                    "not_before": moment(debt.not_before),
                    "error": debt.last_error,
                }
                for debt in debts
            ],
            "undo_tries": operation.undo_tries,
            "not_before": moment(operation.not_before or None),
            "cancel_reason": operation.cancel_reason,
            "ended": operation.state in ENDED,
            "created_at": moment(operation.created_at),
            "started_at": moment(operation.started_at),
            "finished_at": moment(operation.finished_at),
        }

    def _attempts(self, connection: sa.Connection, operation: Operation) -> list[dict[str, Any]]:
        return [
            {
                "number": attempt.number,
                "host": attempt.host_id and self._host_name(connection, attempt.host_id),
                "outcome": attempt.outcome,
                "fault": attempt.fault,
                "ended_at": moment(attempt.ended_at),
            }
            for attempt in self._stores.attempts.of_operation(connection, operation.id)
        ]

    def _host_name(self, connection: sa.Connection, host: str) -> str:
        known = self._stores.registries.hosts.get(connection, host)
        return known.name if known else host

    def _addresses(self, connection: sa.Connection, instance: Instance) -> list[dict[str, Any]]:
        nics = _request_of(instance).get("nics", [])
        names = {nic["network"]: nic["network_name"] for nic in nics}
        return [
            # A store that was mended by hand may bind what the request never named.
            {
                "network": names.get(port.network_id, port.network_id),
                "ip": port.ip,
                "mac": port.mac,
            }
            for port in self._stores.ports.of_instance(connection, instance.id)
        ]

    def _volumes(self, connection: sa.Connection, instance: Instance) -> list[dict[str, Any]]:
        return [
            {
                "id": volume.id,
                "name": volume.name,
                "size": volume.size_gib,
                "delete_on_termination": attachment.delete_on_termination,
            }
            for attachment, volume in self._stores.volumes.attached(connection, instance.id)
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
