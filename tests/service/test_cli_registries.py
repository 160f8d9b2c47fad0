"""What is registered by command: keys, groups, quotas, flavors, images, hosts and zones."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import BUILD, CommandLine
from tests.support.ssh_keys import ED25519, FINGERPRINTS
from tests.support.through_service import in_both_ways


@pytest.fixture
def command(vmwright: CommandLine) -> CommandLine:
    return vmwright


def data(command: CommandLine, *words: str) -> Any:
    called = command(*words, "-f", "json")
    assert called.code == 0, called.err
    return called.data


def listed(command: CommandLine, *words: str) -> list[str]:
    return [thing["name"] for thing in data(command, *words, "list")]


def test_key_pair_is_taken_from_a_file(command: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "id.pub"
    file.write_text(f"{ED25519}\n")
    made = data(command, "keypair", "create", "laptop", "--public-key", str(file))
    assert (made["fingerprint"], made["public_key"]) == (FINGERPRINTS[ED25519], ED25519)
    assert data(command, "keypair", "show", made["id"]) == made
    assert FINGERPRINTS[ED25519] in command("keypair", "list").out
    assert command("keypair", "delete", "laptop").code == 0
    assert listed(command, "keypair") == []


@in_both_ways
def test_security_group_is_made_of_rules(command: CommandLine) -> None:
    assert listed(command, "security", "group") == ["default"]
    made = data(command, "security", "group", "create", "web", "--description", "for web servers")
    create = ("security", "group", "rule", "create", "web")
    web = data(command, *create, "--protocol", "tcp", "--dst-port", "80:90")
    ping = data(command, *create, "--protocol", "icmp", "--icmp-type", "8", "--icmp-code", "0")
    peer = data(command, *create, "--egress", "--ethertype", "IPv6", "--remote-group", "default")
    near = data(
        command, *create, "--protocol", "tcp", "--dst-port", "22", "--remote-ip", "10.1.1.1"
    )
    assert (web["direction"], web["port_range_min"], web["port_range_max"]) == ("ingress", 80, 90)
    assert (ping["port_range_min"], ping["port_range_max"]) == (8, 0)
    assert (peer["direction"], peer["ethertype"]) == ("egress", "IPv6")
    assert (near["port_range_max"], near["remote_ip_prefix"]) == (22, "10.1.1.1/32")
    shown = data(command, "security", "group", "show", "web")
    assert (shown["id"], len(shown["rules"])) == (made["id"], 6)
    assert len(data(command, "security", "group", "rule", "list", "web")) == 6
    assert len(data(command, "security", "group", "rule", "list")) == 10
    assert command("security", "group", "rule", "delete", web["id"], ping["id"]).code == 0
    assert len(data(command, "security", "group", "rule", "list", "web")) == 4
    assert command("security", "group", "delete", "web").code == 0
    assert listed(command, "security", "group") == ["default"]


def test_server_group_has_a_policy(command: CommandLine) -> None:
    rule = ("--rule", "max_server_per_host=2")
    made = data(command, "server", "group", "create", "apart", "--policy", "anti-affinity", *rule)
    assert (made["policy"], made["max_server_per_host"]) == ("anti-affinity", 2)
    assert made["members"] == []
    assert data(command, "server", "group", "show", "apart") == made
    assert listed(command, "server", "group") == ["apart"]
    assert command("server", "group", "delete", "apart").code == 0
    assert listed(command, "server", "group") == []


def quotas(called: list[dict[str, Any]]) -> dict[str, tuple[int, int | None]]:
    return {quota["resource"]: (quota["limit"], quota["in_use"]) for quota in called}


def test_quota_is_set_and_unset_and_shown_with_its_use(command: CommandLine) -> None:
    assert command("create", "web", *BUILD).code == 0
    shown = quotas(data(command, "quota", "show"))
    assert (shown["instances"], shown["cores"], shown["ram"]) == ((-1, 1), (-1, 1), (-1, 64))
    assert (shown["fixed_ips"], shown["injected_files"]) == ((-1, 1), (5, None))
    limits = ("--instances", "3", "--injected-files", "-1")
    changed = quotas(data(command, "quota", "set", "default", *limits))
    assert (changed["instances"], changed["injected_files"]) == ((3, 1), (-1, None))
    assert quotas(data(command, "quota", "show", "other"))["instances"] == (-1, 0)
    kept = quotas(
        data(command, "quota", "set", "default", "--unset", "injected_files", "--cores", "9")
    )
    assert (kept["instances"], kept["cores"], kept["injected_files"]) == ((3, 1), (9, 1), (5, None))


def test_configured_quota_is_what_is_shown(tmp_path: Path) -> None:
    command = CommandLine(tmp_path)
    command.configure("[quota]\ncores = 7\nserver_groups = 1")
    shown = quotas(data(command, "quota", "show"))
    assert (shown["cores"], shown["instances"]) == ((7, 0), (-1, 0))
    assert command("server", "group", "create", "one").code == 0
    assert command("server", "group", "create", "two").code == 2


def test_flavor_has_more_disks_and_properties(command: CommandLine) -> None:
    sizes = ("--vcpus", "1", "--ram", "64", "--disk", "1", "--ephemeral", "2", "--swap", "16")
    made = data(
        command, "flavor", "create", "big", *sizes, "--property", "a=1", "--property", "b=2"
    )
    assert (made["ephemeral_gib"], made["swap_mib"], made["enabled"]) == (2, 16, True)
    changed = data(command, "flavor", "set", "big", "--property", "b=3=4", "--disable")
    assert (changed["extra_specs"], changed["enabled"]) == ({"a": "1", "b": "3=4"}, False)
    changed = data(command, "flavor", "unset", "big", "--property", "a")
    assert (changed["extra_specs"], changed["enabled"]) == ({"b": "3=4"}, False)
    assert data(command, "flavor", "set", "big", "--enable")["enabled"]


@in_both_ways
def test_image_has_properties(command: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "other.raw"
    file.write_bytes(bytes(1 << 20))
    made = data(
        command,
        *("image", "create", "other", "--file", str(file), "--disk-format", "raw"),
        *("--property", "hw_disk_bus=scsi", "--property", "os=mine"),
    )
    assert made["properties"] == {"hw_disk_bus": "scsi", "os": "mine"}
    changed = data(command, "image", "set", "other", "--property", "hw_disk_bus=sata")
    assert changed["properties"] == {"hw_disk_bus": "sata", "os": "mine"}
    changed = data(command, "image", "unset", "other", "--property", "os")
    assert changed["properties"] == {"hw_disk_bus": "sata"}


def test_token_is_told_once_and_deleted(command: CommandLine) -> None:
    words = ("--project", "web", "--user", "ci", "--role", "member", "--expires-in", "3600")
    made = data(command, "token", "create", "pipeline", *words)
    assert len(made.pop("token")) > 40
    assert (made["project_id"], made["user_id"], made["roles"]) == ("web", "ci", ["member"])
    assert made["expires_at"] > made["created_at"]
    assert data(command, "token", "list") == [made]
    assert command("token", "create", "pipeline").code == 5
    assert command("token", "create", "own", "--expires-in", "0").code == 2
    assert command("token", "delete", "pipeline").code == 0
    assert listed(command, "token") == []


def test_host_is_described_and_changed(command: CommandLine) -> None:
    made = data(
        command,
        *("host", "create", "two", "--uri", "simulated:///two", "--zone", "west"),
        *("--vcpus", "8", "--vcpu-ratio", "2.5", "--trait", "CUSTOM_SSD", "--address", "10.0.0.1"),
    )
    assert (made["zone"], made["vcpus"], made["vcpu_ratio"]) == ("west", 8, 2.5)
    assert (made["traits"], made["address"]) == (["CUSTOM_SSD"], "10.0.0.1")
    assert (made["hypervisor_type"], made["architecture"]) == ("simulated", "x86_64")
    changed = data(
        command,
        *("host", "set", "two", "--memory", "512", "--zone", "east", "--disable"),
        *("--reason", "new disks", "--trait", "CUSTOM_HDD", "--without-trait", "CUSTOM_SSD"),
    )
    assert (changed["memory_mib"], changed["zone"]) == (512, "east")
    assert (changed["traits"], changed["disabled_reason"]) == (["CUSTOM_HDD"], "new disks")
    zones = data(command, "availability", "zone", "list")
    assert zones == [
        {"name": "east", "available": False, "hosts": ["two"]},
        {"name": "nova", "available": True, "hosts": ["host1"]},
    ]


def test_host_shows_what_is_claimed_of_it(command: CommandLine) -> None:
    assert command("create", "web", *BUILD).code == 0
    shown = data(command, "host", "show", "host1")
    assert (shown["claimed_vcpus"], shown["claimed_memory_mib"], shown["instances"]) == (1, 64, 1)


@in_both_ways
def test_host_is_drained_until_nothing_lives_there(command: CommandLine) -> None:
    assert command("create", "web", *BUILD).code == 0
    drained = data(command, "host", "drain", "host1")
    assert drained == {"name": "host1", "draining": True, "instances": 1}
    late = command("host", "drain", "host1", "--wait", "--timeout", "0")
    assert (late.code, late.out) == (6, "")
    assert command("create", "other", *BUILD).code != 0
    assert command("delete", "web").code == 0
    assert data(command, "host", "drain", "host1", "--wait")["instances"] == 0
    assert data(command, "host", "show", "host1")["draining"]
    assert not data(command, "host", "set", "host1", "--enable")["draining"]
    assert command("create", "third", *BUILD).code == 0
