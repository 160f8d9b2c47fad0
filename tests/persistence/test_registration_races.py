"""Rules about several rows hold however many processes register and remove at once."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from tests.support.crowds import all_at_once
from tests.support.deployments import deployed
from tests.support.dialects import SERVERS
from tests.support.rows import a_spec, an_instance
from vmwright.errors import Conflict
from vmwright.waiting import Wait


@pytest.fixture
def deployment(tmp_path, ready):
    with deployed(tmp_path, ready) as made:
        yield made


def kinds(outcomes) -> list[str]:
    return sorted(type(outcome).__name__ for outcome in outcomes)


def test_one_of_many_overlapping_networks_is_registered(deployment):
    create = deployment.inventory.create_network
    outcomes = all_at_once([lambda n=n: create(f"net{n}", f"10.1.0.0/{16 + n}") for n in range(6)])
    assert kinds(outcomes) == ["Conflict"] * 5 + ["NetworkRecord"]
    assert len(deployment.inventory.networks()) == 1


def test_one_of_many_addresses_of_a_hypervisor_is_registered(deployment):
    for number in range(6):
        directory = deployment.home / "world" / "hosts" / f"h{number}"
        directory.mkdir(parents=True)
        (directory / "host.json").write_text(json.dumps({"uuid": "the same"}))
    create = deployment.inventory.create_host
    outcomes = all_at_once([lambda n=n: create(f"h{n}", f"simulated:///h{n}") for n in range(6)])
    assert kinds(outcomes) == ["Conflict"] * 5 + ["HostRecord"]
    assert len(deployment.inventory.hosts()) == 1


def test_default_host_is_registered_once(deployment):
    outcomes = all_at_once([deployment.inventory.ensure_default_host] * 6)
    assert {host.id for host in outcomes} == {host.id for host in deployment.inventory.hosts()}
    assert len(deployment.inventory.hosts()) == 1


def test_bytes_are_there_for_every_image_whoever_comes_and_goes(deployment):
    inventory = deployment.inventory

    def come_and_go(number: int) -> None:
        for turn in range(5):
            name = f"image-{number}-{turn}"
            inventory.create_image(name, deployment.file(name=name), wait=Wait(60))
            if turn % 2:
                inventory.delete_image(name)

    assert all_at_once([lambda n=n: come_and_go(n) for n in range(4)]) == [None] * 4
    (location,) = {image.location for image in inventory.images()}
    assert deployment.stored_bytes() == [location]


def test_hosts_are_told_once_the_last_name_of_a_content_is_gone(deployment):
    inventory = deployment.inventory
    inventory.create_host("one", "simulated:///one")
    names = [f"image{number}" for number in range(6)]
    for name in names:
        deployment.image(name)
    outcomes = all_at_once([lambda name=name: inventory.delete_image(name) for name in names])
    assert kinds(outcomes) == ["Image"] * 6
    assert [kind for _, kind, _ in deployment.debts()] == ["base"]
    assert deployment.stored_bytes() == []


def test_thing_is_deleted_once(deployment):
    deployment.inventory.create_network("net", "10.1.0.0/24")
    outcomes = all_at_once([lambda: deployment.inventory.delete_network("net")] * 4)
    assert kinds(outcomes) == ["NetworkRecord"] + ["NotFound"] * 3


def waits_for_a_lock(deployment) -> bool:
    """Whether somebody stands still because somebody else has what it wants."""
    waiting = {
        "postgresql": "SELECT count(*) FROM pg_locks WHERE NOT granted",
        "mysql": "SELECT variable_value + 0 FROM information_schema.global_status"
        " WHERE variable_name = 'INNODB_ROW_LOCK_CURRENT_WAITS'",
    }
    with deployment.database.read() as connection:
        found = connection.execute(sa.text(waiting[connection.dialect.name]))
        return bool(found.scalar_one())


@pytest.mark.parametrize("dialect", SERVERS, indirect=True)
def test_image_that_a_request_names_stays_until_the_request_is_stored(deployment):
    """SQLite has one writer at a time: nothing of this can happen there."""
    image, stores = deployment.image(), deployment.stores
    with ThreadPoolExecutor(1) as pool:
        with deployment.database.write() as connection:
            stores.registries.images.pin(connection, "image")
            deleting = pool.submit(deployment.inventory.delete_image, "image")
            while not waits_for_a_lock(deployment):
                assert not deleting.done(), deleting.exception()
            stores.instances.add(connection, an_instance(spec=a_spec(image)))
        with pytest.raises(Conflict, match="in use"):
            deleting.result()
