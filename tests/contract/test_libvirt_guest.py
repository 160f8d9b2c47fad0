"""Real guests on a real host: what they see is what was asked for."""

import hashlib
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.support.demo_guest import DemoGuest, demo_guest, said
from tests.support.marks import Marks, whose_create
from tests.support.places import Place
from tests.support.private_host import PrivateHost
from tests.support.things import blank, disk_of, guest, image, overlay
from tests.support.things import subnet as subnet_of
from vmwright.backends.guest_data import Seed, config_drive
from vmwright.backends.host import Host
from vmwright.backends.hypervisor import Disk, Guest, Nic
from vmwright.backends.network import Reservation, Subnet
from vmwright.backends.volumes import Base, Volume
from vmwright.errors import Refused
from vmwright.ids import Mark, NetworkId, base_name, domain_name, new_id, volume_name
from vmwright.states import PowerState
from vmwright.waiting import Wait

pytestmark = [pytest.mark.libvirt, pytest.mark.guest]

MAC, OTHER_MAC, IP = "52:54:00:62:00:01", "52:54:00:62:00:02", "10.62.0.44"
USER_DATA = b"#!/bin/sh\necho a secret\n"
MIB = 1 << 20


@pytest.fixture(scope="module")
def demo() -> DemoGuest:
    try:
        return demo_guest()
    except RuntimeError as reason:
        pytest.skip(str(reason))


@pytest.fixture
def place(libvirt_place: Place) -> Place:
    """No other implementation has guests that boot."""
    return libvirt_place


@pytest.fixture
def wait() -> Wait:
    """Guests are emulated, and other tests run beside."""
    return Wait(500)


@pytest.fixture
def subnet(host: Host, wait: Wait) -> Subnet:
    made = Subnet(network=NetworkId(new_id()), cidr="10.62.0.0/24", gateway="10.62.0.1")
    host.network.ensure_network(made, wait)
    return made


def listings(host: PrivateHost) -> dict[str, str]:
    """What libvirt itself shows of a host."""
    pools = host.virsh("pool-list", "--all", "--name").split()
    shown = {"guests": host.virsh("list", "--all"), "networks": host.virsh("net-list", "--all")}
    return shown | {pool: host.virsh("vol-list", pool) for pool in pools}


def reserve(host: Host, subnet: Subnet, mark: Mark, mac: str, hostname: str, wait: Wait) -> None:
    wanted = Reservation(network=subnet.network, mac=mac, ip=IP, hostname=hostname)
    host.network.ensure_reservation(wanted, mark, wait)


def start(host: Host, guest: Guest, mark: Mark, wait: Wait) -> None:
    host.hypervisor.ensure_domain(guest, mark, wait)
    host.hypervisor.ensure_running(mark.instance, mark, wait)


def seed(mark: Mark) -> bytes:
    told = Seed(
        instance=mark.instance, name="web", hostname="web-1", project="p", user_data=USER_DATA
    )
    return config_drive(told)


def cached(host: Host, mark: Mark, image: tuple[Base, Path], wait: Wait) -> str:
    base, file = image
    host.volumes.ensure_base(base, file, wait)
    return base_name(mark.deployment, base.sha256, base.disk_format)


def direct_boot(
    host: Host, demo: DemoGuest, subnet: Subnet, mark: Mark, mac: str, wait: Wait
) -> Guest:
    """A guest of kernel, ramdisk and a blank disk, with an interface."""
    root = blank(mark)
    host.volumes.ensure_volume(root, wait)
    return Guest(
        instance=mark.instance,
        title="direct boot",
        vcpus=1,
        memory_mib=128,
        disks=(disk_of(root),),
        nics=(Nic(network=subnet.network, mac=mac),),
        kernel=cached(host, mark, demo.kernel, wait),
        ramdisk=cached(host, mark, demo.ramdisk, wait),
    )


def test_guest_sees_what_was_asked_for_and_leaves_nothing(
    libvirt_host: PrivateHost,
    host: Host,
    marks: Marks,
    demo: DemoGuest,
    wait: Wait,
) -> None:
    mark, whose = marks.ours, whose_create(marks.ours)
    host.hypervisor.facts(wait)
    before = listings(libvirt_host)
    subnet = Subnet(network=NetworkId(new_id()), cidr="10.62.0.0/24", gateway="10.62.0.1")
    host.network.ensure_network(subnet, wait)
    reserve(host, subnet, mark, MAC, "web-1", wait)
    base, file = demo.disk
    host.volumes.ensure_base(base, file, wait)
    root = Volume(
        name=volume_name(mark, "root", "qcow2"),
        disk_format="qcow2",
        size_bytes=64 * MIB,
        base=base,
    )
    data = Volume(
        name=volume_name(mark, "data", "qcow2"), disk_format="qcow2", size_bytes=1024 * MIB
    )
    config = volume_name(mark, "config", "raw")
    for volume in (root, data):
        host.volumes.ensure_volume(volume, wait)
    host.volumes.ensure_content(config, seed(mark), wait)
    guest = Guest(
        instance=mark.instance,
        title="web",
        vcpus=1,
        memory_mib=128,
        disks=(
            disk_of(root),
            disk_of(data, "volume-1"),
            Disk(volume=config, disk_format="raw", serial="config-2", read_only=True),
        ),
        nics=(Nic(network=subnet.network, mac=MAC),),
    )

    start(host, guest, mark, wait)

    digest = hashlib.sha256(USER_DATA).hexdigest()
    text = said(
        host.hypervisor.console(mark.instance, wait),
        rf"GUEST-CONFIG /dev/vdc uuid={mark.instance} hostname=web-1 user_data_sha256={digest}\s",
        r"GUEST-DISKS vda=131072:root vdb=2097152:volume-1 vdc=\d+:config-2\s",
        rf"GUEST-IP ip={re.escape(IP)} mac={MAC} host=web-1 ",
        "GUEST-READY",
    )
    assert "a secret" not in text

    host.hypervisor.ensure_no_domain(mark.instance, whose, wait)
    for name in (root.name, data.name, config):
        host.volumes.ensure_no_volume(name, whose, wait)
    host.network.ensure_no_reservation(subnet.network, MAC, IP, whose, wait)
    host.network.ensure_no_network(subnet.network, wait)
    host.volumes.ensure_no_base(base, wait)
    assert listings(libvirt_host) == before


def test_guest_is_told_its_name_by_dhcp_and_boots_a_kernel(
    host: Host, marks: Marks, demo: DemoGuest, subnet: Subnet, wait: Wait
) -> None:
    mark = marks.ours
    reserve(host, subnet, mark, MAC, "1web", wait)
    start(host, direct_boot(host, demo, subnet, mark, MAC, wait), mark, wait)

    console = host.hypervisor.console(mark.instance, wait)
    with pytest.raises(Refused, match="somebody else reads"):
        host.hypervisor.console(mark.instance, wait)
    said(console, rf"GUEST-IP ip={re.escape(IP)} mac={MAC} host=1web offered=1web\s")
    del console

    said(host.hypervisor.console(mark.instance, wait), "GUEST-READY")


def test_guest_that_shuts_itself_down_is_told_from_one_that_is_switched_off(
    libvirt_host: PrivateHost,
    host: Host,
    marks: Marks,
    demo: DemoGuest,
    subnet: Subnet,
    wait: Wait,
) -> None:
    mark = marks.ours
    reserve(host, subnet, mark, MAC, "web", wait)
    start(host, direct_boot(host, demo, subnet, mark, MAC, wait), mark, wait)
    said(host.hypervisor.console(mark.instance, wait), "GUEST-READY")

    libvirt_host.virsh("shutdown", mark.instance, "--mode", "acpi")
    while (found := host.hypervisor.find_domain(mark.instance, wait)) and (
        found.power_state is PowerState.RUNNING
    ):
        wait.pause(0.1, "it shuts down")
    assert found
    assert (found.power_state, found.off_by_itself) == (PowerState.SHUTDOWN, True)

    host.hypervisor.ensure_running(mark.instance, mark, wait)
    libvirt_host.virsh("destroy", mark.instance)
    found = host.hypervisor.find_domain(mark.instance, wait)
    assert found
    assert (found.power_state, found.off_by_itself) == (PowerState.SHUTDOWN, False)


def test_address_that_was_given_back_goes_to_another_guest_at_once(
    host: Host, marks: Marks, demo: DemoGuest, subnet: Subnet, wait: Wait
) -> None:
    """dnsmasq keeps the lease of a guest that was switched off, and libvirt cannot end it."""
    first, second = marks.ours, marks.other_instance
    for mark, mac in ((first, MAC), (second, OTHER_MAC)):
        reserve(host, subnet, mark, mac, "web", wait)
        start(host, direct_boot(host, demo, subnet, mark, mac, wait), mark, wait)
        console = host.hypervisor.console(mark.instance, wait)
        said(console, rf"GUEST-IP ip={re.escape(IP)} mac={mac} host=web ")
        host.hypervisor.ensure_no_domain(mark.instance, whose_create(mark), wait)
        host.network.ensure_no_reservation(subnet.network, mac, IP, whose_create(mark), wait)
    assert not host.network.reservations(subnet.network, wait)


def test_a_definition_is_what_the_guest_is_made_of_and_asks_nothing(
    place: Place, host: Host, marks: Marks, wait: Wait, tmp_path: Path, libvirt_host: PrivateHost
) -> None:
    from vmwright.backends.libvirt.domain_xml import files_of, networks_of

    base, source = image(tmp_path)
    host.volumes.ensure_base(base, source, wait)
    root = overlay(marks.ours, base)
    host.volumes.ensure_volume(root, wait)
    made = subnet_of("10.62.9.0/24")
    host.network.ensure_network(made, wait)
    nic = Nic(network=made.network, mac=MAC)
    wanted = guest(marks.ours.instance, disk_of(root), nics=(nic,))
    before = listings(libvirt_host)
    shown = host.hypervisor.definition(wanted, marks.ours, [root], None)
    assert listings(libvirt_host) == before

    host.hypervisor.ensure_domain(wanted, marks.ours, wait)
    defined = libvirt_host.virsh("dumpxml", "--inactive", domain_name(marks.ours.instance))
    assert files_of(shown) == files_of(defined)
    assert len(files_of(shown)) == 2
    assert networks_of(shown) == networks_of(defined) != frozenset()
    for part in ("name", "uuid", "title", "vcpu"):
        assert ET.fromstring(shown).findtext(part) == ET.fromstring(defined).findtext(part)
