"""The daemon of a libvirt host is killed, hangs, or loses its power: what a flow sees of it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.libvirt_backends import opened
from tests.support.marks import Marks, whose_create
from tests.support.own_host import backend, host, libvirt_host, marks
from tests.support.private_host import PrivateHost
from tests.support.things import (
    IP,
    MAC,
    image,
    reservation,
    running_guest,
    subnet,
)
from vmwright.backends.host import Backend, Host
from vmwright.errors import HostFault, Unavailable
from vmwright.ids import domain_name
from vmwright.progress import Progress
from vmwright.states import PowerState
from vmwright.waiting import Wait, patiently

__all__ = ["backend", "host", "libvirt_host", "marks"]

pytestmark = pytest.mark.libvirt


@pytest.fixture
def hasty(libvirt_host: PrivateHost, backend: Backend) -> Iterator[Host]:
    """The same host for somebody who lets no call take longer than a second."""
    with opened(libvirt_host.uri, backend.deployment, call_deadline=1.0) as hasty:
        yield hasty.host(libvirt_host.uri)


def restart(host: PrivateHost) -> threading.Thread:
    """Kill the daemon; it is started again while the caller goes on."""
    host.kill_libvirtd()
    starting = threading.Thread(target=host.start_libvirtd)
    starting.start()
    return starting


def test_look_outlasts_a_restart_of_the_daemon(
    libvirt_host: PrivateHost, host: Host, marks: Marks, wait: Wait
) -> None:
    running_guest(host, marks.ours, wait)
    starting = restart(libvirt_host)
    found = host.hypervisor.find_domain(marks.ours.instance, wait)
    starting.join()
    assert found
    assert (found.mark, found.power_state) == (marks.ours, PowerState.RUNNING)


def test_change_outlasts_a_restart_of_the_daemon(
    libvirt_host: PrivateHost, host: Host, marks: Marks, wait: Wait
) -> None:
    host.hypervisor.facts(wait)
    starting = restart(libvirt_host)
    running_guest(host, marks.ours, wait)
    starting.join()
    assert [domain.mark for domain in host.hypervisor.domains(wait)] == [marks.ours]


def test_daemon_that_is_killed_in_the_middle_of_changes_loses_none(
    libvirt_host: PrivateHost, host: Host, marks: Marks, wait: Wait
) -> None:
    network = subnet()
    host.network.ensure_network(network, wait)
    begun = threading.Event()

    def reserve() -> None:
        for last in range(10, 20):
            wanted = reservation(network.network, f"52:54:00:61:07:{last}", f"10.61.7.{last}")
            begun.set()
            patiently(
                lambda: host.network.ensure_reservation(wanted, marks.ours, wait),  # noqa: B023
                wait,
                "reserve",
            )

    reserving = threading.Thread(target=reserve)
    reserving.start()
    begun.wait()
    restart(libvirt_host).join()
    reserving.join()

    reserved = host.network.reservations(network.network, wait)
    assert [one.ip for one in reserved] == [f"10.61.7.{last}" for last in range(10, 20)]
    lines = libvirt_host.run("sh", "-c", "cat /var/lib/libvirt/dnsmasq/*.hostsfile").split()
    assert len(lines) == len(reserved)


def test_upload_outlasts_a_restart_of_the_daemon(
    libvirt_host: PrivateHost, host: Host, tmp_path: Path, wait: Wait
) -> None:
    base, file = image(tmp_path, b"\7")
    host.hypervisor.facts(wait)
    restarts: list[threading.Thread] = []

    def restart_once(_progress: Progress) -> None:
        if not restarts:
            restarts.append(restart(libvirt_host))

    host.volumes.ensure_base(base, file, Wait(120, report=restart_once))

    restarts[0].join()
    assert [stored.size_bytes for stored in host.volumes.volumes(wait)] == [base.size_bytes]


def test_dead_daemon_is_unavailable_and_its_host_rests(
    libvirt_host: PrivateHost, host: Host, wait: Wait
) -> None:
    libvirt_host.kill_libvirtd()
    with pytest.raises(Unavailable, match="Connection refused"):
        host.hypervisor.domains(wait)
    with pytest.raises(Unavailable, match="rests"):
        host.hypervisor.domains(wait)

    libvirt_host.start_libvirtd()
    assert patiently(lambda: host.hypervisor.domains(wait), wait, "list guests") == []


def test_hanging_daemon_is_unavailable_after_the_deadline_of_a_call(
    libvirt_host: PrivateHost, hasty: Host, wait: Wait
) -> None:
    hasty.hypervisor.domains(wait)
    libvirt_host.freeze_libvirtd()
    with pytest.raises(Unavailable, match=r"no answer within 1\.0 s"):
        hasty.hypervisor.domains(wait)
    with pytest.raises(Unavailable, match="rests"):
        hasty.hypervisor.domains(wait)

    libvirt_host.thaw_libvirtd()
    assert patiently(lambda: hasty.hypervisor.domains(wait), wait, "list guests") == []


def test_daemon_that_hangs_while_it_is_greeted_is_unavailable(
    libvirt_host: PrivateHost, hasty: Host, wait: Wait
) -> None:
    libvirt_host.freeze_libvirtd()
    with pytest.raises(Unavailable, match="no answer within"):
        hasty.hypervisor.domains(wait)
    libvirt_host.thaw_libvirtd()


def test_caller_in_a_hurry_does_not_make_the_host_rest(
    libvirt_host: PrivateHost, host: Host, wait: Wait
) -> None:
    host.hypervisor.domains(wait)
    libvirt_host.freeze_libvirtd()
    with pytest.raises(Unavailable, match="no answer within"):
        host.hypervisor.domains(Wait(0.2))
    libvirt_host.thaw_libvirtd()
    assert host.hypervisor.domains(wait) == []


def test_hanging_change_is_not_settled_before_it_ended(
    libvirt_host: PrivateHost, host: Host, hasty: Host, marks: Marks, wait: Wait
) -> None:
    mark = marks.ours
    running_guest(host, mark, wait)
    hasty.hypervisor.domains(wait)
    libvirt_host.freeze_libvirtd()
    with pytest.raises(Unavailable):
        hasty.hypervisor.ensure_no_domain(mark.instance, whose_create(mark), wait)
    with pytest.raises(Unavailable, match="goes on"):
        hasty.hypervisor.settle_domain(mark.instance, Wait(0.5))

    libvirt_host.thaw_libvirtd()
    patiently(lambda: hasty.hypervisor.settle_domain(mark.instance, wait), wait, "settle")
    assert host.hypervisor.find_domain(mark.instance, wait) is None


def test_reader_of_a_console_is_told_that_the_host_is_lost(
    libvirt_host: PrivateHost, host: Host, marks: Marks, wait: Wait
) -> None:
    running_guest(host, marks.ours, wait)
    console = host.hypervisor.console(marks.ours.instance, wait)
    libvirt_host.kill_libvirtd()
    with pytest.raises(Unavailable, match="console"):
        list(console)


def test_definitions_volumes_and_addresses_outlast_a_power_failure(
    libvirt_host: PrivateHost, host: Host, marks: Marks, wait: Wait
) -> None:
    network = subnet()
    host.network.ensure_network(network, wait)
    host.network.ensure_reservation(reservation(network.network), marks.ours, wait)
    running_guest(host, marks.ours, wait)

    libvirt_host.power_off()
    with pytest.raises(Unavailable):
        host.hypervisor.domains(wait.within(1))
    libvirt_host.power_on()

    domains = patiently(lambda: host.hypervisor.domains(wait), wait, "list guests")
    assert [(one.mark, one.power_state) for one in domains] == [(marks.ours, PowerState.SHUTDOWN)]
    assert [stored.mark for stored in host.volumes.volumes(wait)] == [marks.ours]
    reserved = host.network.reservations(network.network, wait)
    assert [(one.mac, one.ip, one.mark) for one in reserved] == [(MAC, IP, marks.ours)]
    assert host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)


@pytest.mark.slow
def test_guest_that_the_killed_daemon_left_half_started_is_a_fault_of_the_host(
    libvirt_host: PrivateHost, host: Host, marks: Marks, wait: Wait
) -> None:
    """As libvirt 9 writes it down just before QEMU: nothing but the file's removal helps."""
    running_guest(host, marks.ours, wait)
    libvirt_host.kill_libvirtd()
    state = f"/run/libvirt/qemu/{domain_name(marks.ours.instance)}"
    half = "s/state='running' [^>]*>/state='paused' reason='starting up' pid='0'>/"
    job = "s/<job [^>]*>/<job type='none' async='start' flags='0x0' asyncStarted='1'\\/>/"
    libvirt_host.run("sh", "-c", f"kill -9 $(cat {state}.pid)")
    libvirt_host.run("sed", "-i", "-e", half, "-e", job, f"{state}.xml")
    libvirt_host.start_libvirtd()

    with pytest.raises(HostFault, match="stays paused") as fault:
        host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)
    assert f"{state}.xml" in fault.value.hint

    libvirt_host.kill_libvirtd()
    libvirt_host.run("rm", f"{state}.xml")
    libvirt_host.start_libvirtd()
    patiently(
        lambda: host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait), wait, "start"
    )
