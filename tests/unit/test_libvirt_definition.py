"""What libvirt would be told of a guest, worked out without a libvirt to ask."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.support.marks import Marks
from tests.support.things import MAC, blank, guest
from vmwright.backends.hypervisor import Disk, Nic
from vmwright.backends.volumes import Base, Volume
from vmwright.ids import (
    DeploymentId,
    NetworkId,
    SnapshotId,
    base_name,
    network_name,
    new_id,
    snapshot_name,
    volume_name,
)
from vmwright.settings import DatabaseSettings, LibvirtSettings, Settings, SimulatedSettings

POOL = "/srv/pools"
BASE = Base(sha256="a" * 64, disk_format="raw", size_bytes=1, virtual_size_bytes=1)


@pytest.fixture
def marks() -> Marks:
    return Marks(DeploymentId(new_id()))


def definition(marks: Marks, volumes: list[Volume], *, virt_type="auto", said=None, **parts):
    pytest.importorskip("libvirt", reason="needs libvirt's Python binding")
    from vmwright.backends.libvirt import open_backend

    settings = Settings(
        backend="libvirt",
        state_dir=Path(),
        database=DatabaseSettings(connection=""),
        simulated=SimulatedSettings(world_dir=Path()),
        libvirt=LibvirtSettings(
            connection_uri="qemu+unix:///system?socket=/nowhere",
            pool_dir=POOL,
            virt_type=virt_type,
        ),
    )
    backend = open_backend(settings, marks.ours.deployment)
    try:
        disks = [
            Disk(volume=volume.name, disk_format=volume.disk_format, serial="x")
            for volume in volumes
        ]
        wanted = guest(marks.ours.instance, *disks, **parts)
        hypervisor = backend.host(backend.default_uri).hypervisor
        return ET.fromstring(hypervisor.definition(wanted, marks.ours, volumes, said))
    finally:
        backend.close()


def test_disks_lie_in_the_pool_of_the_deployment_on_what_they_begin_as(marks: Marks) -> None:
    deployment = marks.ours.deployment
    below = snapshot_name(deployment, SnapshotId(new_id()), "qcow2")
    volumes = [
        Volume(
            name=volume_name(marks.ours, role, "qcow2"),
            disk_format="qcow2",
            size_bytes=1,
            base=base,
            backing=backing,
        )
        for role, base, backing in (("root", BASE, None), ("data", None, below))
    ] + [blank(marks.ours, "config")]
    directory = f"{POOL}/{deployment}"
    disks = definition(marks, volumes).findall("devices/disk")
    assert [disk.find("source").get("file") for disk in disks] == [
        f"{directory}/{volume.name}" for volume in volumes
    ]
    first, second, third = (disk.find("backingStore") for disk in disks)
    assert (
        first.find("source").get("file") == f"{directory}/{base_name(deployment, 'a' * 64, 'raw')}"
    )
    assert first.find("format").get("type") == "raw"
    assert second.find("source").get("file") == f"{directory}/{below}"
    assert second.find("format").get("type") == "qcow2"
    assert len(third) == 0


def test_networks_have_the_names_that_builds_give_them(marks: Marks) -> None:
    ours = NetworkId(new_id())
    nics = (
        Nic(network=ours, mac=MAC),
        Nic(network=NetworkId(new_id()), mac=MAC, kind="bridge", source="br0"),
    )
    found = definition(marks, [blank(marks.ours)], nics=nics)
    sources = [nic.find("source").attrib for nic in found.findall("devices/interface")]
    assert sources == [{"network": network_name(ours)}, {"bridge": "br0"}]


@pytest.mark.parametrize(
    ("configured", "said", "shown"),
    [
        ("auto", None, "qemu"),
        ("auto", "kvm", "kvm"),
        ("auto", "qemu", "qemu"),
        ("kvm", None, "kvm"),
        ("qemu", "kvm", "qemu"),
    ],
)
def test_guests_run_by_what_is_configured_else_by_what_the_host_said(
    marks: Marks, configured: str, said: str | None, shown: str
) -> None:
    found = definition(marks, [blank(marks.ours)], virt_type=configured, said=said)
    assert found.get("type") == shown
