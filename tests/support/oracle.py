"""What a world and a store must look like, read from files and rows by an outsider."""

import json
from typing import Any

from tests.support.lab import Lab


def assert_nothing_left(lab: Lab, *, vm_state: str = "error") -> None:
    """Everything was given back, outside and in the store."""
    assert lab.world() == {}
    assert_nothing_held(lab)
    assert lab.rows("SELECT name FROM vmwright_volumes WHERE deleted_at IS NULL") == [
        {"name": "kept"}
    ]
    kept = lab.rows("SELECT location, host_id FROM vmwright_volumes WHERE name = 'kept'")
    assert kept == [{"location": None, "host_id": None}]
    (instance,) = instances(lab)
    assert (instance["vm_state"], instance["task_state"]) == (vm_state, None)
    assert instance["operation_id"] is None
    assert_ended(lab)


def assert_only_the_users_volume_is_left(lab: Lab) -> None:
    """The instance was deleted; what was there before it stays where it was put."""
    (volume,) = lab.rows("SELECT * FROM vmwright_volumes WHERE deleted_at IS NULL")
    assert volume["name"] == "kept"
    assert [found["name"] for found in lab.things("volumes")] == [volume["location"]]
    assert len(lab.world()) == 1
    assert_nothing_held(lab)
    (instance,) = instances(lab)
    assert (instance["vm_state"], instance["task_state"]) == ("deleted", None)
    assert_ended(lab)


def assert_nothing_held(lab: Lab) -> None:
    """No instance has anything; the user's port stays, with its address, for the next one."""
    for table in ("claims", "attachments", "debts"):
        assert lab.rows(f"SELECT * FROM vmwright_{table}") == [], table
    ports = lab.rows("SELECT name, ip, instance_id, operation_id FROM vmwright_ports")
    assert ports == [{"name": "mine", "ip": "10.1.0.77", "instance_id": None, "operation_id": None}]


LOCAL_DISKS = ["config", "ephemeral0", "root", "swap"]


def assert_one_guest(lab: Lab) -> None:
    """Exactly one complete guest, and rows that say the same."""
    (instance,) = instances(lab)
    assert (instance["vm_state"], instance["task_state"]) == ("active", None)
    assert instance["operation_id"] is None
    (domain,) = lab.things("domains")
    assert domain["uuid"] == instance["id"]
    assert domain["state"] == "running"
    assert roles(lab) == sorted([*LOCAL_DISKS, "data", "data", "data"])
    # In the order in which the guest has them: what it boots from first, its seed last.
    serials = [disk["serial"] for disk in domain["disks"]]
    assert serials[:3] == ["root", "ephemeral0", "swap"]
    assert serials[3:6] == [row["volume_id"][:20] for row in attachments(lab)]
    assert serials[6:] == ["config-2"]
    assert_interfaces(lab, instance, domain)
    assert len(lab.rows("SELECT * FROM vmwright_claims")) == 1
    assert lab.rows("SELECT * FROM vmwright_debts") == []
    assert_ended(lab)
    assert_states_in_order(lab, instance["id"])


def assert_interfaces(lab: Lab, instance: dict[str, Any], domain: dict[str, Any]) -> None:
    """The guest has the ports that were asked for, in their order; nobody has others."""
    held = "SELECT id, mac, ip FROM vmwright_ports WHERE instance_id = ? ORDER BY position"
    ports = lab.rows(held, instance["id"])
    asked = told(instance["request"])["nics"]
    assert [port["id"] for port in ports] == [nic["port"] for nic in asked]
    assert all(nic["ip"] in (None, port["ip"]) for nic, port in zip(asked, ports, strict=True))
    assert [nic["mac"] for nic in domain["nics"]] == [port["mac"] for port in ports]
    reserved = {(found["mac"], found["ip"]) for found in lab.things("reservations")}
    assert reserved == {(port["mac"], port["ip"]) for port in ports}
    others = lab.rows("SELECT name FROM vmwright_ports WHERE instance_id IS NULL")
    assert others in ([], [{"name": "mine"}])


def assert_ended(lab: Lab) -> None:
    """No operation is under way, and none ended without having done or undone all."""
    for operation in lab.rows("SELECT * FROM vmwright_operations"):
        assert operation["state"] in ("done", "undone", "cancelled"), operation
        assert operation["finished_at"] is not None
        assert_flow_is_true(lab, operation)


def assert_flow_is_true(lab: Lab, operation: dict[str, Any]) -> None:
    """TaskFlow's word on the run: SUCCESS of everything, or everything taken back."""
    detail = operation["flow_detail_id"]
    (flow,) = lab.rows("SELECT state FROM flowdetails WHERE uuid = ?", detail)
    atoms = {
        row["state"]
        for row in lab.rows("SELECT state FROM atomdetails WHERE parent_uuid = ?", detail)
    }
    if operation["state"] == "done":
        assert (flow["state"], atoms) == ("SUCCESS", {"SUCCESS"})
    else:
        assert flow["state"] == "REVERTED"
        assert atoms <= {"REVERTED", "PENDING", "IGNORE"}


def assert_states_in_order(lab: Lab, instance: str) -> None:
    """The events of a successful build hold exactly these task states, attempt by attempt."""
    told = lab.rows(
        "SELECT attempt, state FROM vmwright_events WHERE instance_id = ? AND kind = 'instance'"
        " ORDER BY seq",
        instance,
    )
    states = [(row["attempt"], row["state"]) for row in told]
    last = max(row["number"] for row in lab.rows("SELECT number FROM vmwright_attempts"))
    assert states[:2] == [(1, "scheduling"), (1, "networking")]
    assert states[-3:] == [
        (last, "block_device_mapping"),
        (last, "spawning"),
        (last, "none"),
    ]
    # Earlier attempts may have failed before they came so far.
    order = ["block_device_mapping", "spawning"]
    earlier = states[2:-3]
    assert [attempt for attempt, _ in earlier] == sorted(attempt for attempt, _ in earlier)
    for number in range(1, last):
        of_attempt = [state for attempt, state in earlier if attempt == number]
        assert of_attempt == order[: len(of_attempt)]
    assert {attempt for attempt, _ in earlier} <= set(range(1, last))


def instances(lab: Lab) -> list[dict[str, Any]]:
    return lab.rows("SELECT * FROM vmwright_instances")


def fault(lab: Lab) -> dict[str, Any]:
    (instance,) = instances(lab)
    return told(instance["fault"])


def told(stored: Any) -> dict[str, Any]:
    """What lies in a column of JSON."""
    assert stored is not None
    known: dict[str, Any] = stored if isinstance(stored, dict) else json.loads(stored)
    return known


def roles(lab: Lab) -> list[str]:
    """What each volume in the world is for."""
    found = [volume["name"].split(".")[5] for volume in lab.things("volumes")]
    return sorted(role if role in LOCAL_DISKS else "data" for role in found)


def attachments(lab: Lab) -> list[dict[str, Any]]:
    return lab.rows("SELECT * FROM vmwright_attachments ORDER BY position")
