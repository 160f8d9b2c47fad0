"""A host is forgotten once nothing of this deployment is on it, whatever the books say."""

import os
import signal
from dataclasses import replace

import pytest

from tests.support import lab as labs
from tests.support.attempts import pay_now, until
from tests.support.databases import sqlite
from tests.support.deployments import Deployment, deployed
from tests.support.lab import Lab
from tests.support.marks import Marks
from tests.support.things import CIDR, defined_guest, reservation, subnet
from vmwright.backends.host import Host
from vmwright.backends.network import Subnet
from vmwright.backends.simulated import open_backend
from vmwright.errors import Conflict
from vmwright.ids import DeploymentId, new_id
from vmwright.persistence.records import NetworkRecord
from vmwright.waiting import Wait


@pytest.fixture
def deployment(tmp_path):
    with deployed(tmp_path, sqlite(tmp_path)) as made:
        made.inventory.create_host("one", "simulated:///one")
        yield made


@pytest.fixture
def inventory(deployment):
    return deployment.inventory


@pytest.fixture
def place(deployment):
    return deployment.backend.host("simulated:///one")


@pytest.fixture
def stranger(deployment):
    """The same host as another deployment sees it."""
    backend = open_backend(deployment.settings, DeploymentId(new_id()))
    yield backend.host("simulated:///one"), Marks(backend.deployment).ours
    backend.close()


def refused(deployment: Deployment, why: str) -> None:
    """It is kept, as it was."""
    before = deployment.inventory.host("one")
    with pytest.raises(Conflict, match=why) as error:
        deployment.inventory.delete_host("one")
    assert error.value.hint
    assert deployment.inventory.host("one") == before


def on_host(place: Host, network: NetworkRecord) -> None:
    wanted = Subnet(network=network.id, cidr=network.cidr, gateway=network.gateway)
    place.network.ensure_network(wanted, Wait(60))


def test_networks_that_nobody_uses_go_with_their_host(deployment, inventory, place):
    """Whoever needs them makes them again, and other hosts keep them."""
    networks = [inventory.create_network(f"n{n}", f"10.61.{n}.0/24") for n in range(2)]
    inventory.create_host("two", "simulated:///two")
    for network in networks:
        on_host(place, network)
        on_host(deployment.backend.host("simulated:///two"), network)
    inventory.delete_host("one")
    assert deployment.world("one", "networks") == []
    assert deployment.world("two", "networks") == sorted(network.id for network in networks)
    assert [host.name for host in inventory.hosts()] == ["two"]
    assert list(inventory.networks()) == networks


def test_network_with_an_address_that_the_store_does_not_know_keeps_its_host(
    deployment, inventory, place
):
    on_host(place, network := inventory.create_network("net", CIDR))
    place.network.ensure_reservation(reservation(network.id), Marks(deployment.id).ours, Wait(60))
    refused(deployment, f"network {network.id} has a reservation")
    assert deployment.world("one", "networks") == [network.id]


def test_network_that_the_store_does_not_know_keeps_its_host(deployment, inventory, place):
    on_host(place, inventory.create_network("net", "10.61.8.0/24"))
    place.network.ensure_network(unknown := subnet(), Wait(60))
    refused(deployment, f"network {unknown.network}")
    assert len(deployment.world("one", "networks")) == 2


def test_guest_that_the_store_does_not_know_keeps_its_host(deployment, inventory, place):
    on_host(place, network := inventory.create_network("net", CIDR))
    defined_guest(place, mark := Marks(deployment.id).ours, Wait(60))
    refused(deployment, f"guest {mark.instance}")
    assert deployment.world("one", "networks") == [network.id]
    assert deployment.world("one", "domains") == [mark.instance]


def test_volume_that_the_store_does_not_know_keeps_its_host(deployment, inventory):
    unknown = deployment.home / "world/hosts/one/volumes/unknown.json"
    unknown.write_text("{}")
    refused(deployment, "unknown")
    unknown.unlink()
    inventory.delete_host("one")
    assert list(inventory.hosts()) == []


def test_what_others_have_on_a_host_does_not_keep_it(deployment, inventory, stranger):
    theirs, mark = stranger
    network = subnet()
    theirs.network.ensure_network(network, Wait(60))
    defined_guest(theirs, mark, Wait(60))
    inventory.delete_host("one")
    assert list(inventory.hosts()) == []
    assert deployment.world("one", "networks") == [network.network]
    assert deployment.world("one", "domains") == [mark.instance]


def test_host_that_is_kept_is_as_closed_as_before(deployment, inventory, place):
    defined_guest(place, Marks(deployment.id).ours, Wait(60))
    inventory.disable_host("one", "new disks")
    inventory.drain_host("one")
    refused(deployment, "guest")


def test_deleted_host_is_forgotten_also_while_it_is_silent(deployment, inventory):
    host = inventory.host("one")
    (deployment.home / "world/hosts/one/down").touch()
    assert inventory.delete_host("one") == host
    assert list(inventory.hosts()) == []


def test_host_whose_networks_cannot_be_removed_is_kept(deployment, inventory, place):
    on_host(place, inventory.create_network("net", CIDR))
    faults = ("ensure_no_network@one:1:before", "ensure_no_network@one:2:lost")
    settings = replace(
        deployment.settings, simulated=replace(deployment.settings.simulated, faults=faults)
    )
    broken = open_backend(settings, deployment.id)
    deployment.inventory = deployment.inventory_on(broken)
    refused(deployment, "failed as the settings ask")
    refused(deployment, "no answer")
    deployment.inventory.delete_host("one")
    broken.close()


def test_host_that_is_about_to_go_takes_nothing_and_comes_back_if_it_stays(lab: Lab) -> None:
    """Its network would be gone from under a build. Who was deleting it is killed, and who tries
    again after that fails."""
    assert lab.child(build).output.split() == ["done"]
    assert lab.child(labs.delete).output.split() == ["done"]
    process = replace(lab, faults=("ensure_no_network:1:hang",)).fork(delete_host)
    enabled = "SELECT enabled FROM vmwright_hosts"
    until(lambda: "ensure_no_network" in calls(lab))
    assert lab.rows(enabled) == [{"enabled": 0}]
    assert lab.child(build).output.split() == ["undone"]
    os.kill(process, signal.SIGKILL)
    assert lab.reap(process).killed
    assert lab.rows(enabled) == [{"enabled": 0}]

    assert "Conflict" in lab.with_faults("ensure_no_network:1:before").child(delete_host).output
    assert lab.rows(enabled) == [{"enabled": 1}]
    assert lab.child(build).output.split() == ["done"]


def test_network_of_a_killed_build_goes_with_its_host(lab: Lab) -> None:
    """What the build may still make keeps its address, and so its network; once that is paid,
    the host can go, and nothing of ours stays there."""
    process = replace(lab, latency="*:0,ensure_reservation:600").fork(build)
    until(lambda: len(lab.things("networks")) == 1 and is_plugging(lab))
    os.kill(process, signal.SIGKILL)
    assert lab.reap(process).killed

    careful = replace(lab, late_effect=86400.0)
    assert careful.child(labs.delete).output.split() == ["done"]
    assert "it has debts" in careful.child(delete_host).output
    assert "debt list" in careful.child(delete_network).output
    assert len(lab.things("networks")) == 1

    pay_now(lab)
    assert lab.child(delete_host).status == 0
    assert lab.things("networks") == lab.rows("SELECT * FROM vmwright_hosts") == []


def build(controller) -> None:
    """An instance that leaves nothing on its host that outlives it."""
    wish = labs.request(volumes=[])
    print(controller.wait(controller.create(wish).id, timeout=60).state)


def delete_host(controller) -> None:
    controller.inventory.delete_host("host1")


def delete_network(controller) -> None:
    controller.inventory.ports.delete("mine")
    try:
        controller.inventory.delete_network("net1")
    except Conflict as error:
        print(error.hint)


def calls(lab: Lab) -> str:
    """Which calls have met a fault, as the simulated world counts them."""
    counted = lab.home / "world/calls.json"
    return counted.read_text() if counted.exists() else ""


def is_plugging(lab: Lab) -> bool:
    return lab.rows("SELECT state FROM atomdetails WHERE name = 'plug_network'") == [
        {"state": "RUNNING"}
    ]
