"""The promises that every `Hypervisor` keeps."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.marks import Marks, whose_create, whose_delete
from tests.support.places import Place
from tests.support.things import (
    MAC,
    blank,
    defined_guest,
    disk_of,
    guest,
    image,
    running_guest,
    subnet,
)
from vmwright.backends.host import Host
from vmwright.backends.hypervisor import Nic
from vmwright.errors import Cancelled, HostFault, Refused, Unavailable
from vmwright.ids import InstanceId, Mark, NetworkId, Whose, base_name, domain_name, new_id
from vmwright.states import PowerState
from vmwright.waiting import Wait

foreign_marks = pytest.mark.parametrize(
    "foreign",
    [
        pytest.param(lambda marks: marks.next_attempt, id="next-attempt"),
        pytest.param(lambda marks: marks.other_operation, id="other-operation"),
        pytest.param(lambda marks: marks.other_deployment, id="other-deployment"),
    ],
)
Chosen = Callable[[Marks], Mark]


def test_host_says_the_same_of_itself_twice(host: Host, wait: Wait) -> None:
    facts = host.hypervisor.facts(wait)
    assert facts == host.hypervisor.facts(wait)
    assert min(facts.vcpus, facts.memory_mib, facts.disk_gib) > 0
    assert facts.uuid
    assert facts.name


def test_unknown_guest_is_not_found(host: Host, wait: Wait) -> None:
    instance = InstanceId(new_id())
    assert host.hypervisor.find_domain(instance, wait) is None
    assert host.hypervisor.find_domain_named(domain_name(instance), wait) is None
    assert host.hypervisor.find_domain_named("../escape", wait) is None


def test_guest_is_known_by_uuid_name_and_mark(host: Host, marks: Marks, wait: Wait) -> None:
    defined_guest(host, marks.ours, wait)

    found = host.hypervisor.find_domain(marks.ours.instance, wait)

    assert found
    assert (found.uuid, found.name) == (marks.ours.instance, domain_name(marks.ours.instance))
    assert (found.mark, found.power_state) == (marks.ours, PowerState.SHUTDOWN)
    assert host.hypervisor.find_domain_named(found.name, wait) == found
    assert found in host.hypervisor.domains(wait)


def test_guest_can_be_asked_for_twice(host: Host, marks: Marks, wait: Wait) -> None:
    defined_guest(host, marks.ours, wait)
    once = host.hypervisor.domains(wait)
    defined_guest(host, marks.ours, wait)
    assert host.hypervisor.domains(wait) == once


@foreign_marks
def test_guest_of_others_is_refused(host: Host, marks: Marks, foreign: Chosen, wait: Wait) -> None:
    volume = defined_guest(host, marks.ours, wait)
    theirs = host.hypervisor.find_domain(marks.ours.instance, wait)

    with pytest.raises(Refused):
        host.hypervisor.ensure_domain(
            guest(marks.ours.instance, disk_of(volume)), foreign(marks), wait
        )

    assert host.hypervisor.find_domain(marks.ours.instance, wait) == theirs


def test_guest_without_mark_is_refused(place: Place, host: Host, marks: Marks, wait: Wait) -> None:
    place.put_domain(marks.ours.instance, "stranger")

    with pytest.raises(Refused):
        defined_guest(host, marks.ours, wait)

    found = host.hypervisor.find_domain_named("stranger", wait)
    assert found
    assert (found.uuid, found.mark) == (marks.ours.instance, None)


def test_taken_name_is_refused(place: Place, host: Host, marks: Marks, wait: Wait) -> None:
    place.put_domain(stranger := new_id(), domain_name(marks.ours.instance))

    with pytest.raises(Refused):
        defined_guest(host, marks.ours, wait)

    assert [domain.uuid for domain in host.hypervisor.domains(wait)] == [stranger]


def test_guest_with_a_missing_volume_is_refused(host: Host, marks: Marks, wait: Wait) -> None:
    wanted = guest(marks.ours.instance, disk_of(blank(marks.ours)))
    with pytest.raises(Refused):
        host.hypervisor.ensure_domain(wanted, marks.ours, wait)
    assert not host.hypervisor.domains(wait)


def test_guest_with_a_missing_kernel_is_refused(host: Host, marks: Marks, wait: Wait) -> None:
    volume = blank(marks.ours)
    host.volumes.ensure_volume(volume, wait)
    kernel = blank(marks.ours, "kernel").name
    with pytest.raises(Refused):
        host.hypervisor.ensure_domain(
            guest(marks.ours.instance, disk_of(volume), kernel=kernel), marks.ours, wait
        )
    assert not host.hypervisor.domains(wait)


def test_kernel_may_be_a_cached_image(
    place: Place, host: Host, marks: Marks, tmp_path: Path, wait: Wait
) -> None:
    base, source = image(tmp_path)
    host.volumes.ensure_base(base, source, wait)
    host.volumes.ensure_volume(blank(marks.ours), wait)
    kernel = base_name(place.backend.deployment, base.sha256, base.disk_format)
    wanted = guest(marks.ours.instance, disk_of(blank(marks.ours)), kernel=kernel)
    host.hypervisor.ensure_domain(wanted, marks.ours, wait)
    assert host.hypervisor.find_domain(marks.ours.instance, wait)


def test_guest_with_a_missing_network_is_refused(host: Host, marks: Marks, wait: Wait) -> None:
    volume = blank(marks.ours)
    host.volumes.ensure_volume(volume, wait)
    nic = Nic(network=subnet().network, mac=MAC)
    with pytest.raises(Refused):
        host.hypervisor.ensure_domain(
            guest(marks.ours.instance, disk_of(volume), nics=(nic,)), marks.ours, wait
        )
    assert not host.hypervisor.domains(wait)


@pytest.mark.parametrize(
    "impossible",
    [
        pytest.param({"vcpus": 0}, id="no-vcpu"),
        pytest.param({"memory_mib": 0}, id="no-memory"),
        pytest.param({"disks": ()}, id="no-disk"),
        pytest.param(
            {"nics": (Nic(network=NetworkId(new_id()), mac="01:00:5e:00:00:01"),)}, id="multicast"
        ),
    ],
)
def test_guest_that_cannot_be_is_refused(
    host: Host, marks: Marks, impossible: dict[str, Any], wait: Wait
) -> None:
    volume = blank(marks.ours)
    host.volumes.ensure_volume(volume, wait)
    wanted = replace(guest(marks.ours.instance, disk_of(volume)), **impossible)
    with pytest.raises(Refused):
        host.hypervisor.ensure_domain(wanted, marks.ours, wait)
    assert not host.hypervisor.domains(wait)


def test_guest_on_a_network_runs(host: Host, marks: Marks, wait: Wait) -> None:
    network, volume = subnet(), blank(marks.ours)
    host.network.ensure_network(network, wait)
    host.volumes.ensure_volume(volume, wait)
    nic = Nic(network=network.network, mac=MAC)
    wanted = guest(marks.ours.instance, disk_of(volume), nics=(nic,))

    host.hypervisor.ensure_domain(wanted, marks.ours, wait)

    assert (
        host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait) == PowerState.RUNNING
    )


def test_guest_can_be_switched_on_twice(host: Host, marks: Marks, wait: Wait) -> None:
    running_guest(host, marks.ours, wait)
    again = host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)
    found = host.hypervisor.find_domain(marks.ours.instance, wait)
    assert found
    assert again == found.power_state == PowerState.RUNNING


def test_running_guest_stays_as_it_is(host: Host, marks: Marks, wait: Wait) -> None:
    running_guest(host, marks.ours, wait)
    before = host.hypervisor.find_domain(marks.ours.instance, wait)
    defined_guest(host, marks.ours, wait)
    assert host.hypervisor.find_domain(marks.ours.instance, wait) == before


def test_unknown_guest_is_not_switched_on(host: Host, marks: Marks, wait: Wait) -> None:
    with pytest.raises(Refused):
        host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)


@foreign_marks
def test_guest_of_others_is_not_switched_on(
    host: Host, marks: Marks, foreign: Chosen, wait: Wait
) -> None:
    defined_guest(host, marks.ours, wait)

    with pytest.raises(Refused):
        host.hypervisor.ensure_running(marks.ours.instance, foreign(marks), wait)

    found = host.hypervisor.find_domain(marks.ours.instance, wait)
    assert found
    assert found.power_state == PowerState.SHUTDOWN


def test_two_guests_cannot_write_to_one_volume(host: Host, marks: Marks, wait: Wait) -> None:
    volume, second = running_guest(host, marks.ours, wait), marks.other_instance
    host.hypervisor.ensure_domain(guest(second.instance, disk_of(volume)), second, wait)

    with pytest.raises(HostFault):
        host.hypervisor.ensure_running(second.instance, second, wait)

    found = host.hypervisor.find_domain(second.instance, wait)
    assert found
    assert found.power_state == PowerState.SHUTDOWN


def test_two_guests_can_read_one_volume(host: Host, marks: Marks, wait: Wait) -> None:
    shared = blank(marks.ours, "config")
    host.volumes.ensure_volume(shared, wait)
    seed = replace(disk_of(shared, "config"), read_only=True)
    for mark in (marks.ours, marks.other_instance):
        root = blank(mark)
        host.volumes.ensure_volume(root, wait)
        host.hypervisor.ensure_domain(guest(mark.instance, disk_of(root), seed), mark, wait)
        host.hypervisor.ensure_running(mark.instance, mark, wait)
    states = [domain.power_state for domain in host.hypervisor.domains(wait)]
    assert states == [PowerState.RUNNING, PowerState.RUNNING]


def test_guest_cannot_read_what_another_writes(host: Host, marks: Marks, wait: Wait) -> None:
    volume, second = running_guest(host, marks.ours, wait), marks.other_instance
    reading = replace(disk_of(volume), read_only=True)
    host.hypervisor.ensure_domain(guest(second.instance, reading), second, wait)
    with pytest.raises(HostFault):
        host.hypervisor.ensure_running(second.instance, second, wait)


def test_raw_bytes_are_no_qcow2_disk(host: Host, marks: Marks, wait: Wait) -> None:
    volume = blank(marks.ours)
    host.volumes.ensure_volume(volume, wait)
    disk = replace(disk_of(volume), disk_format="qcow2")
    host.hypervisor.ensure_domain(guest(marks.ours.instance, disk), marks.ours, wait)
    with pytest.raises(HostFault):
        host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)


def test_guest_larger_than_the_host_does_not_start(host: Host, marks: Marks, wait: Wait) -> None:
    volume = blank(marks.ours)
    host.volumes.ensure_volume(volume, wait)
    too_much = 8 * host.hypervisor.facts(wait).memory_mib
    wanted = guest(marks.ours.instance, disk_of(volume), memory_mib=too_much)
    host.hypervisor.ensure_domain(wanted, marks.ours, wait)

    with pytest.raises(HostFault):
        host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)

    found = host.hypervisor.find_domain(marks.ours.instance, wait)
    assert found
    assert found.power_state == PowerState.SHUTDOWN


@pytest.mark.parametrize("whose", [whose_create, whose_delete])
@pytest.mark.parametrize("made", [defined_guest, running_guest])
def test_guest_is_made_unknown(
    host: Host,
    marks: Marks,
    made: Callable[[Host, Mark, Wait], object],
    whose: Callable[[Mark], Whose],
    wait: Wait,
) -> None:
    made(host, marks.ours, wait)
    for _ in range(2):
        host.hypervisor.ensure_no_domain(marks.ours.instance, whose(marks.ours), wait)
        assert host.hypervisor.find_domain(marks.ours.instance, wait) is None
    assert not host.hypervisor.domains(wait)


def test_removing_an_unknown_guest_is_fine(host: Host, marks: Marks, wait: Wait) -> None:
    host.hypervisor.ensure_no_domain(marks.ours.instance, whose_create(marks.ours), wait)


@pytest.mark.parametrize(
    "whose",
    [
        pytest.param(lambda marks: whose_create(marks.other_operation), id="other-operation"),
        pytest.param(lambda marks: whose_delete(marks.other_instance), id="other-instance"),
        pytest.param(lambda marks: whose_delete(marks.other_deployment), id="other-deployment"),
    ],
)
def test_guest_of_others_is_not_removed(
    host: Host, marks: Marks, whose: Callable[[Marks], Whose], wait: Wait
) -> None:
    running_guest(host, marks.ours, wait)
    before = host.hypervisor.domains(wait)
    host.hypervisor.ensure_no_domain(marks.ours.instance, whose(marks), wait)
    assert host.hypervisor.domains(wait) == before


def test_guest_without_mark_is_not_removed(
    place: Place, host: Host, marks: Marks, wait: Wait
) -> None:
    place.put_domain(marks.ours.instance, "stranger")
    host.hypervisor.ensure_no_domain(marks.ours.instance, whose_delete(marks.ours), wait)
    assert host.hypervisor.find_domain(marks.ours.instance, wait)


def test_removed_guest_can_be_made_by_another_operation(
    host: Host, marks: Marks, wait: Wait
) -> None:
    running_guest(host, marks.ours, wait)
    host.hypervisor.ensure_no_domain(marks.ours.instance, whose_delete(marks.ours), wait)
    second = marks.other_operation

    running_guest(host, second, wait)

    found = host.hypervisor.find_domain(second.instance, wait)
    assert found
    assert found.mark == second


def test_idle_guest_is_settled(host: Host, marks: Marks, wait: Wait) -> None:
    host.hypervisor.settle_domain(marks.ours.instance, wait)
    running_guest(host, marks.ours, wait)
    host.hypervisor.settle_domain(marks.ours.instance, wait)


def test_console_of_a_guest_that_does_not_run_is_refused(
    host: Host, marks: Marks, wait: Wait
) -> None:
    with pytest.raises(Refused):
        list(host.hypervisor.console(marks.ours.instance, wait))
    defined_guest(host, marks.ours, wait)
    with pytest.raises(Refused):
        list(host.hypervisor.console(marks.ours.instance, wait))


def test_console_ends_with_the_patience_of_its_reader(host: Host, marks: Marks, wait: Wait) -> None:
    running_guest(host, marks.ours, wait)
    short = wait.within(1)
    assert isinstance(b"".join(host.hypervisor.console(marks.ours.instance, short)), bytes)
    assert short.remaining() < wait.remaining()


def test_one_guest_comes_of_many_that_ask_at_once(host: Host, marks: Marks, wait: Wait) -> None:
    volume = blank(marks.ours)
    host.volumes.ensure_volume(volume, wait)
    wanted = guest(marks.ours.instance, disk_of(volume))

    def build() -> None:
        host.hypervisor.ensure_domain(wanted, marks.ours, wait)
        host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    states = [domain.power_state for domain in host.hypervisor.domains(wait)]
    assert states == [PowerState.RUNNING]


def test_ended_patience_is_told_from_failure(host: Host, marks: Marks) -> None:
    with pytest.raises(Unavailable):
        host.hypervisor.find_domain(marks.ours.instance, Wait(0))
    with pytest.raises(Unavailable):
        host.hypervisor.ensure_running(marks.ours.instance, marks.ours, Wait(0))


def test_cancelled_call_says_so(host: Host, marks: Marks) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        host.hypervisor.ensure_running(
            marks.ours.instance, marks.ours, Wait(120, cancelled=cancelled)
        )


def test_guest_has_disks_on_every_bus(host: Host, marks: Marks, wait: Wait) -> None:
    """More on one bus than a controller of the old kind takes; the last volume boots first."""
    wanted = []
    for number in range(12):
        volume = blank(marks.ours, f"data{number}")
        host.volumes.ensure_volume(volume, wait)
        bus = ("virtio", "scsi", "sata", "scsi")[number % 4]
        wanted.append(replace(disk_of(volume, f"volume-{number}"), bus=bus))
    cdroms = [
        replace(disk, device="cdrom", read_only=True) for disk in wanted if disk.bus != "virtio"
    ][:2]
    turns = [replace(wanted[-1], boot_index=0), replace(wanted[0], boot_index=1)]
    disks = [*cdroms, *wanted[4:-1], wanted[3], *turns]

    host.hypervisor.ensure_domain(guest(marks.ours.instance, *disks), marks.ours, wait)
    state = host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)

    assert state is PowerState.RUNNING


@pytest.mark.parametrize(
    "disks",
    [
        pytest.param([{"device": "cdrom", "read_only": True}], id="cdrom-on-virtio"),
        pytest.param([{"device": "cdrom", "bus": "sata"}], id="cdrom-to-write-on"),
        pytest.param([{"device": "floppy"}], id="device"),
        pytest.param([{"bus": "ide"}], id="bus"),
        pytest.param([{"boot_index": 1}, {"boot_index": 1}], id="one-turn-for-two"),
        pytest.param([{}] * 27, id="too-many"),
    ],
)
def test_guest_with_disks_that_cannot_be_is_refused(
    host: Host, marks: Marks, disks: list[dict[str, Any]], wait: Wait
) -> None:
    wanted = []
    for number, changes in enumerate(disks):
        volume = blank(marks.ours, f"data{number}")
        host.volumes.ensure_volume(volume, wait)
        wanted.append(replace(disk_of(volume), **changes))
    with pytest.raises(Refused):
        host.hypervisor.ensure_domain(guest(marks.ours.instance, *wanted), marks.ours, wait)
    assert not host.hypervisor.domains(wait)
