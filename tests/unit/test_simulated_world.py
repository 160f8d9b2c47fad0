"""A simulated world as those see it who read and write its files."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.support.marks import Marks, whose_create, whose_delete
from tests.support.places import SimulatedPlace
from tests.support.things import (
    CIDR,
    IP,
    MAC,
    OTHER_IP,
    OTHER_MAC,
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
from vmwright.backends.host import Host
from vmwright.backends.hypervisor import Nic
from vmwright.backends.simulated import SimulatedBackend
from vmwright.errors import HostFault, InvalidRequest, Refused, Unavailable
from vmwright.ids import DeploymentId, Mark, NetworkId, base_name, new_id, volume_name
from vmwright.settings import SimulatedSettings
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
def host(place: SimulatedPlace) -> Host:
    return place.host


@pytest.fixture
def marks(place: SimulatedPlace) -> Marks:
    return Marks(place.backend.deployment)


@pytest.fixture
def network(host: Host, wait: Wait) -> NetworkId:
    wanted = subnet()
    host.network.ensure_network(wanted, wait)
    return wanted.network


def record(place: SimulatedPlace, folder: str, key: str) -> dict[str, Any]:
    text = (place.directory / folder / f"{key}.json").read_text()
    read: dict[str, Any] = json.loads(text)
    assert list(read) == sorted(read)
    return read


def networked_guest(host: Host, network: NetworkId, mark: Mark, wait: Wait, *, mac: str) -> None:
    volume = blank(mark)
    host.volumes.ensure_volume(volume, wait)
    nic = Nic(network=network, mac=mac)
    host.hypervisor.ensure_domain(guest(mark.instance, disk_of(volume), nics=(nic,)), mark, wait)
    host.hypervisor.ensure_running(mark.instance, mark, wait)


def test_guest_lies_in_a_file_of_its_uuid(
    place: SimulatedPlace, host: Host, marks: Marks, wait: Wait
) -> None:
    volume = running_guest(host, marks.ours, wait)
    domain = record(place, "domains", marks.ours.instance)
    assert domain["mark"] == marks.ours.to_store()
    assert domain["state"] == "running"
    assert [disk["volume"] for disk in domain["disks"]] == [volume.name]


def test_volume_lies_in_a_file_of_its_name(
    place: SimulatedPlace, host: Host, marks: Marks, tmp_path: Path, wait: Wait
) -> None:
    base, source = image(tmp_path)
    volume = overlay(marks.ours, base)
    host.volumes.ensure_base(base, source, wait)
    host.volumes.ensure_volume(volume, wait)
    name = base_name(place.backend.deployment, base.sha256, base.disk_format)
    assert record(place, "bases", name)["sha256"] == base.sha256
    kept = record(place, "volumes", volume.name)
    assert (kept["base"], kept["size_bytes"]) == (name, volume.size_bytes)
    assert kept["mark"] == marks.ours.to_store()


def test_reservation_lies_in_a_file_of_its_network_and_mac(
    place: SimulatedPlace, host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    host.network.ensure_reservation(reservation(network), marks.ours, wait)
    kept = record(place, "reservations", f"{network}-52-54-00-61-07-0a")
    assert (kept["ip"], kept["mark"]) == (IP, marks.ours.to_store())
    assert record(place, "networks", network)["cidr"] == CIDR


def test_removed_things_leave_no_file(
    place: SimulatedPlace, host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    whose = whose_create(marks.ours)
    host.network.ensure_reservation(reservation(network), marks.ours, wait)
    networked_guest(host, network, marks.ours, wait, mac=MAC)
    host.hypervisor.ensure_no_domain(marks.ours.instance, whose, wait)
    host.volumes.ensure_no_volume(blank(marks.ours).name, whose, wait)
    host.network.ensure_no_reservation(network, MAC, IP, whose, wait)
    host.network.ensure_no_network(network, wait)
    assert [str(file) for file in place.directory.glob("*/*")] == []


def test_content_of_volumes_is_not_in_the_files(
    host: Host, world: Path, marks: Marks, wait: Wait
) -> None:
    host.volumes.ensure_content(
        volume_name(marks.ours, "config", "raw"), b"the password is swordfish", wait
    )
    for file in world.rglob("*"):
        assert file.is_dir() or b"swordfish" not in file.read_bytes()


def test_guest_with_a_reserved_address_gets_a_lease(
    place: SimulatedPlace, host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    host.network.ensure_reservation(reservation(network), marks.ours, wait)
    networked_guest(host, network, marks.ours, wait, mac=MAC)
    key = f"{network}-52-54-00-61-07-0a"
    assert record(place, "leases", key) == record(place, "reservations", key)


def test_guest_without_reservation_gets_no_lease(
    place: SimulatedPlace, host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    networked_guest(host, network, marks.ours, wait, mac=MAC)
    assert not list((place.directory / "leases").iterdir())


def test_lease_is_given_back_with_its_reservation(
    place: SimulatedPlace, host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    second = marks.other_instance
    for mark, mac, ip in ((marks.ours, MAC, IP), (second, OTHER_MAC, OTHER_IP)):
        host.network.ensure_reservation(reservation(network, mac, ip), mark, wait)
        networked_guest(host, network, mark, wait, mac=mac)
    host.network.ensure_no_reservation(network, MAC, IP, whose_delete(second), wait)
    assert len(list((place.directory / "leases").iterdir())) == 2

    host.network.ensure_no_reservation(network, MAC, IP, whose_create(marks.ours), wait)

    leased = [file.stem for file in (place.directory / "leases").iterdir()]
    assert leased == [f"{network}-52-54-00-61-07-0b"]


def test_guest_greets_on_its_console(
    host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    root, seed = blank(marks.ours), blank(marks.ours, "config")
    host.volumes.ensure_volume(root, wait)
    host.volumes.ensure_content(seed.name, b"", wait)
    host.network.ensure_reservation(reservation(network), marks.ours, wait)
    nic = Nic(network=network, mac=MAC)
    disks = (disk_of(root), disk_of(seed, "config"))
    wanted = guest(marks.ours.instance, *disks, nics=(nic,))
    host.hypervisor.ensure_domain(wanted, marks.ours, wait)
    host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)

    lines = list(host.hypervisor.console(marks.ours.instance, wait.within(0.2)))

    assert lines[0] == b"GUEST-INIT\n"
    assert lines[1].startswith(b"GUEST-CONFIG vdb sha256=e3b0c442")
    assert lines[2:] == [f"GUEST-IP ip={IP} mac={MAC}\n".encode(), b"GUEST-READY\n"]


def test_console_ends_with_its_guest(host: Host, marks: Marks, wait: Wait) -> None:
    running_guest(host, marks.ours, wait)
    lines = host.hypervisor.console(marks.ours.instance, wait)
    next(lines)
    host.hypervisor.ensure_no_domain(marks.ours.instance, whose_create(marks.ours), wait)
    assert list(lines) == [b"GUEST-READY\n"]


def test_network_of_a_guest_is_not_removed(
    host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    networked_guest(host, network, marks.ours, wait, mac=MAC)
    with pytest.raises(Refused, match=marks.ours.instance):
        host.network.ensure_no_network(network, wait)


def test_every_name_is_a_host_with_facts_of_its_own(world: Path, wait: Wait) -> None:
    backend = SimulatedPlace.at(world).backend
    first, second = (
        backend.host(f"simulated:///{name}").hypervisor.facts(wait) for name in ("a", "b-2")
    )
    assert (first.name, second.name) == ("a", "b-2")
    assert uuid.UUID(first.uuid) != uuid.UUID(second.uuid)
    assert (first.vcpus, first.memory_mib, first.disk_gib) == (64, 262144, 4096)


def test_facts_of_a_host_file_count(place: SimulatedPlace, host: Host, wait: Wait) -> None:
    place.directory.mkdir(parents=True)
    (place.directory / "host.json").write_text('{"vcpus": 2, "uuid": "theirs"}')
    facts = host.hypervisor.facts(wait)
    assert (facts.uuid, facts.vcpus, facts.memory_mib) == ("theirs", 2, 262144)


def test_host_keeps_its_uuid_when_the_world_moves(host: Host, world: Path, wait: Wait) -> None:
    before = host.hypervisor.facts(wait)
    moved = world.rename(world.with_name("moved"))
    assert SimulatedPlace.at(moved).host.hypervisor.facts(wait) == before


@pytest.mark.parametrize(
    "uri",
    ["", "simulated:///", "simulated://host1", "simulated:///../x", "simulated:///A", "qemu:///a"],
)
def test_address_of_another_kind_is_invalid(place: SimulatedPlace, uri: str) -> None:
    with pytest.raises(InvalidRequest, match="is not the address of a simulated host"):
        place.backend.host(uri)


def test_unreadable_settings_are_invalid(world: Path) -> None:
    for settings in (
        SimulatedSettings(world_dir=world, host="No Name"),
        SimulatedSettings(world_dir=world, latency="soon"),
        SimulatedSettings(world_dir=world, faults=["volumes"]),
    ):
        with pytest.raises(InvalidRequest):
            SimulatedBackend(settings, DeploymentId(new_id()))


def test_world_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable) as failed:
        SimulatedPlace.at(tmp_path / "file" / "world")
    assert "world_dir" in failed.value.hint


def test_world_that_cannot_be_used_is_unavailable(
    place: SimulatedPlace, host: Host, wait: Wait
) -> None:
    place.directory.parent.mkdir()
    place.directory.touch()
    with pytest.raises(Unavailable) as failed:
        host.volumes.volumes(wait)
    assert "world_dir" in failed.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', "\0"])
def test_broken_file_is_the_fault_of_the_host(
    place: SimulatedPlace, host: Host, marks: Marks, text: str, wait: Wait
) -> None:
    defined_guest(host, marks.ours, wait)
    file = place.directory / "domains" / f"{marks.ours.instance}.json"
    file.write_text(text)
    with pytest.raises(HostFault, match=file.name):
        host.hypervisor.domains(wait)


def test_unknown_state_is_the_fault_of_the_host(
    place: SimulatedPlace, host: Host, marks: Marks, wait: Wait
) -> None:
    defined_guest(host, marks.ours, wait)
    file = place.directory / "domains" / f"{marks.ours.instance}.json"
    file.write_text('{"state": "dreaming"}')
    with pytest.raises(HostFault, match="dreaming"):
        host.hypervisor.find_domain(marks.ours.instance, wait)


def test_left_temporary_file_is_no_obstacle(
    place: SimulatedPlace, host: Host, marks: Marks, wait: Wait
) -> None:
    place.directory.mkdir(parents=True)
    (place.directory / ".new").write_text("half a rec")
    running_guest(host, marks.ours, wait)
    assert not (place.directory / ".new").exists()


def test_deployments_on_one_host_see_their_own_volumes(
    place: SimulatedPlace, host: Host, world: Path, marks: Marks, wait: Wait
) -> None:
    host.volumes.ensure_volume(blank(marks.ours), wait)
    assert not SimulatedPlace.at(world).host.volumes.volumes(wait)


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".x", "x" * 201])
def test_name_that_is_no_name_never_becomes_a_path(
    place: SimulatedPlace, host: Host, marks: Marks, name: str, wait: Wait
) -> None:
    host.volumes.ensure_no_volume(name, whose_delete(marks.ours), wait)
    with pytest.raises(Refused):
        host.volumes.ensure_content(name, b"", wait)
    assert not list(place.directory.parent.glob("**/x*"))


def test_base_of_another_length_is_refused(host: Host, tmp_path: Path, wait: Wait) -> None:
    base, source = image(tmp_path)
    for path in (source, tmp_path / "missing", tmp_path):
        source.write_bytes(b"short")
        with pytest.raises(Refused, match=base.sha256):
            host.volumes.ensure_base(base, path, wait)


def test_guest_whose_volume_is_gone_does_not_start(host: Host, marks: Marks, wait: Wait) -> None:
    volume = defined_guest(host, marks.ours, wait)
    host.volumes.ensure_no_volume(volume.name, whose_create(marks.ours), wait)
    with pytest.raises(HostFault, match=volume.name):
        host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)


def test_guest_whose_network_is_gone_does_not_start(
    place: SimulatedPlace, host: Host, network: NetworkId, marks: Marks, wait: Wait
) -> None:
    volume = blank(marks.ours)
    host.volumes.ensure_volume(volume, wait)
    nic = Nic(network=network, mac=MAC)
    wanted = guest(marks.ours.instance, disk_of(volume), nics=(nic,))
    host.hypervisor.ensure_domain(wanted, marks.ours, wait)
    (place.directory / "networks" / f"{network}.json").unlink()
    with pytest.raises(HostFault, match=network):
        host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)


def test_closed_backend_holds_nothing(place: SimulatedPlace, host: Host, wait: Wait) -> None:
    host.hypervisor.facts(wait)
    place.backend.close()
    place.backend.close()
