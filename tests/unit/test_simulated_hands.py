"""A simulated host whose files are also changed, or held, by other hands."""

import fcntl
import threading
from pathlib import Path

import pytest

from tests.support.marks import Marks
from tests.support.places import SimulatedPlace
from tests.support.things import (
    IP,
    MAC,
    OTHER_IP,
    OTHER_MAC,
    blank,
    defined_guest,
    reservation,
    subnet,
)
from vmwright.backends.network import Reserved
from vmwright.errors import Cancelled, Unavailable
from vmwright.ids import NetworkId
from vmwright.waiting import Wait


@pytest.fixture
def wait() -> Wait:
    return Wait(120)


@pytest.fixture
def place(tmp_path: Path) -> SimulatedPlace:
    return SimulatedPlace.at(tmp_path / "world")


@pytest.fixture
def marks(place: SimulatedPlace) -> Marks:
    return Marks(place.backend.deployment)


@pytest.fixture
def network(place: SimulatedPlace, wait: Wait) -> NetworkId:
    wanted = subnet()
    place.host.network.ensure_network(wanted, wait)
    return wanted.network


def test_change_waits_for_its_turn(place: SimulatedPlace, marks: Marks, wait: Wait) -> None:
    place.host.volumes.ensure_volume(blank(marks.ours), wait)
    with (place.directory / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Unavailable):
            place.host.volumes.ensure_volume(blank(marks.ours, "data"), Wait(0.02))
        assert len(place.host.volumes.volumes(wait)) == 1
    place.host.volumes.ensure_volume(blank(marks.ours, "data"), wait)


def test_waiting_for_a_turn_can_be_cancelled(
    place: SimulatedPlace, marks: Marks, wait: Wait
) -> None:
    cancelled = threading.Event()
    place.host.volumes.ensure_volume(blank(marks.ours), wait)
    with (place.directory / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        threading.Timer(0.02, cancelled.set).start()
        with pytest.raises(Cancelled):
            place.host.volumes.ensure_volume(blank(marks.ours), Wait(3600, cancelled=cancelled))


def test_name_of_a_guest_that_was_removed_by_hand_is_forgotten(
    place: SimulatedPlace, marks: Marks, wait: Wait
) -> None:
    place.put_domain(marks.ours.instance, "stranger")
    assert place.host.hypervisor.find_domain_named("stranger", wait)
    (place.directory / "domains" / f"{marks.ours.instance}.json").unlink()

    defined_guest(place.host, marks.ours, wait)

    assert place.host.hypervisor.find_domain_named("stranger", wait) is None


def test_address_that_was_given_back_by_hand_is_free(
    place: SimulatedPlace, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    place.host.network.ensure_reservation(reservation(network), marks.ours, wait)
    for file in (place.directory / "reservations").iterdir():
        file.unlink()
    moved = reservation(network, MAC, OTHER_IP)
    place.host.network.ensure_reservation(moved, marks.ours, wait)

    taken = reservation(network, OTHER_MAC, IP)
    place.host.network.ensure_reservation(taken, marks.ours, wait)

    assert list(place.host.network.reservations(network, wait)) == [
        Reserved(mac=MAC, ip=OTHER_IP, mark=marks.ours),
        Reserved(mac=OTHER_MAC, ip=IP, mark=marks.ours),
    ]
