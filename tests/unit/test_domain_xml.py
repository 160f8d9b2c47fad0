"""Domain XML: exactly this, whatever users write."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.xml_reader import read
from vmwright.backends.hypervisor import Disk, Guest, Nic
from vmwright.backends.libvirt.domain_xml import (
    OWNER,
    Backing,
    Placed,
    domain_xml,
    files_of,
    mark_of_metadata,
    networks_of,
)
from vmwright.ids import DeploymentId, InstanceId, Mark, NetworkId, OperationId

GOLDEN = Path(__file__).parent / "golden"
INSTANCE = InstanceId("11111111-1111-4111-8111-111111111111")
FRONT, BACK = (NetworkId(f"{n}0000000-0000-4000-8000-000000000000") for n in (4, 5))
MARK = Mark(
    deployment=DeploymentId("22222222-2222-4222-8222-222222222222"),
    instance=INSTANCE,
    operation=OperationId("33333333-3333-4333-8333-333333333333"),
    attempt=2,
)
NETWORKS = {FRONT: "front", BACK: "back"}
STORAGE = {
    "root.qcow2": Placed(
        path="/pool/root.qcow2", backing=Backing(path="/pool/base.raw", disk_format="raw")
    ),
    "data.raw": Placed(path="/pool/data.raw"),
    "swap.qcow2": Placed(path="/pool/swap.qcow2"),
    "config.raw": Placed(path="/pool/config.raw"),
    "vmlinuz": Placed(path="/pool/vmlinuz"),
    "initrd.gz": Placed(path="/pool/initrd.gz"),
}
GUEST = Guest(
    instance=INSTANCE,
    title="web 1",
    vcpus=2,
    memory_mib=512,
    disks=(
        Disk(volume="root.qcow2", disk_format="qcow2", serial="root"),
        Disk(volume="data.raw", disk_format="raw", serial="volume-1"),
        Disk(volume="config.raw", disk_format="raw", serial="config-2", read_only=True),
    ),
    nics=(
        Nic(network=FRONT, mac="52:54:00:00:00:01"),
        Nic(network=BACK, mac="52:54:00:00:00:02"),
    ),
)
ELSEWHERE = (
    Nic(network=FRONT, mac="52:54:00:00:00:01"),
    Nic(network=BACK, mac="52:54:00:00:00:02", kind="bridge", source="br0"),
    Nic(network=BACK, mac="52:54:00:00:00:03", kind="libvirt", source="default"),
)

MIXED = replace(
    GUEST,
    disks=(
        Disk(volume="data.raw", disk_format="raw", serial="volume-1", bus="scsi", boot_index=0),
        Disk(volume="root.qcow2", disk_format="qcow2", serial="root", boot_index=3),
        Disk(volume="swap.qcow2", disk_format="qcow2", serial="swap", bus="sata"),
        Disk(
            volume="config.raw",
            disk_format="raw",
            serial="volume-2",
            read_only=True,
            bus="scsi",
            device="cdrom",
        ),
    ),
)


def written(guest: Guest, virt_type: str = "qemu") -> str:
    return domain_xml(guest, MARK, virt_type=virt_type, storage=STORAGE, networks=NETWORKS)


@pytest.mark.parametrize(
    ("golden", "guest", "virt_type"),
    [
        ("domain-qemu.xml", GUEST, "qemu"),
        ("domain-kvm.xml", GUEST, "kvm"),
        ("domain-networks-of-others.xml", replace(GUEST, nics=ELSEWHERE), "qemu"),
        ("domain-buses.xml", MIXED, "qemu"),
        ("domain-direct-boot.xml", replace(GUEST, kernel="vmlinuz", ramdisk="initrd.gz"), "qemu"),
    ],
)
def test_guest_is_described_as_in_the_golden_file(
    golden: str, guest: Guest, virt_type: str
) -> None:
    assert written(guest, virt_type) + "\n" == (GOLDEN / golden).read_text()


def test_kernel_leaves_disks_no_turn_to_boot() -> None:
    xml = read(written(replace(MIXED, kernel="vmlinuz")))
    assert xml.find("os/boot") is None
    assert xml.find("devices/disk/boot") is None


@given(title=st.text())
def test_no_title_breaks_the_document(title: str) -> None:
    found = read(written(replace(GUEST, title=title))).findtext("title")
    assert found
    assert "\n" not in found
    assert len(found) <= 255


def test_title_stays_what_it_was() -> None:
    title = "<b>R&D</b> \"prod\" 'db' ünïcödé 🚀"
    assert read(written(replace(GUEST, title=title))).findtext("title") == title


def test_mark_is_read_back() -> None:
    owner = read(written(GUEST)).find(f"metadata/{{{OWNER}}}owner")
    assert owner is not None
    attributes = " ".join(f'{key}="{value}"' for key, value in owner.attrib.items())
    assert mark_of_metadata(f'<owner xmlns="{OWNER}" {attributes}/>') == MARK


@pytest.mark.parametrize(
    "element",
    [
        "",
        "<owner",
        "<owner/>",
        '<owner deployment="a" instance="b" operation="c"/>',
        '<owner deployment="a" instance="b" operation="c" attempt="first"/>',
    ],
)
def test_metadata_of_others_is_no_mark(element: str) -> None:
    assert mark_of_metadata(element) is None


def test_every_file_and_network_of_a_guest_is_seen() -> None:
    xml = written(replace(GUEST, kernel="vmlinuz", ramdisk="initrd.gz"))
    assert files_of(xml) == {
        "/pool/root.qcow2",
        "/pool/base.raw",
        "/pool/data.raw",
        "/pool/config.raw",
        "/pool/vmlinuz",
        "/pool/initrd.gz",
    }
    assert networks_of(xml) == {"front", "back"}
    assert networks_of(written(replace(GUEST, nics=ELSEWHERE))) == {"front", "default"}


def test_no_disk_is_left_to_probing() -> None:
    for disk in read(written(GUEST)).iterfind("devices/disk"):
        driver = disk.find("driver")
        assert driver is not None
        assert driver.get("type") in {"qcow2", "raw"}
        chain = disk.findall(".//backingStore")
        assert len(chain[-1]) == 0
