"""What a host is asked: nothing twice, and nothing that grows with what lies there."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.attempts import until
from tests.support.libvirt_backends import opened
from tests.support.libvirt_calls import counted
from tests.support.marks import Marks, whose_create
from tests.support.own_host import backend, host, libvirt_host, marks
from tests.support.private_host import PrivateHost
from tests.support.things import (
    blank,
    defined_guest,
    disk_of,
    guest,
    image,
    overlay,
    reservation,
    running_guest,
    subnet,
)
from vmwright.backends.host import Backend, Host
from vmwright.backends.hypervisor import Nic
from vmwright.backends.network import Subnet
from vmwright.backends.volumes import Base
from vmwright.errors import Cancelled
from vmwright.ids import Mark, pool_name
from vmwright.waiting import Wait

__all__ = ["backend", "host", "libvirt_host", "marks"]

pytestmark = pytest.mark.libvirt

BUILD = {
    "virDomainLookupByUUIDString": 4,
    "virDomainLookupByName": 1,
    "virNetworkLookupByUUIDString": 3,
    "virNetworkIsActive": 2,
    "virNetworkIsPersistent": 1,
    "virNetworkGetXMLDesc": 3,
    "virNetworkGetDHCPLeases": 1,
    "virNetworkUpdate": 1,
    "virStorageVolLookupByName": 8,
    "virStorageVolGetXMLDesc": 4,
    "virStorageVolCreateXML": 3,
    "virStorageVolUpload": 1,
    "virStorageVolDownload": 1,
    "virStreamFinish": 2,
    "virDomainDefineXMLFlags": 1,
    "virDomainGetMetadata": 1,
    "virDomainGetState": 2,
    "virDomainCreate": 1,
}
REMOVAL = {
    "virDomainLookupByUUIDString": 2,
    "virDomainGetMetadata": 1,
    "virDomainDestroy": 1,
    "virDomainUndefineFlags": 1,
    "virConnectListAllDomains": 3,
    "virStorageVolLookupByName": 3,
    "virStorageVolDelete": 3,
    "virNetworkLookupByUUIDString": 1,
    "virNetworkIsActive": 1,
    "virNetworkIsPersistent": 1,
    "virNetworkGetXMLDesc": 2,
    "virNetworkUpdate": 1,
}


def build(host: Host, mark: Mark, net: Subnet, base: tuple[Base, Path], wait: Wait) -> None:
    """What the tasks of a create ask, with an interface, a volume and a config drive."""
    address, data = reservation(net.network), blank(mark, "data", disk_format="qcow2")
    root, drive = overlay(mark, base[0]), blank(mark, "config")
    host.hypervisor.find_domain(mark.instance, wait)
    host.hypervisor.find_domain_named(f"vmw-{mark.instance}", wait)
    host.network.ensure_network(net, wait)
    host.network.ensure_reservation(address, mark, wait)
    host.volumes.ensure_volume(data, wait)
    host.hypervisor.find_domain(mark.instance, wait)
    host.volumes.ensure_base(*base, wait)
    host.volumes.ensure_volume(root, wait)
    host.volumes.ensure_content(drive.name, b"\5" * drive.size_bytes, wait)
    nic = Nic(network=net.network, mac=address.mac)
    disks = disk_of(root), disk_of(data, "data"), disk_of(drive, "config")
    host.hypervisor.ensure_domain(guest(mark.instance, *disks, nics=(nic,)), mark, wait)
    host.hypervisor.ensure_running(mark.instance, mark, wait)


def remove(host: Host, mark: Mark, net: Subnet, wait: Wait) -> None:
    whose, address = whose_create(mark), reservation(net.network)
    host.hypervisor.ensure_no_domain(mark.instance, whose, wait)
    for role, disk_format in (("config", "raw"), ("root", "qcow2"), ("data", "qcow2")):
        name = blank(mark, role, disk_format=disk_format).name
        host.volumes.ensure_no_volume(name, whose, wait)
    host.network.ensure_no_reservation(net.network, address.mac, address.ip, whose, wait)


@pytest.fixture
def net(host: Host, wait: Wait) -> Subnet:
    made = subnet()
    host.network.ensure_network(made, wait)
    return made


@pytest.fixture
def base(host: Host, tmp_path: Path, wait: Wait) -> tuple[Base, Path]:
    made = image(tmp_path)
    host.volumes.ensure_base(*made, wait)
    return made


def test_build_and_its_removal_ask_the_host_for_what_they_must(
    host: Host, marks: Marks, net: Subnet, base: tuple[Base, Path], wait: Wait
) -> None:
    with counted() as calls:
        build(host, marks.ours, net, base, wait)
    assert calls == BUILD
    with counted() as calls:
        remove(host, marks.ours, net, wait)
    assert calls == REMOVAL


def test_states_of_guests_are_asked_for_all_at_once(host: Host, marks: Marks, wait: Wait) -> None:
    """Besides, each says whose it is: libvirt tells that of one guest at a time."""
    off, on = marks.ours, marks.other_instance
    defined_guest(host, off, wait)
    running_guest(host, on, wait)
    with counted() as calls:
        known = host.hypervisor.domains(wait)
    assert {domain.mark for domain in known} == {off, on}
    assert {domain.power_state.name for domain in known} == {"SHUTDOWN", "RUNNING"}
    assert calls == {"virConnectGetAllDomainStats": 1, "virDomainGetMetadata": 2}


@pytest.mark.parametrize("verb", ["pool-destroy", "pool-undefine"])
def test_pool_that_somebody_put_away_is_there_again(
    libvirt_host: PrivateHost, backend: Backend, host: Host, marks: Marks, wait: Wait, verb: str
) -> None:
    """It is not asked for each time, and yet no verb fails because it was awake before."""
    host.volumes.ensure_volume(blank(marks.ours), wait)
    pool = pool_name(backend.deployment)
    calls = [
        lambda: host.volumes.ensure_volume(blank(marks.ours, "data"), wait),
        lambda: host.volumes.ensure_content(blank(marks.ours, "config").name, b"seed", wait),
        lambda: host.volumes.ensure_no_volume(
            blank(marks.ours).name, whose_create(marks.ours), wait
        ),
        lambda: host.volumes.settle_volume(blank(marks.ours, "data").name, wait),
    ]
    for call in calls:
        libvirt_host.virsh("pool-destroy", pool)
        if verb == "pool-undefine":
            libvirt_host.virsh("pool-undefine", pool)
        call()
        if verb == "pool-undefine":
            # A pool that nobody knows holds nothing: only what makes something makes it anew.
            host.volumes.ensure_content(blank(marks.other_instance).name, b"first", wait)
    names = {stored.name for stored in host.volumes.volumes(wait)}
    kept = {blank(marks.ours, role).name for role in ("data", "config")}
    assert kept <= names


def test_guests_are_started_so_many_at_once_and_others_can_be_called_off(
    libvirt_host: PrivateHost, backend: Backend, host: Host, marks: Marks, wait: Wait
) -> None:
    other, called_off = marks.other_instance, threading.Event()
    defined_guest(host, marks.ours, wait)
    defined_guest(host, other, wait)
    with opened(libvirt_host.uri, backend.deployment, starts_per_host=1) as modest:
        start = modest.host(libvirt_host.uri).hypervisor.ensure_running
        modest.host(libvirt_host.uri).hypervisor.domains(wait)
        with counted() as calls, ThreadPoolExecutor(2) as pool:
            libvirt_host.freeze_libvirtd()
            first = pool.submit(start, marks.ours.instance, marks.ours, wait)
            until(lambda: calls["virDomainLookupByUUIDString"] == 1)
            second = pool.submit(start, other.instance, other, Wait(120, cancelled=called_off))
            called_off.set()
            with pytest.raises(Cancelled, match="others are being started"):
                second.result()
            libvirt_host.thaw_libvirtd()
            assert first.result().name == "RUNNING"
        assert calls["virDomainCreate"] == 1
        assert start(other.instance, other, wait).name == "RUNNING"
