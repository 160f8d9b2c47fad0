"""Real guests with disks of every kind: what they boot from, and what they see."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.demo_guest import DemoGuest, said
from tests.support.private_host import PrivateHost, missing, private_host
from vmwright.controller import Controller
from vmwright.request import CreateRequest
from vmwright.settings import (
    DatabaseSettings,
    LibvirtSettings,
    Settings,
    SimulatedSettings,
)
from vmwright.waiting import Wait

pytestmark = [pytest.mark.libvirt, pytest.mark.guest]

GIB, MIB = 2**21, 2**11
"""In sectors, as guests count."""
PATIENCE = 500.0
"""Guests are emulated, and other tests run beside."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateHost]:
    if reason := missing():
        pytest.skip(reason)
    with private_host(tmp_path_factory.mktemp("disks") / "host") as host:
        yield host


@pytest.fixture(scope="module")
def controller(
    host: PrivateHost, demo: DemoGuest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Controller]:
    home: Path = tmp_path_factory.mktemp("disks")
    settings = Settings(
        backend="libvirt",
        state_dir=home,
        database=DatabaseSettings(connection=f"sqlite:///{home / 'store.db'}"),
        simulated=SimulatedSettings(world_dir=home / "world"),
        libvirt=LibvirtSettings(connection_uri=host.uri, virt_type="qemu"),
    )
    with Controller(settings) as controller:
        inventory = controller.inventory
        inventory.create_image("demo", demo.disk[1], "qcow2", wait=Wait(PATIENCE))
        inventory.create_flavor("small", vcpus=1, ram_mib=128, disk_gib=1)
        inventory.create_network("net1", "10.78.0.0/24")
        yield controller


def build(controller: Controller, name: str, **wish: Any) -> None:
    request = CreateRequest.parse(name=name, flavor="small", networks=[{"network": "net1"}], **wish)
    operation = controller.wait(controller.create(request).id, timeout=PATIENCE)
    assert operation.state == "done", operation.error


def delete(controller: Controller, name: str) -> None:
    operation = controller.wait(controller.delete(name).id, timeout=PATIENCE)
    assert operation.state == "done", operation.error


def disks(controller: Controller, name: str) -> dict[str, tuple[int, str]]:
    """Sectors and serial number of each disk that the guest sees once it is up."""
    text = said(controller.console(name, Wait(PATIENCE)), r"GUEST-DISKS .*\s+[^$]*GUEST-READY")
    (line,) = set(re.findall(r"GUEST-DISKS (.*?)\s*$", text, re.MULTILINE))
    found = re.findall(r"(\S+)=(\d+):(\S+)", line)
    return {device: (int(sectors), serial) for device, sectors, serial in found}


def serials(controller: Controller, name: str) -> dict[str, str]:
    """By a volume's name, what its guest reads."""
    described = controller.describe_instance(controller.instance(name))
    return {volume["name"]: volume["id"][:20] for volume in described["volumes"]}


def test_guest_boots_from_a_volume_and_another_from_its_snapshot(
    controller: Controller, host: PrivateHost
) -> None:
    inventory = controller.inventory
    inventory.create_volume("system", image="demo")
    data = {"size": 1, "name": "data", "bus": "scsi"}
    build(controller, "vm1", volumes=[data, {"volume": "system", "boot_index": 0}])
    assert not [line for line in host.virsh("vol-list", pool(host)).split() if ".root." in line]
    known = serials(controller, "vm1")
    seen = disks(controller, "vm1")
    assert seen["vda"] == (GIB, known["system"])
    assert seen["sda"] == (GIB, known["data"])
    assert seen["vdb"][1] == "config-2"
    delete(controller, "vm1")

    inventory.create_snapshot("saved", "system", wait=Wait(PATIENCE))
    inventory.delete_volume("system")
    controller.pay_debts()
    booted = {"snapshot": "saved", "boot_index": 0, "bus": "scsi", "name": "again"}
    build(controller, "vm2", volumes=[{"size": 1}, booted])
    assert disks(controller, "vm2")["sda"] == (GIB, serials(controller, "vm2")["again"])
    delete(controller, "vm2")

    inventory.delete_snapshot("saved")
    assert controller.pay_debts() == 0
    assert controller.audit() == []
    left = host.virsh("vol-list", pool(host)).split()
    assert [name for name in left if name.startswith("vmw.")] == []


def pool(host: PrivateHost) -> str:
    (name,) = host.virsh("pool-list", "--name").split()
    return name


def test_guest_has_the_local_disks_of_its_flavor(controller: Controller, host: PrivateHost) -> None:
    with closing(sqlite3.connect(controller.settings.state_dir / "store.db")) as store:
        store.execute("UPDATE vmwright_flavors SET ephemeral_gib = 1, swap_mib = 64")
        store.commit()
    build(controller, "vm3", image="demo", volumes=[{"size": 2, "bus": "sata", "name": "data"}])
    seen = disks(controller, "vm3")
    assert {device: seen[device] for device in ("vda", "vdb", "vdc")} == {
        "vda": (GIB, "root"),
        "vdb": (GIB, "ephemeral0"),
        "vdc": (64 * MIB, "swap"),
    }
    # The kernel of the small guest has no driver for SATA: the host says that the disk is there.
    (domain,) = host.virsh("list", "--uuid").split()
    assert re.search(r"sda +vmw|sda +/", host.virsh("domblklist", domain))
    delete(controller, "vm3")
    assert controller.audit() == []
