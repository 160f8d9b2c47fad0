"""What befalls a libvirt host in the middle of a call, whichever call it is."""

import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.attempts import until
from tests.support.libvirt_backends import opened
from tests.support.marks import Marks, whose_create
from tests.support.own_host import backend, host, libvirt_host, marks
from tests.support.private_host import PrivateHost, private_host
from tests.support.things import (
    MIB,
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
from tests.support.uploads import Upload, raw
from vmwright.backends.circuit import Board, CircuitState
from vmwright.backends.host import Backend, Host
from vmwright.backends.libvirt.volume_xml import volume_xml
from vmwright.errors import HostFault, Refused, Unavailable
from vmwright.ids import (
    SnapshotId,
    base_name,
    domain_name,
    new_id,
    snapshot_name,
)
from vmwright.progress import Progress
from vmwright.states import PowerState
from vmwright.waiting import Wait, patiently

__all__ = ["backend", "host", "libvirt_host", "marks"]

pytestmark = pytest.mark.libvirt


Act = Callable[[Host, Marks, Path, Wait], Callable[[], Any]]
"""Prepares a host for a call, and returns the call; what that returns is looked at."""


def look(host: Host, marks: Marks, _directory: Path, wait: Wait) -> Callable[[], Any]:
    running_guest(host, marks.ours, wait)
    return lambda: host.hypervisor.find_domain(marks.ours.instance, wait).power_state.name


def define(host: Host, marks: Marks, _directory: Path, wait: Wait) -> Callable[[], Any]:
    volume = blank(marks.ours)
    host.volumes.ensure_volume(volume, wait)
    wanted = guest(marks.ours.instance, disk_of(volume))

    def call() -> Any:
        host.hypervisor.ensure_domain(wanted, marks.ours, wait)
        return [domain.power_state.name for domain in host.hypervisor.domains(wait)]

    return call


def start(host: Host, marks: Marks, _directory: Path, wait: Wait) -> Callable[[], Any]:
    defined_guest(host, marks.ours, wait)
    return lambda: host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait).name


def destroy(host: Host, marks: Marks, _directory: Path, wait: Wait) -> Callable[[], Any]:
    running_guest(host, marks.ours, wait)
    whose = whose_create(marks.ours)

    def call() -> Any:
        host.hypervisor.ensure_no_domain(marks.ours.instance, whose, wait)
        return host.hypervisor.domains(wait)

    return call


def make_network(host: Host, _marks: Marks, _directory: Path, wait: Wait) -> Callable[[], Any]:
    host.hypervisor.facts(wait)
    net = subnet()

    def call() -> Any:
        host.network.ensure_network(net, wait)
        return [known == net.network for known in host.network.networks(wait)]

    return call


def reserve(host: Host, marks: Marks, _directory: Path, wait: Wait) -> Callable[[], Any]:
    net = subnet()
    host.network.ensure_network(net, wait)
    wanted = reservation(net.network)

    def call() -> Any:
        host.network.ensure_reservation(wanted, marks.ours, wait)
        return [known.ip == wanted.ip for known in host.network.reservations(net.network, wait)]

    return call


def unreserve(host: Host, marks: Marks, _directory: Path, wait: Wait) -> Callable[[], Any]:
    net = subnet()
    host.network.ensure_network(net, wait)
    known, whose = reservation(net.network), whose_create(marks.ours)
    host.network.ensure_reservation(known, marks.ours, wait)

    def call() -> Any:
        host.network.ensure_no_reservation(net.network, known.mac, known.ip, whose, wait)
        return host.network.reservations(net.network, wait)

    return call


def upload(host: Host, marks: Marks, directory: Path, wait: Wait) -> Callable[[], Any]:
    host.hypervisor.facts(wait)
    base, file = image(directory, b"\5")

    def call() -> Any:
        host.volumes.ensure_base(base, file, wait)
        host.volumes.ensure_volume(overlay(marks.ours, base), wait)
        return len(host.volumes.volumes(wait))

    return call


def make_volume(host: Host, marks: Marks, _directory: Path, wait: Wait) -> Callable[[], Any]:
    host.hypervisor.facts(wait)

    def call() -> Any:
        host.volumes.ensure_volume(blank(marks.ours, disk_format="qcow2"), wait)
        return [stored.size_bytes for stored in host.volumes.volumes(wait)]

    return call


def fill(host: Host, marks: Marks, _directory: Path, wait: Wait) -> Callable[[], Any]:
    host.hypervisor.facts(wait)
    name = blank(marks.ours, "config").name

    def call() -> Any:
        host.volumes.ensure_content(name, b"\6" * MIB, wait)
        return [stored.size_bytes for stored in host.volumes.volumes(wait)]

    return call


def copy(host: Host, marks: Marks, _directory: Path, wait: Wait) -> Callable[[], Any]:
    source = blank(marks.ours, disk_format="qcow2")
    host.volumes.ensure_volume(source, wait)
    snapshot = snapshot_name(marks.deployment, SnapshotId(new_id()), "qcow2")

    def call() -> Any:
        host.volumes.ensure_copy(snapshot, source.name, wait)
        return len(host.volumes.volumes(wait))

    return call


def remove_volume(host: Host, marks: Marks, _directory: Path, wait: Wait) -> Callable[[], Any]:
    volume, whose = blank(marks.ours), whose_create(marks.ours)
    host.volumes.ensure_volume(volume, wait)

    def call() -> Any:
        host.volumes.ensure_no_volume(volume.name, whose, wait)
        return host.volumes.volumes(wait)

    return call


CALLS: dict[Act, Any] = {
    look: "RUNNING",
    define: ["SHUTDOWN"],
    start: "RUNNING",
    destroy: [],
    make_network: [True],
    reserve: [True],
    unreserve: [],
    upload: 2,
    make_volume: [MIB],
    fill: [MIB],
    copy: 2,
    remove_volume: [],
}
QUICK = {("start", "stop"), ("copy", "kill")}


@pytest.mark.parametrize(
    ("act", "end"),
    [
        pytest.param(
            act,
            end,
            id=f"{act.__name__}-{end}",
            marks=() if (act.__name__, end) in QUICK else pytest.mark.slow,
        )
        for act in CALLS
        for end in ("kill", "stop")
    ],
)
def test_restart_of_the_daemon_in_the_middle_of_a_call(
    libvirt_host: PrivateHost, host: Host, marks: Marks, tmp_path: Path, wait: Wait, act, end
) -> None:
    """The daemon hangs, so that the call is surely under way, and is ended: by SIGKILL, or by
    SIGTERM as a service manager does it."""
    call = act(host, marks, tmp_path, wait)
    libvirt_host.freeze_libvirtd()
    with ThreadPoolExecutor(1) as pool:
        future: Future[Any] = pool.submit(call)
        until(lambda: future.done() or _is_under_way())
        libvirt_host.kill_libvirtd() if end == "kill" else libvirt_host.stop_libvirtd()
        libvirt_host.start_libvirtd()
        assert future.result() == CALLS[act]


def _is_under_way() -> bool:
    names = [thread.name for thread in threading.enumerate()]
    return any(name.startswith("libvirt: ") and name != "libvirt: close" for name in names)


def test_circuit_of_a_hanging_host_is_opened_shown_and_closed(
    libvirt_host: PrivateHost, backend: Backend, tmp_path: Path, wait: Wait
) -> None:
    """Law 11: the call keeps its thread, is counted, and its connection is closed."""
    uri, board = libvirt_host.uri, Board(tmp_path / "state")
    arguments = {"state_dir": tmp_path / "state", "call_deadline": 1.0}
    with opened(uri, backend.deployment, **arguments) as hasty:
        host = hasty.host(uri)
        host.hypervisor.domains(wait)
        assert board.condition(uri).state is CircuitState.CLOSED
        libvirt_host.freeze_libvirtd()
        with pytest.raises(Unavailable, match=r"no answer within 1\.0 s"):
            host.hypervisor.domains(wait)
        told = board.condition(uri)
        assert (told.state, told.unanswered) == (CircuitState.OPEN, 1)
        assert "no answer within 1.0 s" in str(told.reason)
        with pytest.raises(Unavailable, match="rests for"):
            host.volumes.volumes(wait)
        libvirt_host.thaw_libvirtd()
        assert patiently(lambda: host.hypervisor.domains(wait), wait, "list guests") == []
        assert board.condition(uri).state is CircuitState.CLOSED
    assert list((tmp_path / "state" / "circuits").iterdir()) == []


def test_hanging_host_keeps_no_other_waiting(
    libvirt_host: PrivateHost, backend: Backend, host: Host, marks: Marks, tmp_path: Path
) -> None:
    """Calls to one host hang while a whole guest is made on the other, through one backend."""
    wait = Wait(120)
    with private_host(tmp_path / "slow") as slow:
        other = backend.host(slow.uri)
        other.hypervisor.facts(wait)
        slow.freeze_libvirtd()
        with ThreadPoolExecutor(4) as pool:
            hanging = [pool.submit(other.hypervisor.domains, Wait(120)) for _ in range(4)]
            until(_is_under_way)
            running_guest(host, marks.ours, wait)
            assert libvirt_host.virsh("domstate", domain_name(marks.ours.instance)).strip() == (
                "running"
            )
            assert not any(call.done() for call in hanging)
            slow.thaw_libvirtd()
            assert [call.result() for call in hanging] == [[]] * 4


@pytest.mark.slow
def test_pool_is_read_again_as_soon_as_a_copy_lets_it(
    libvirt_host: PrivateHost, host: Host, marks: Marks, wait: Wait
) -> None:
    """libvirt refuses to read a pool anew while it copies: "has asynchronous jobs running"."""
    source = blank(marks.ours, disk_format="qcow2")
    stray, other = blank(marks.other_instance), blank(marks.other_instance, "data")
    host.volumes.ensure_volume(source, wait)
    pool = pool_of(libvirt_host)
    path = libvirt_host.virsh("vol-path", source.name, "--pool", pool).strip()
    snapshot = snapshot_name(marks.deployment, SnapshotId(new_id()), "qcow2")
    hold_copies_back(libvirt_host)
    with ThreadPoolExecutor(1) as threads:
        copying = threads.submit(host.volumes.ensure_copy, snapshot, source.name, wait)
        until((libvirt_host.directory / "run" / "copying").exists)
        with pytest.raises(RuntimeError, match="asynchronous jobs running"):
            libvirt_host.virsh("pool-refresh", pool)
        libvirt_host.run("truncate", "-s", str(MIB), str(Path(path).parent / stray.name))
        with pytest.raises(Unavailable, match="asynchronous jobs running"):
            host.volumes.ensure_volume(stray, wait)
        host.volumes.ensure_volume(other, wait)
        assert not copying.done()
        (libvirt_host.directory / "run" / "go-on").touch()
        patiently(lambda: host.volumes.ensure_volume(stray, wait), wait, "make the volume")
        copying.result()
    names = {stored.name for stored in host.volumes.volumes(wait)}
    assert names == {source.name, snapshot, stray.name, other.name}


def hold_copies_back(libvirt_host: PrivateHost) -> None:
    """Have libvirt's copies say that they have begun, and wait until they may go on."""
    own = libvirt_host.directory / "run" / "qemu-img"
    own.write_text(
        '#!/bin/sh\n[ "$1" = convert ] && { touch /run/copying\n'
        "while [ ! -e /run/go-on ]; do sleep 0.05; done; }\n"
        'exec /run/qemu-img.real "$@"\n'
    )
    own.chmod(0o755)
    path = libvirt_host.run("which", "qemu-img").strip()
    libvirt_host.run("cp", path, "/run/qemu-img.real")
    libvirt_host.run("mount", "--bind", "/run/qemu-img", path)


def pool_of(libvirt_host: PrivateHost) -> str:
    return libvirt_host.virsh("pool-list", "--name").strip()


FULL = r"No space left on device|could not write all"
"""In libvirt's words, or in ours where it has none."""


def shrunk(libvirt_host: PrivateHost, size: str) -> str:
    """Have a file system of this size under the pool; returns the pool's directory."""
    pool = libvirt_host.virsh("pool-dumpxml", pool_of(libvirt_host))
    (directory,) = (path.text for path in ET.fromstring(pool).iterfind("target/path"))
    assert directory
    libvirt_host.run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory)
    libvirt_host.virsh("pool-refresh", pool_of(libvirt_host))
    return directory


@pytest.mark.parametrize(
    ("size", "room"),
    [
        pytest.param(MIB, "512k", id="to the half"),
        # Of what goes wrong once all was sent, libvirt's daemon tells nobody.
        pytest.param(MIB >> 3, "64k", id="in its last message"),
    ],
)
def test_image_that_does_not_fit_under_the_pool_is_a_fault_of_the_host(
    libvirt_host: PrivateHost, host: Host, marks: Marks, tmp_path: Path, wait: Wait, size, room
) -> None:
    """It is never used half, and whole once there is room."""
    host.volumes.ensure_volume(blank(marks.other_instance), wait)
    directory = shrunk(libvirt_host, room)
    base, file = image(tmp_path, b"\7", size)
    with pytest.raises(HostFault, match=FULL) as fault:
        host.volumes.ensure_base(base, file, wait)
    assert "free room" in fault.value.hint
    with pytest.raises(Refused, match="begins as is missing"):
        host.volumes.ensure_volume(overlay(marks.ours, base), wait)

    libvirt_host.run("mount", "-o", "remount,size=16m", directory)
    host.volumes.ensure_base(base, file, wait)
    stored = base_name(marks.deployment, base.sha256, "raw")
    digest = libvirt_host.run("sha256sum", f"{directory}/{stored}").split()[0]
    assert digest == base.sha256


def test_image_that_does_not_fit_before_a_hole_is_a_fault_of_the_host(
    libvirt_host: PrivateHost, host: Host, marks: Marks, tmp_path: Path, wait: Wait
) -> None:
    """The host has room for its end, which would prove nothing of the rest: it is not sent."""
    room, end = 64 << 10, 16 * MIB
    source = raw(tmp_path / "image", {0: 2 * room, end: room})
    upload = Upload.to(host, libvirt_host, marks, source)
    directory = shrunk(libvirt_host, str(2 * room))
    upload.put_blank()
    libvirt_host.run("fallocate", "--offset", str(end), "--length", str(room), upload.path)
    sent: list[float] = []

    def report(progress: Progress) -> None:
        if progress.note.startswith("upload image"):
            sent.append(progress.fraction)

    with pytest.raises(HostFault, match=FULL):
        host.volumes.ensure_base(upload.base, source, Wait(120, report=report))
    assert len(sent) == 1
    assert not upload.is_called_whole()

    libvirt_host.run("mount", "-o", "remount,size=16m", directory)
    host.volumes.ensure_base(upload.base, source, wait)
    assert upload.is_called_whole()
    assert upload.is_there()


def test_seed_that_does_not_fit_under_the_pool_is_a_fault_of_the_host(
    libvirt_host: PrivateHost, host: Host, marks: Marks, wait: Wait
) -> None:
    """Also where another one ended in the same way."""
    host.volumes.ensure_volume(blank(marks.other_instance), wait)
    directory = shrunk(libvirt_host, "64k")
    name, content = blank(marks.ours, "config").name, b"\6" * (MIB >> 3)
    path = f"{directory}/{name}"
    end = f"dd of={path} bs=1 seek={len(content) - 1} status=none"
    libvirt_host.run("sh", "-c", f"truncate -s {len(content)} {path}; printf '\\006' | {end}")
    libvirt_host.virsh("pool-refresh", pool_of(libvirt_host))
    with pytest.raises(HostFault, match=FULL) as fault:
        host.volumes.ensure_content(name, content, wait)
    assert "free room" in fault.value.hint

    libvirt_host.run("mount", "-o", "remount,size=16m", directory)
    host.volumes.ensure_content(name, content, wait)
    assert libvirt_host.run("cat", path) == content.decode()


def test_late_word_that_an_image_is_whole_does_not_count_for_the_next_upload(
    libvirt_host: PrivateHost, host: Host, marks: Marks, tmp_path: Path, wait: Wait
) -> None:
    """A process that was stopped said so after the image had been removed."""
    base, file = image(tmp_path, b"\7")
    host.volumes.ensure_volume(blank(marks.other_instance), wait)
    name = base_name(marks.deployment, base.sha256, "raw")
    late = tmp_path / "late.xml"
    late.write_text(volume_xml(f"{name}.whole", "raw", 0))
    libvirt_host.virsh("vol-create", pool_of(libvirt_host), str(late))

    class Killed(Exception):
        pass

    def die(_progress: Progress) -> None:
        raise Killed

    with pytest.raises(Killed):
        host.volumes.ensure_base(base, file, Wait(120, report=die))
    with pytest.raises(Refused, match="begins as is missing"):
        host.volumes.ensure_volume(overlay(marks.ours, base), wait)


def test_guest_whose_qemu_is_killed_is_off_and_can_be_started_again(
    libvirt_host: PrivateHost, host: Host, marks: Marks, wait: Wait
) -> None:
    mark = marks.ours
    running_guest(host, mark, wait)
    libvirt_host.run(
        "sh", "-c", f"kill -9 $(cat /run/libvirt/qemu/{domain_name(mark.instance)}.pid)"
    )

    def power() -> PowerState:
        found = host.hypervisor.find_domain(mark.instance, wait)
        assert found
        assert not found.off_by_itself
        return found.power_state

    until(lambda: power() in (PowerState.SHUTDOWN, PowerState.CRASHED))
    assert host.hypervisor.ensure_running(mark.instance, mark, wait) is PowerState.RUNNING


def test_qemu_that_is_killed_whenever_it_starts_is_a_fault_of_the_host(
    libvirt_host: PrivateHost, host: Host, marks: Marks, wait: Wait
) -> None:
    mark = marks.ours
    defined_guest(host, mark, wait)
    libvirt_host.run(
        "sh", "-c", "(while :; do kill -9 $(pidof qemu-system-x86_64); done) >/dev/null 2>&1 &"
    )
    with pytest.raises(HostFault):
        host.hypervisor.ensure_running(mark.instance, mark, wait)
    host.hypervisor.ensure_no_domain(mark.instance, whose_create(mark), wait)
    assert libvirt_host.virsh("list", "--all", "--name").split() == []
