"""What only libvirt hosts have: files, uploads, links and other people's guests."""

import hashlib
import struct
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import libvirt
import pytest

from tests.support.libvirt_backends import opened
from tests.support.libvirt_place import LibvirtPlace
from tests.support.marks import Marks, whose_create
from tests.support.private_host import PrivateHost
from tests.support.things import (
    IP,
    MIB,
    OTHER_IP,
    blank,
    disk_of,
    guest,
    image,
    overlay,
    reservation,
    running_guest,
    subnet,
)
from vmwright.backends.host import Host
from vmwright.backends.hypervisor import Disk
from vmwright.backends.libvirt.volume_xml import volume_xml
from vmwright.backends.volumes import Base
from vmwright.errors import Cancelled, HostFault, Refused, Unavailable, VmwrightError
from vmwright.ids import (
    SnapshotId,
    base_name,
    domain_name,
    new_id,
    pool_name,
    snapshot_name,
    volume_name,
)
from vmwright.waiting import Wait

pytestmark = pytest.mark.libvirt


@pytest.fixture
def place(libvirt_place: LibvirtPlace) -> LibvirtPlace:
    return libvirt_place


@pytest.fixture
def large(tmp_path: Path) -> tuple[Base, Path]:
    """An image that takes several messages, and pauses between them, to upload."""
    content = b"".join(n.to_bytes(4, "big") * 256 for n in range(12 * 1024))
    base = Base(
        sha256=hashlib.sha256(content).hexdigest(),
        disk_format="raw",
        size_bytes=len(content),
        virtual_size_bytes=len(content),
    )
    (tmp_path / "large").write_bytes(content)
    return base, tmp_path / "large"


def stored_as(place: LibvirtPlace, base: Base) -> str:
    return base_name(place.backend.deployment, base.sha256, base.disk_format)


def pool_of(place: LibvirtPlace) -> libvirt.virStoragePool:
    return place.connection.storagePoolLookupByName(pool_name(place.backend.deployment))


def upload_half(place: LibvirtPlace, base: Base, file: Path) -> None:
    """Leave what a process leaves that is killed in the middle of an upload."""
    xml = f"<volume><name>{stored_as(place, base)}</name><capacity>{base.size_bytes}</capacity>"
    target = "<allocation>0</allocation><target><format type='raw'/></target></volume>"
    volume = pool_of(place).createXML(xml + target)
    stream = place.connection.newStream()
    volume.upload(stream, 0, base.size_bytes)
    stream.send(file.read_bytes()[:100_000])
    stream.abort()


def test_half_upload_of_a_dead_process_is_made_whole(
    place: LibvirtPlace, host: Host, large: tuple[Base, Path], wait: Wait
) -> None:
    base, file = large
    host.hypervisor.facts(wait)
    upload_half(place, base, file)
    assert place.digest_of(stored_as(place, base)) != base.sha256

    host.volumes.ensure_base(base, file, wait)

    assert place.digest_of(stored_as(place, base)) == base.sha256


def test_no_overlay_is_made_of_a_half_upload(
    place: LibvirtPlace, host: Host, marks: Marks, large: tuple[Base, Path], wait: Wait
) -> None:
    base, file = large
    host.hypervisor.facts(wait)
    upload_half(place, base, file)
    with pytest.raises(Refused, match="begins as is missing"):
        host.volumes.ensure_volume(
            replace(overlay(marks.ours, base), size_bytes=base.size_bytes), wait
        )


def test_cancelled_upload_is_made_whole_later(
    place: LibvirtPlace, host: Host, large: tuple[Base, Path], wait: Wait
) -> None:
    base, file = large
    cancelled = threading.Event()
    impatient = Wait(120, cancelled=cancelled, report=lambda _: cancelled.set())
    with pytest.raises(Cancelled):
        host.volumes.ensure_base(base, file, impatient)
    assert place.digest_of(stored_as(place, base)) != base.sha256

    host.volumes.ensure_base(base, file, wait)

    assert place.digest_of(stored_as(place, base)) == base.sha256


def test_upload_says_how_far_it_is(host: Host, large: tuple[Base, Path]) -> None:
    heard: list[float] = []
    wait = Wait(120, report=lambda told: heard.append(told.fraction))
    host.volumes.ensure_base(*large, wait)
    assert len(heard) > 1
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


def test_two_processes_upload_one_image_at_once(
    place: LibvirtPlace, host: Host, large: tuple[Base, Path], wait: Wait
) -> None:
    base, file = large
    uri, deployment = place.backend.default_uri, place.backend.deployment
    with opened(uri, deployment) as second, opened(uri, deployment) as third:
        hosts = [host, second.host(uri), third.host(uri)]
        threads = [
            threading.Thread(target=one.volumes.ensure_base, args=(base, file, wait))
            for one in hosts
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert place.digest_of(stored_as(place, base)) == base.sha256
    assert [stored.name for stored in host.volumes.volumes(wait)] == [stored_as(place, base)]


def test_half_copy_of_a_dead_host_is_made_whole(
    place: LibvirtPlace, host: Host, marks: Marks, wait: Wait
) -> None:
    """A copy that libvirt was killed in looks whole; only nobody says that it is."""
    source = blank(marks.ours, disk_format="qcow2", mib=8)
    snapshot = snapshot_name(marks.deployment, SnapshotId(new_id()), "qcow2")
    clone = replace(blank(marks.other_instance, disk_format="qcow2", mib=8), backing=snapshot)
    host.volumes.ensure_volume(source, wait)
    pool_of(place).createXML(volume_xml(snapshot, "qcow2", 8 * MIB), 0)
    with pytest.raises(Refused):
        host.volumes.ensure_volume(clone, wait)

    host.volumes.ensure_copy(snapshot, source.name, wait)

    host.volumes.ensure_volume(clone, wait)
    listed = [stored.name for stored in host.volumes.volumes(wait)]
    assert listed == sorted([source.name, snapshot, clone.name])


def test_late_word_that_a_snapshot_is_whole_does_not_count_for_the_next_copy(
    libvirt_host: PrivateHost,
    place: LibvirtPlace,
    host: Host,
    marks: Marks,
    wait: Wait,
) -> None:
    """A process that was stopped said so after the snapshot had been removed."""
    source = blank(marks.ours, disk_format="qcow2", mib=8)
    snapshot = snapshot_name(marks.deployment, SnapshotId(new_id()), "qcow2")
    host.volumes.ensure_volume(source, wait)
    pool = pool_of(place)
    pool.createXML(volume_xml(f"{snapshot}.whole", "raw", 0), 0)
    # Its header is sound, but for where its tables lie: nothing can be copied.
    path = pool.storageVolLookupByName(source.name).path()
    libvirt_host.run("sh", "-c", f"printf '\\1\\1\\1' | dd of={path} bs=1 seek=45 conv=notrunc")

    with pytest.raises(VmwrightError):
        host.volumes.ensure_copy(snapshot, source.name, wait)

    assert snapshot not in libvirt_host.virsh("vol-list", pool.name())


def test_copy_holds_what_its_volume_holds(
    libvirt_host: PrivateHost,
    place: LibvirtPlace,
    host: Host,
    marks: Marks,
    large: tuple[Base, Path],
    wait: Wait,
) -> None:
    """Its own and what its image holds, in a file that names no other."""
    base, file = large
    host.volumes.ensure_base(base, file, wait)
    source = replace(overlay(marks.ours, base), size_bytes=base.size_bytes)
    host.volumes.ensure_volume(source, wait)
    path = pool_of(place).storageVolLookupByName(source.name).path()
    libvirt_host.run("qemu-io", "-f", "qcow2", "-c", "write -P 0x5a 1M 64k", path)
    snapshot = snapshot_name(marks.deployment, SnapshotId(new_id()), "qcow2")

    host.volumes.ensure_copy(snapshot, source.name, wait)

    copy = pool_of(place).storageVolLookupByName(snapshot).path()
    assert "backing" not in libvirt_host.run("qemu-img", "info", copy)
    libvirt_host.run("qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", path, copy)


def test_holes_of_an_image_are_not_sent(
    libvirt_host: PrivateHost, place: LibvirtPlace, host: Host, tmp_path: Path, wait: Wait
) -> None:
    size = 64 * MIB
    content = bytes(MIB) + b"data" + bytes(size - MIB - 4)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(size)
        file.seek(MIB)
        file.write(b"data")
    base = Base(
        sha256=hashlib.sha256(content).hexdigest(),
        disk_format="raw",
        size_bytes=size,
        virtual_size_bytes=size,
    )

    host.volumes.ensure_base(base, tmp_path / "sparse", wait)

    assert place.digest_of(stored_as(place, base)) == base.sha256
    path = pool_of(place).storageVolLookupByName(stored_as(place, base)).path()
    assert int(libvirt_host.run("du", "--block-size=1", path).split()[0]) < MIB


def test_image_of_which_a_guest_runs_is_not_removed(
    host: Host, marks: Marks, tmp_path: Path, wait: Wait
) -> None:
    base, file = image(tmp_path)
    host.volumes.ensure_base(base, file, wait)
    root = blank(marks.ours)
    host.volumes.ensure_volume(root, wait)
    kernel = base_name(marks.deployment, base.sha256, base.disk_format)
    wanted = guest(marks.ours.instance, disk_of(root), kernel=kernel)
    host.hypervisor.ensure_domain(wanted, marks.ours, wait)
    host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)
    with pytest.raises(Refused, match="is started with image"):
        host.volumes.ensure_no_base(base, wait)


def test_content_of_a_running_guest_is_not_replaced(host: Host, marks: Marks, wait: Wait) -> None:
    running_guest(host, marks.ours, wait)
    name = blank(marks.ours).name
    host.volumes.ensure_content(name, bytes(MIB), wait)
    for other in (b"\1" * MIB, b"shorter"):
        with pytest.raises(Refused, match="has volume"):
            host.volumes.ensure_content(name, other, wait)


def test_file_that_libvirt_did_not_know_is_not_taken_for_ours(
    libvirt_host: PrivateHost, place: LibvirtPlace, host: Host, marks: Marks, wait: Wait
) -> None:
    host.hypervisor.facts(wait)
    directory = pool_of(place).XMLDesc().partition("<path>")[2].partition("</path>")[0]
    path = f"{directory}/{blank(marks.ours).name}"
    libvirt_host.run("sh", "-c", f"echo stray > {path}")
    with pytest.raises(Refused, match="another size"):
        host.volumes.ensure_volume(blank(marks.ours), wait)
    assert libvirt_host.run("cat", path) == "stray\n"


@pytest.mark.parametrize(
    "title",
    [
        "</title><devices/>",
        "R&D <b>'\"",
        "two\nlines\r\n\tand tabs",
        "bell \a, null \0, escape \x1b, not a character \uffff, half a pair \ud800",
        "ünïcödé 🚀 \u202eright to left",
        "x" * 5000,
        "",
    ],
)
def test_any_title_can_be_given_to_a_guest(
    place: LibvirtPlace, host: Host, marks: Marks, title: str, wait: Wait
) -> None:
    root = blank(marks.ours)
    host.volumes.ensure_volume(root, wait)
    wanted = replace(guest(marks.ours.instance, disk_of(root)), title=title)

    host.hypervisor.ensure_domain(wanted, marks.ours, wait)

    found = host.hypervisor.find_domain_named(domain_name(marks.ours.instance), wait)
    assert found
    assert found.mark == marks.ours
    kind = libvirt.VIR_DOMAIN_METADATA_TITLE
    said = place.connection.lookupByUUIDString(marks.ours.instance).metadata(kind, None)
    assert said.isprintable()


def test_header_that_a_guest_wrote_into_its_raw_disk_is_not_believed(
    place: LibvirtPlace, host: Host, marks: Marks, wait: Wait
) -> None:
    """A qcow2 header with a file of the host behind it, as the first bytes of a raw disk."""
    secret = b"/etc/passwd"
    header = struct.pack(">4sIQIIQ", b"QFI\xfb", 2, 512, len(secret), 16, 1 << 40)
    content = header.ljust(512, b"\0") + secret
    name = volume_name(marks.ours, "data", "raw")
    host.volumes.ensure_content(name, content.ljust(MIB, b"\0"), wait)
    pool_of(place).refresh()
    disk = Disk(volume=name, disk_format="raw", serial="data")
    host.hypervisor.ensure_domain(guest(marks.ours.instance, disk), marks.ours, wait)

    host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)

    running = place.connection.lookupByUUIDString(marks.ours.instance).XMLDesc()
    assert "/etc/passwd" not in running
    assert [stored.size_bytes for stored in host.volumes.volumes(wait)] == [MIB]


def test_overlay_of_a_file_that_is_no_image_of_ours_is_refused(
    place: LibvirtPlace, host: Host, marks: Marks, wait: Wait
) -> None:
    name = volume_name(marks.ours, "root", "qcow2")
    host.hypervisor.facts(wait)
    pool_of(place).createXML(
        f"<volume><name>{name}</name><capacity>{MIB}</capacity>"
        "<target><format type='qcow2'/></target>"
        "<backingStore><path>/etc/passwd</path><format type='raw'/></backingStore></volume>"
    )
    disk = Disk(volume=name, disk_format="qcow2", serial="root")
    with pytest.raises(Refused, match="which is not ours"):
        host.hypervisor.ensure_domain(guest(marks.ours.instance, disk), marks.ours, wait)


def test_secret_content_is_not_in_the_definition_of_its_guest(
    place: LibvirtPlace, host: Host, marks: Marks, wait: Wait
) -> None:
    name = volume_name(marks.ours, "config", "raw")
    host.volumes.ensure_content(name, b"the password is swordfish".ljust(MIB, b"\0"), wait)
    seed = Disk(volume=name, disk_format="raw", serial="config-2", read_only=True)
    host.hypervisor.ensure_domain(guest(marks.ours.instance, seed), marks.ours, wait)
    assert "swordfish" not in place.connection.lookupByUUIDString(marks.ours.instance).XMLDesc()


def test_subnet_that_the_host_routes_elsewhere_is_a_fault_of_the_host(
    libvirt_host: PrivateHost, host: Host, wait: Wait
) -> None:
    wanted = subnet("10.61.99.0/24")
    libvirt_host.run("ip", "link", "add", "elsewhere", "type", "bridge")
    try:
        libvirt_host.run("ip", "address", "add", "10.61.99.7/24", "dev", "elsewhere")
        libvirt_host.run("ip", "link", "set", "elsewhere", "up")
        with pytest.raises(HostFault) as fault:
            host.network.ensure_network(wanted, wait)
    finally:
        libvirt_host.run("ip", "link", "delete", "elsewhere")
    assert "choose another" in fault.value.hint
    assert not host.network.networks(wait)


def test_network_that_was_switched_off_is_switched_on_again(
    place: LibvirtPlace, host: Host, marks: Marks, wait: Wait
) -> None:
    wanted = subnet()
    host.network.ensure_network(wanted, wait)
    place.connection.networkLookupByUUIDString(wanted.network).destroy()
    host.network.ensure_reservation(reservation(wanted.network), marks.ours, wait)
    assert place.connection.networkLookupByUUIDString(wanted.network).isActive()
    assert [reserved.ip for reserved in host.network.reservations(wanted.network, wait)] == [IP]


def test_reservation_that_only_the_running_network_has_is_written_down(
    place: LibvirtPlace, host: Host, marks: Marks, wait: Wait
) -> None:
    wanted = subnet()
    host.network.ensure_network(wanted, wait)
    known = place.connection.networkLookupByUUIDString(wanted.network)
    empty = known.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)
    host.network.ensure_reservation(reservation(wanted.network), marks.ours, wait)
    place.connection.networkDefineXML(empty)

    host.network.ensure_reservation(reservation(wanted.network), marks.ours, wait)

    assert IP in known.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)


def test_guest_with_two_interfaces_on_one_network_has_two_addresses(
    host: Host, marks: Marks, wait: Wait
) -> None:
    wanted = subnet()
    host.network.ensure_network(wanted, wait)
    for mac, ip in (("52:54:00:61:07:0a", IP), ("52:54:00:61:07:0b", OTHER_IP)):
        host.network.ensure_reservation(reservation(wanted.network, mac, ip), marks.ours, wait)
    found = {
        reserved.ip: reserved.mark for reserved in host.network.reservations(wanted.network, wait)
    }
    assert found == {IP: marks.ours, OTHER_IP: marks.ours}


def test_pool_that_was_switched_off_is_switched_on_again(
    place: LibvirtPlace, host: Host, marks: Marks, wait: Wait
) -> None:
    host.volumes.ensure_volume(blank(marks.ours), wait)
    pool_of(place).destroy()
    assert [stored.mark for stored in host.volumes.volumes(wait)] == [marks.ours]
    assert pool_of(place).isActive()


def test_guest_without_definition_is_removed_as_well(
    place: LibvirtPlace, host: Host, marks: Marks, wait: Wait
) -> None:
    running_guest(host, marks.ours, wait)
    place.connection.lookupByUUIDString(marks.ours.instance).undefine()
    host.hypervisor.ensure_no_domain(marks.ours.instance, whose_create(marks.ours), wait)
    assert not host.hypervisor.domains(wait)


def test_guest_is_removed_with_its_saved_memory(
    place: LibvirtPlace, host: Host, marks: Marks, wait: Wait
) -> None:
    running_guest(host, marks.ours, wait)
    place.connection.lookupByUUIDString(marks.ours.instance).managedSave()
    host.hypervisor.ensure_no_domain(marks.ours.instance, whose_create(marks.ours), wait)
    assert not host.hypervisor.domains(wait)


def test_address_where_no_libvirt_is_cannot_be_asked(place: LibvirtPlace, tmp_path: Path) -> None:
    nowhere = place.backend.host(f"qemu+unix:///system?socket={tmp_path / 'nothing'}")
    with pytest.raises(Unavailable, match="No such file") as unavailable:
        nowhere.hypervisor.domains(Wait(120))
    assert "libvirtd" in unavailable.value.hint


def test_paused_guest_is_let_go_on(
    place: LibvirtPlace, host: Host, marks: Marks, wait: Wait
) -> None:
    running_guest(host, marks.ours, wait)
    place.connection.lookupByUUIDString(marks.ours.instance).suspend()
    host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)
    assert place.connection.lookupByUUIDString(marks.ours.instance).state()[0] == 1


_PROGRAM = """
import sys, threading
from pathlib import Path
import libvirt
from tests.support.libvirt_backends import opened
from vmwright.backends.libvirt import use_own_event_loop
from vmwright.ids import DeploymentId, new_id
from vmwright.waiting import Wait

def turn():
    while True:
        libvirt.virEventRunDefaultImpl()

libvirt.virEventRegisterDefaultImpl()
threading.Thread(target=turn, name="mine", daemon=True).start()
use_own_event_loop()
with opened(sys.argv[1], DeploymentId(new_id())) as backend:
    host = backend.host(sys.argv[1])
    assert host.hypervisor.domains(Wait(120)) == []
print(sorted(thread.name for thread in threading.enumerate() if "libvirt" in thread.name))
"""


def test_program_with_an_event_loop_of_its_own_is_given_no_other(place: LibvirtPlace) -> None:
    command = [sys.executable, "-c", _PROGRAM, place.backend.default_uri]
    root = Path(__file__).parents[2]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, cwd=root)
    assert "libvirt-events" not in ran.stdout
