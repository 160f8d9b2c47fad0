"""The command against a real store and simulated hosts."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.command_line import BUILD, IMPATIENT, CommandLine
from tests.support.through_service import in_both_ways

INSTANCE_KEYS = {
    "id",
    "name",
    "vm_state",
    "task_state",
    "power_state",
    "host",
    "addresses",
    "volumes",
    "fault",
    "operation_id",
}
OPERATION_KEYS = {"id", "kind", "state", "instance_id", "attempt", "error", "owes"}


@in_both_ways
def test_create_shows_the_instance_with_real_values(vmwright: CommandLine) -> None:
    called = vmwright("create", "web", *BUILD, "--volume", "size=2,name=data", "-f", "json")
    assert called.code == 0
    shown = called.data
    assert set(shown) >= INSTANCE_KEYS
    assert (shown["name"], shown["vm_state"], shown["task_state"]) == ("web", "active", None)
    assert (shown["power_state"], shown["host"], shown["fault"]) == ("running", "host1", None)
    assert shown["addresses"] == [
        {"network": "lan", "ip": "10.9.0.2", "mac": shown["addresses"][0]["mac"]}
    ]
    assert shown["volumes"][0]["name"] == "data"
    assert shown["volumes"][0]["size"] == 2
    assert shown["volumes"][0]["delete_on_termination"] is True
    assert len(shown.pop("admin_password")) == 12
    assert vmwright("show", "web", "-f", "json").data == shown
    assert vmwright("show", shown["id"], "-f", "json").data == shown
    assert yaml.safe_load(vmwright("show", "web", "-f", "yaml").out) == shown
    assert vmwright("list", "-f", "json").data == [shown]


def test_what_was_asked_for_and_is_only_shown_is_shown(vmwright: CommandLine) -> None:
    words = ("--access-ip-v4", "192.0.2.7", "--access-ip-v6", "2001:db8::7", "--shutdown-terminate")
    shown = vmwright("create", "web", *BUILD, *words, "-f", "json").data
    assert (shown["access_ip_v4"], shown["access_ip_v6"]) == ("192.0.2.7", "2001:db8::7")
    assert (shown["security_groups"], shown["key_name"]) == (["default"], None)
    assert (shown["config_drive"], shown["shutdown_terminate"]) == (True, True)
    assert (shown["project_id"], shown["user_id"]) == ("default", "admin")


def test_people_are_shown_text(vmwright: CommandLine) -> None:
    vmwright("create", "web", *BUILD, "--volume", "size=2,name=data")
    assert vmwright("show", "web", "-f", "value", "-c", "addresses").out == "lan=10.9.0.2\n"
    assert vmwright("show", "web", "-f", "value", "-c", "volumes").out == "data (2 GiB)\n"
    table = vmwright("list").out
    assert "lan=10.9.0.2" in table
    assert "volumes" not in table
    assert "volumes" in vmwright("list", "--long").out


@in_both_ways
def test_progress_is_a_line_for_each_event(vmwright: CommandLine) -> None:
    lines = vmwright("create", "web", *BUILD).err.splitlines()
    assert all(re.fullmatch(r"\+\d+\.\d\ds [a-z_]+ [a-z_]+", line) for line in lines)
    assert [line.split(" ", 1)[1] for line in lines if "spawn" in line] == [
        "spawn running",
        "instance spawning",
        "spawn done",
    ]
    assert lines[-1].endswith("operation done")
    assert vmwright("create", "quiet", *BUILD, "-q").err == ""


def test_operation_of_a_build_can_be_looked_at(vmwright: CommandLine) -> None:
    instance = vmwright("create", "web", *BUILD, "-f", "json").data
    operation = vmwright("operation", "show", instance["operation_id"], "-f", "json").data
    assert set(operation) >= OPERATION_KEYS
    assert (operation["kind"], operation["state"]) == ("create", "done")
    assert (operation["attempt"], operation["error"], operation["owes"]) == (1, None, [])
    assert operation["instance_id"] == instance["id"]
    assert vmwright("operation", "wait", operation["id"], "-f", "json").data == operation
    assert vmwright("operation", "list", "-f", "json").data == []
    assert vmwright("operation", "list", "--all", "-f", "json").data == [operation]
    for output in ("text", "dot", "mermaid", "svg", "json"):
        drawn = vmwright("graph", operation["id"], "--format", output)
        assert drawn.code == 0
        assert "spawn" in drawn.out


@in_both_ways
def test_delete_takes_several_and_shows_their_operations(vmwright: CommandLine) -> None:
    for name in ("one", "two"):
        vmwright("create", name, *BUILD)
    called = vmwright("delete", "one", "two", "one", "-f", "json")
    assert called.code == 0
    assert [operation["state"] for operation in called.data] == ["done", "done"]
    assert all(set(operation) >= OPERATION_KEYS for operation in called.data)
    assert vmwright("list", "-f", "json").data == []
    assert vmwright("audit", "-f", "json").data == []


def test_delete_of_several_begins_with_none_if_one_is_unknown(vmwright: CommandLine) -> None:
    vmwright("create", "one", *BUILD)
    before = vmwright.stored()
    assert vmwright("delete", "one", "unknown").code == 4
    assert vmwright.stored() == before


@in_both_ways
def test_failed_build_ends_with_1_and_says_why(vmwright: CommandLine) -> None:
    vmwright.configure(faults="ensure_running:1:before")
    called = vmwright("create", "web", *BUILD, "-q", "-f", "json")
    assert called.code == 1
    assert called.data["vm_state"] == "error"
    fault = called.data["fault"]
    assert (fault["task"], fault["host"]) == ("spawn", "host1")
    lines = called.err.splitlines()
    assert lines[0] == "vmwright: create of 'web' failed"
    assert "  task: spawn" in lines
    assert "  host: host1" in lines
    assert f"  reason: {fault['message']}" in lines
    assert any(line.startswith("  given back: ") and "addresses" in line for line in lines)
    assert vmwright("operation", "wait", called.data["operation_id"], "-q").code == 1
    assert vmwright("audit").code == 0


def test_what_a_silent_host_keeps_is_owed_and_paid_later(vmwright: CommandLine) -> None:
    vmwright.configure(IMPATIENT, faults="ensure_running:1:before,ensure_no_domain:1:down")
    called = vmwright("create", "web", *BUILD, "-q", "-f", "json")
    assert called.code == 3
    assert "  owed: domain" in called.err
    operation = vmwright("operation", "show", called.data["operation_id"], "-f", "json").data
    assert {debt["kind"] for debt in operation["owes"]} >= {"domain", "volume", "reservation"}

    audit = vmwright("audit", "-f", "json")
    assert audit.code == 3
    assert audit.data
    vmwright.configure()
    vmwright.bring_host_back()
    assert vmwright("resume", "-q").code == 0
    assert vmwright("audit", "-f", "json").data == []
    paid = vmwright("operation", "show", operation["id"], "-f", "json").data
    assert paid["owes"] == []


def test_resume_ends_with_3_while_something_is_owed(vmwright: CommandLine) -> None:
    vmwright.configure(IMPATIENT, faults="ensure_running:1:before,ensure_no_domain:1:down")
    vmwright("create", "web", *BUILD)
    called = vmwright("resume")
    assert called.code == 3
    assert "debts that remain" in called.err


def test_delete_on_a_silent_host_is_done_and_owes(vmwright: CommandLine) -> None:
    vmwright("create", "web", *BUILD)
    vmwright.configure(IMPATIENT, faults="ensure_no_domain:1:down")
    called = vmwright("delete", "web", "-q", "-f", "json")
    assert (called.code, called.data[0]["state"]) == (3, "done")
    assert called.data[0]["owes"]
    assert "something is still owed" in called.err
    assert vmwright("show", "web").code == 4


@in_both_ways
def test_stuck_build_ends_with_3_until_its_undo_is_tried_again(vmwright: CommandLine) -> None:
    vmwright.configure(faults="ensure_running:1:before,ensure_no_domain:1+:refuse")
    called = vmwright("create", "web", *BUILD, "-q", "-f", "json")
    assert called.code == 3
    operation = called.data["operation_id"]
    assert "vmwright: create of 'web' is stuck" in called.err
    assert f"  next: vmwright operation retry {operation}" in called.err
    assert vmwright("operation", "list", "-f", "json").data[0]["state"] == "stuck"
    assert vmwright("operation", "wait", operation, "-q").code == 3
    assert vmwright("operation", "resume", operation, "-q").code == 3
    resumed = vmwright("resume", "-q")
    assert resumed.code == 3
    assert "stuck or parked: 1" in resumed.err

    vmwright.configure()
    retried = vmwright("operation", "retry", operation, "-q", "-f", "json")
    assert (retried.code, retried.data["state"]) == (0, "undone")
    assert vmwright("audit").code == 0
    assert vmwright("operation", "retry", operation).code == 5


def test_stored_build_is_run_by_whoever_resumes(vmwright: CommandLine) -> None:
    stored = vmwright("create", "web", *BUILD, "--no-wait", "-f", "json")
    assert stored.code == 0
    assert set(stored.data) >= OPERATION_KEYS
    assert stored.data["state"] == "queued"
    assert "vmwright resume" in stored.err
    assert vmwright("show", "web", "-f", "json").data["vm_state"] == "building"

    resumed = vmwright("resume", "-f", "json")
    assert resumed.code == 0
    assert [(one["id"], one["state"]) for one in resumed.data] == [(stored.data["id"], "done")]
    assert vmwright("show", "web", "-f", "json").data["vm_state"] == "active"
    assert vmwright("resume", "-f", "json").data == []


@in_both_ways
def test_timed_out_build_is_kept_and_can_be_gone_on_with(vmwright: CommandLine) -> None:
    vmwright.configure(latency="ensure_running:60")
    called = vmwright("create", "web", *BUILD, "--timeout", "0.5", "-q", "-f", "json")
    assert called.code == 6
    assert called.data["vm_state"] == "building"
    operation = called.data["operation_id"]
    assert called.err.count("\n") == 1
    assert f"operation {operation} has not ended within 0.5 seconds" in called.err
    assert vmwright("operation", "resume", operation, "--timeout", "0.5", "-q").code == 6
    assert vmwright("resume", "--timeout", "0.5", "-q").code == 6

    vmwright.configure()
    resumed = vmwright("operation", "resume", operation, "-q", "-f", "json")
    assert (resumed.code, resumed.data["state"]) == (0, "done")


def test_name_that_two_instances_have_is_refused(vmwright: CommandLine) -> None:
    ids = [vmwright("create", "web", *BUILD, "-f", "json").data["id"] for _ in range(2)]
    called = vmwright("delete", "web")
    assert called.code == 5
    assert vmwright("delete", *ids).code == 0


@in_both_ways
def test_cancel_takes_a_build_back(vmwright: CommandLine) -> None:
    vmwright.configure(latency="ensure_running:60")
    build = vmwright("create", "web", *BUILD, "--timeout", "0.5", "-q", "-f", "json").data
    vmwright.configure()
    words = ("operation", "cancel", build["operation_id"])
    called = vmwright(*words, "--reason", "not wanted", "-q", "-f", "json")
    assert (called.code, called.data["state"]) == (0, "cancelled")
    assert called.data["cancel_reason"] == "not wanted"
    shown = vmwright("show", "web", "-f", "json").data
    assert shown["vm_state"] == "error"
    assert "not wanted" in shown["fault"]["message"]
    assert vmwright("audit").code == 0
    assert vmwright(*words).code == 5


@in_both_ways
def test_console_is_read_until_a_text(vmwright: CommandLine) -> None:
    vmwright("create", "web", *BUILD)
    called = vmwright("console", "web", "--until", "GUEST-READY")
    assert called.code == 0
    assert called.out.splitlines()[-1] == "GUEST-READY"
    ended = vmwright("console", "web", "--timeout", "0.2")
    assert (ended.code, ended.err) == (0, "")
    assert called.out.startswith(ended.out)
    assert vmwright("console", "web", "--until", "never", "--timeout", "0.2").code == 6


def test_user_data_key_and_properties_reach_the_build(
    vmwright: CommandLine, tmp_path: Path
) -> None:
    data, key = tmp_path / "data", tmp_path / "key"
    data.write_bytes(b"#cloud-config\n")
    key.write_text("ssh-ed25519 AAAA me\n")
    plain = vmwright("create", "plain", *BUILD, "-f", "json")
    words = ("--user-data", str(data), "--key-file", str(key), "--property", "role=web server")
    called = vmwright("create", "web", *BUILD, *words, "-f", "json")
    assert (plain.code, called.code) == (0, 0)
    assert called.data["metadata"] == {"role": "web server"}
    without = vmwright("create", "bare", *BUILD, "--no-config-drive", "-f", "json")
    assert without.code == 0
    written = {
        name: vmwright("console", name, "--until", "GUEST-READY").out
        for name in ("plain", "web", "bare")
    }
    assert "GUEST-CONFIG" in written["web"]
    assert "GUEST-CONFIG" not in written["bare"]


def test_volume_that_exists_outlives_its_instance(vmwright: CommandLine) -> None:
    volume = vmwright("volume", "create", "data", "--size", "1", "-f", "json").data
    vmwright("create", "web", *BUILD, "--volume", "volume=data")
    assert vmwright("volume", "delete", "data").code == 5
    vmwright("delete", "web")
    assert vmwright("volume", "show", "data", "-f", "json").data["id"] == volume["id"]
    assert vmwright("volume", "delete", "data").code == 0
    assert vmwright("volume", "list", "-f", "json").data == []


def test_snapshot_is_kept_of_a_volume_and_begins_another(vmwright: CommandLine) -> None:
    volume = vmwright("volume", "create", "root", "--image", "disk", "-f", "json").data
    assert (volume["bootable"], volume["size_gib"], volume["host_id"]) == (True, 1, None)
    unused = vmwright("volume", "snapshot", "create", "saved", "--volume", "root")
    assert (unused.code, unused.out) == (5, "")
    assert "nothing is in it yet" in unused.err
    vmwright("create", "web", *BUILD, "--volume", "volume=root")
    assert vmwright("volume", "snapshot", "create", "saved", "--volume", "root").code == 5
    vmwright("delete", "web")
    made = vmwright("volume", "snapshot", "create", "saved", "--volume", "root", "-f", "json").data
    assert (made["volume_id"], made["bootable"]) == (volume["id"], True)
    assert vmwright("volume", "snapshot", "show", "saved", "-f", "json").data == made
    assert vmwright("volume", "snapshot", "list", "-f", "json").data == [made]
    again = vmwright("volume", "create", "again", "--snapshot", "saved", "-f", "json").data
    assert (again["snapshot_id"], again["host_id"]) == (made["id"], made["host_id"])
    assert vmwright("volume", "snapshot", "delete", "saved").code == 5
    assert vmwright("volume", "delete", "again", "root").code == 0
    assert vmwright("volume", "snapshot", "delete", "saved").code == 0
    assert vmwright("volume", "snapshot", "show", "saved").code == 4
    assert vmwright("audit", "-f", "json").data == []


@pytest.mark.parametrize(
    ("noun", "name", "values"),
    [
        ("image", "disk", {"disk_format": "raw", "virtual_size_bytes": 1 << 20}),
        ("flavor", "small", {"vcpus": 1, "ram_mib": 64, "disk_gib": 1, "extra_specs": {}}),
        ("network", "lan", {"cidr": "10.9.0.0/24", "gateway": "10.9.0.1"}),
        ("host", "host1", {"connection_uri": "simulated:///host1", "enabled": True}),
    ],
)
def test_registered_things_are_shown_and_deleted(
    vmwright: CommandLine, noun: str, name: str, values: dict[str, Any]
) -> None:
    shown = vmwright(noun, "show", name, "-f", "json").data
    assert shown["name"] == name
    assert values.items() <= shown.items()
    (listed,) = vmwright(noun, "list", "-f", "json").data
    assert listed.items() <= shown.items()
    assert '"name"' in vmwright(noun, "list", "-f", "csv").out.splitlines()[0]
    deleted = vmwright(noun, "delete", name)
    assert (deleted.code, deleted.out, deleted.err) == (0, "", "")
    assert vmwright(noun, "show", shown["id"]).code == 4


def test_disabled_host_takes_no_new_instances(vmwright: CommandLine) -> None:
    off = vmwright("host", "set", "host1", "--disable", "--reason", "new disks", "-f", "json")
    assert (off.data["enabled"], off.data["disabled_reason"]) == (False, "new disks")
    failed = vmwright("create", "web", *BUILD, "-q")
    assert failed.code == 1
    assert "new disks" in failed.err
    on = vmwright("host", "set", "host1", "--enable", "-f", "json")
    assert (on.data["enabled"], on.data["disabled_reason"]) == (True, None)
    assert vmwright("create", "web", *BUILD).code == 0


def test_schema_is_made_checked_and_named(tmp_path: Path) -> None:
    command = CommandLine(tmp_path)
    command.configure()
    assert command("db", "check").code == 7
    version = command("db", "version", "-f", "json").data
    assert version["current"] is None
    assert command("db", "upgrade").code == 0
    assert command("db", "check").code == 0
    assert command("db", "version", "-f", "json").data == {
        "current": version["newest"],
        "newest": version["newest"],
        "oldest": "0002",
    }


@in_both_ways
def test_no_secret_is_told(vmwright: CommandLine, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_bytes(b"#cloud-config\npassword: hunter2\n")
    vmwright.configure(faults="ensure_domain:1:before")
    called = vmwright("create", "web", *BUILD, "--user-data", str(data), "-vv", "--debug")
    assert called.code == 1
    for shown in (called, vmwright("show", "web", "-f", "json"), vmwright("operation", "list")):
        assert "hunter2" not in shown.out + shown.err
