"""Processes that share a simulated world: they die at any instant, and they work side by side."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.marks import Marks
from tests.support.places import SimulatedPlace
from tests.support.things import IP, MAC, blank, reservation, running_guest, subnet
from tests.support.world_process import world_process
from vmwright.backends.simulated.world import Folder
from vmwright.ids import NetworkId, Whose
from vmwright.waiting import Wait


@pytest.fixture
def wait() -> Wait:
    return Wait(120)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return tmp_path / "world"


@pytest.fixture
def place(world: Path) -> SimulatedPlace:
    return SimulatedPlace.at(world)


@pytest.fixture
def marks(place: SimulatedPlace) -> Marks:
    return Marks(place.backend.deployment)


@pytest.fixture
def network(place: SimulatedPlace, wait: Wait) -> NetworkId:
    wanted = subnet()
    place.host.network.ensure_network(wanted, wait)
    return wanted.network


def until_exists(path: Path, wait: Wait) -> None:
    while not path.exists():
        wait.pause(0.005, f"{path.name} appears")


@pytest.mark.parametrize("verbs", [1, 2, 3, 4, 5, 6, 8, 50])
def test_killed_process_leaves_whole_files(
    place: SimulatedPlace, marks: Marks, network: NetworkId, world: Path, verbs: int, wait: Wait
) -> None:
    deployment = place.backend.deployment
    with world_process(world, deployment, "churn", network) as process:
        assert process.stdout
        for _ in range(verbs):
            process.stdout.readline()
        process.kill()
        process.wait()

    for folder in Folder:
        for file in (place.directory / folder).iterdir():
            assert file.suffix == ".json"
            assert isinstance(json.loads(file.read_text()), dict)
    take_back_everything(place, network, wait)
    running_guest(place.host, marks.ours, wait)
    place.host.network.ensure_reservation(reservation(network), marks.ours, wait)


def take_back_everything(place: SimulatedPlace, network: NetworkId, wait: Wait) -> None:
    """What a reconciler does: every mark that is found says what may be removed."""
    host = place.host
    for domain in host.hypervisor.domains(wait):
        assert domain.mark
        whose = Whose(deployment=domain.mark.deployment, instance=domain.mark.instance)
        host.hypervisor.ensure_no_domain(domain.mark.instance, whose, wait)
    for stored in host.volumes.volumes(wait):
        assert stored.mark
        whose = Whose(deployment=stored.mark.deployment, instance=stored.mark.instance)
        host.volumes.ensure_no_volume(stored.name, whose, wait)
    for known in host.network.reservations(network, wait):
        assert known.mark
        whose = Whose(deployment=known.mark.deployment, instance=known.mark.instance)
        host.network.ensure_no_reservation(network, MAC, IP, whose, wait)
    for folder in (Folder.DOMAINS, Folder.VOLUMES, Folder.RESERVATIONS, Folder.LEASES):
        assert not list((place.directory / folder).iterdir())


def test_call_of_a_process_that_died_before_the_effect_left_nothing(
    place: SimulatedPlace, marks: Marks, world: Path, wait: Wait
) -> None:
    volume = blank(marks.ours)
    deployment = place.backend.deployment
    with world_process(world, deployment, "make", volume.name, latency="7200") as process:
        assert process.stdout
        assert process.stdout.readline() == "calling\n"
        process.kill()
        process.wait()
    assert not place.host.volumes.volumes(wait)


def test_call_of_a_process_that_died_after_the_effect_can_be_repeated(
    place: SimulatedPlace, marks: Marks, world: Path, wait: Wait
) -> None:
    volume = blank(marks.ours)
    deployment = place.backend.deployment
    with world_process(world, deployment, "make", volume.name, latency="1") as process:
        until_exists(place.directory / "volumes" / f"{volume.name}.json", wait)
        process.kill()
        process.wait()
    place.host.volumes.ensure_volume(volume, wait)
    assert [stored.name for stored in place.host.volumes.volumes(wait)] == [volume.name]


def test_late_effect_comes_after_its_process_has_died(
    place: SimulatedPlace, marks: Marks, world: Path, wait: Wait
) -> None:
    volume = blank(marks.ours)
    deployment, late = place.backend.deployment, ["ensure_volume:1:late:0.2"]
    with world_process(world, deployment, "make", volume.name, faults=late) as process:
        said, _ = process.communicate()
    assert said.split() == ["calling", "Unavailable"]

    place.host.volumes.settle_volume(volume.name, wait)

    assert [stored.name for stored in place.host.volumes.volumes(wait)] == [volume.name]


def test_fault_is_not_met_again_by_the_next_process(
    place: SimulatedPlace, marks: Marks, world: Path, wait: Wait
) -> None:
    volume = blank(marks.ours)
    deployment, fault = place.backend.deployment, ["ensure_volume:1:before"]
    outcomes = []
    for _ in range(2):
        with world_process(world, deployment, "make", volume.name, faults=fault) as process:
            outcomes.append(process.communicate()[0].split()[-1])
    assert outcomes == ["HostFault", "returned"]


def test_of_many_processes_one_gets_the_address(
    place: SimulatedPlace, network: NetworkId, world: Path, wait: Wait
) -> None:
    deployment = place.backend.deployment
    with ExitStack() as stack:
        processes = [
            stack.enter_context(world_process(world, deployment, "compete", network, str(number)))
            for number in range(4)
        ]
        outcomes = sorted(process.communicate()[0].strip() for process in processes)

    assert outcomes == ["Refused", "Refused", "Refused", "returned"]
    assert len(place.host.network.reservations(network, wait)) == 1
    assert len(place.host.volumes.volumes(wait)) == 40
