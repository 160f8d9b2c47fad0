"""A small guest reads from its config drive all that a request said, and acts on it."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from tests.support.bridges import add_bridge
from tests.support.installed import Installed
from tests.support.ssh_keys import ED25519

pytestmark = [pytest.mark.libvirt, pytest.mark.guest]

GATEWAY, ADDRESS, MAC = "10.79.0.1", "10.79.0.20", "52:54:00:79:00:20"
PASSWORD = 'correct "horse" \\ battery'
GREETING, USER_DATA = b"Hello\n", b"#!/bin/sh\necho a secret\n"


def test_guest_is_told_all_that_was_asked_for(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "greeting").write_bytes(GREETING)
    (tmp_path / "data").write_bytes(USER_DATA)
    add_bridge(installed.host, "lan0", f"{GATEWAY}/24")
    installed.run("network", "create", "lan", "--subnet-range", "10.79.0.0/24", "--bridge", "lan0")
    instance = installed.json(
        *("create", "web", "--image", "demo", "--flavor", "small", "--hostname", "web-1"),
        *("--network", f"lan,ip={ADDRESS},mac={MAC},tag=front", "--key", ED25519),
        *("--volume", "size=1,tag=database", "--property", "role=db", "--password", PASSWORD),
        *("--file", f"/etc/greeting={tmp_path / 'greeting'}"),
        *("--user-data", str(tmp_path / "data")),
    )
    said = installed.run("console", "web", "--until", "GUEST-READY")

    def told(what: str) -> str:
        return re.findall(rf"^GUEST-{what} ?(.*)$", said, re.M)[-1]

    meta = json.loads(told("META"))
    assert (meta["uuid"], meta["name"], meta["hostname"]) == (instance["id"], "web", "web-1")
    assert (meta["meta"], list(meta["public_keys"].values())) == ({"role": "db"}, [ED25519])
    assert meta["files"] == [{"path": "/etc/greeting", "content_path": "/content/0000"}]
    assert told("CONTENT") == f"0000={hashlib.sha256(GREETING).hexdigest()}"
    assert told("CONFIG").endswith(f" user_data_sha256={hashlib.sha256(USER_DATA).hexdigest()}")
    nic, disk = meta["devices"]
    assert (nic["mac"], nic["tags"], disk["tags"]) == (MAC, ["front"], ["database"])
    assert re.search(rf"vd.={2**21}:{disk['serial']}\b", told("DISKS"))
    (network,) = json.loads(told("NETWORK"))["networks"]
    assert (network["type"], network["ip_address"]) == ("ipv4", ADDRESS)
    assert told("IP") == f"ip={ADDRESS} mac={MAC} host=web-1 offered="
    installed.host.run("busybox", "ping", "-c", "1", ADDRESS)
    assert meta["admin_pass"] == "***"
    for secret in (PASSWORD, "a secret"):
        assert secret not in said

    installed.run("delete", "web")
    assert installed.domains() == installed.volumes() == []
