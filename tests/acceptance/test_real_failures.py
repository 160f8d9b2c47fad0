"""Failures that the hypervisor itself makes: taken back, and told as they were."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installed import Installed

pytestmark = [pytest.mark.libvirt, pytest.mark.guest]

BUILD = ("--image", "demo", "--network", "net1", "--volume", "size=1")
FOREIGN = """
<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>64</memory>
<vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os></domain>
"""


def failed(installed: Installed, name: str) -> dict:
    """The instance, after what the failure left is looked for."""
    instance = installed.json("show", name)
    assert (instance["vm_state"], instance["task_state"]) == ("error", None)
    assert instance["addresses"] == instance["volumes"] == []
    assert installed.volumes() == installed.reservations() == []
    assert installed.json("audit") == []
    fault = instance["fault"]
    assert fault["owed"] == []
    return instance


def test_qemu_cannot_have_the_memory_that_the_host_was_said_to_have(installed: Installed) -> None:
    (host,) = installed.json("host", "list")
    installed.run(
        "flavor", "create", "huge", "--vcpus", "1", "--ram", str(32 * 2**20), "--disk", "1"
    )
    installed.run("create", "huge", "--flavor", "huge", *BUILD, expect=1)
    fault = failed(installed, "huge")["fault"]
    assert fault["task"] == "spawn"
    assert fault["host"] == host["name"]
    assert "memory" in fault["message"]
    assert "addresses" in fault["given_back"]
    assert installed.domains() == []
    installed.run("delete", "huge")


@pytest.mark.parametrize("taken", ["uuid", "name"])
def test_a_foreign_guest_has_what_ours_would_take(
    installed: Installed, tmp_path: Path, taken: str
) -> None:
    operation = installed.json("create", "late", "--flavor", "small", *BUILD, "--no-wait")
    ours = operation["instance_id"]
    foreign = {
        "uuid": ours if taken == "uuid" else str(uuid.uuid4()),
        "name": f"vmw-{ours}" if taken == "name" else "somebody-elses",
    }
    (tmp_path / "foreign.xml").write_text(FOREIGN.format(**foreign))
    installed.host.virsh("define", str(tmp_path / "foreign.xml"))
    before = installed.host.virsh("dumpxml", foreign["uuid"])
    installed.run("resume", expect=1)
    fault = failed(installed, ours)["fault"]
    assert fault["task"] == "check_not_created"
    assert foreign["name"] in fault["message"]
    assert fault["host"]
    assert fault["given_back"] == []
    assert installed.host.virsh("dumpxml", foreign["uuid"]) == before
    installed.host.virsh("undefine", foreign["uuid"])
    installed.run("delete", ours)


@pytest.fixture
def read_only_pool(installed: Installed) -> Iterator[str]:
    """The pool's directory, mounted read-only on its host."""
    (pool,) = installed.host.virsh("pool-list", "--name").split()
    dump = installed.host.virsh("pool-dumpxml", pool)
    path = dump.split("<path>")[1].split("</path>")[0]
    installed.host.run("mount", "--bind", path, path)
    installed.host.run("mount", "-o", "remount,ro,bind", path)
    yield path
    installed.host.run("umount", path)


def test_the_pool_is_read_only(installed: Installed, read_only_pool: str) -> None:
    installed.run("create", "stuck", "--flavor", "small", *BUILD, expect=1)
    fault = failed(installed, "stuck")["fault"]
    assert fault["task"] in ("map_block_devices", "spawn")
    assert "ead-only" in fault["message"], fault
    assert "volumes" in fault["given_back"]
    assert installed.domains() == []
    installed.run("delete", "stuck")
