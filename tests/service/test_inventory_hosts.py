"""Hosts are registered with what they say of themselves, and go once they hold nothing of ours."""

import json

import pytest

from tests.support.crowds import all_at_once
from tests.support.databases import sqlite
from tests.support.deployments import deployed
from vmwright.errors import Conflict, InvalidRequest, Unavailable
from vmwright.ids import (
    OperationId,
    new_id,
)
from vmwright.persistence.claims import Demand
from vmwright.waiting import Wait

MIB = 1 << 20
ODD_NAMES = ["", " a", "a\nb", "a\u202eb", "x" * 256]


@pytest.fixture
def deployment(tmp_path):
    with deployed(tmp_path, sqlite(tmp_path)) as made:
        yield made


@pytest.fixture
def inventory(deployment):
    return deployment.inventory


def test_host_is_registered_with_what_it_says_of_itself(deployment, inventory):
    host = inventory.create_host("one", "simulated:///one")
    facts = deployment.backend.host(host.connection_uri).hypervisor.facts(Wait(5))
    assert (host.vcpus, host.memory_mib) == (facts.vcpus, facts.memory_mib)
    assert (host.disk_gib, host.hypervisor_uuid) == (facts.disk_gib, facts.uuid)
    assert (host.vcpu_ratio, host.memory_ratio, host.disk_ratio) == (16.0, 1.0, 1.0)
    assert (host.zone, host.enabled) == ("nova", True)


def test_figures_that_are_given_win(inventory):
    host = inventory.create_host(
        "one", "simulated:///one", vcpus=3, memory_mib=77, disk_gib=5, vcpu_ratio=2.0, zone="z"
    )
    assert (host.vcpus, host.memory_mib, host.disk_gib) == (3, 77, 5)
    assert (host.vcpu_ratio, host.zone) == (2.0, "z")


@pytest.mark.parametrize(
    "figures",
    [
        {"vcpus": 0},
        {"vcpus": -1},
        {"memory_mib": 0},
        {"disk_gib": 0},
        {"vcpu_ratio": 0.0},
        {"memory_ratio": -1.0},
        {"disk_ratio": float("nan")},
        {"vcpu_ratio": float("inf")},
        {"zone": ""},
    ],
    ids=str,
)
def test_figures_of_a_host_are_positive(inventory, figures):
    with pytest.raises(InvalidRequest):
        inventory.create_host("one", "simulated:///one", **figures)
    assert list(inventory.hosts()) == []


def test_address_that_the_backend_does_not_know_is_refused(inventory):
    with pytest.raises(InvalidRequest):
        inventory.create_host("one", "qemu:///system")


def test_hypervisor_is_registered_once_whatever_its_address(deployment, inventory):
    inventory.create_host("one", "simulated:///one")
    twin = deployment.home / "world" / "hosts" / "twin"
    twin.mkdir(parents=True)
    uuid = inventory.host("one").hypervisor_uuid
    (twin / "host.json").write_text(json.dumps({"uuid": uuid}))
    with pytest.raises(Conflict, match="host 'one'") as refused:
        inventory.create_host("twin", "simulated:///twin")
    assert "host_uuid" in refused.value.hint
    with pytest.raises(Conflict, match="connection_uri of host 'one' is taken"):
        inventory.create_host("other", "simulated:///one")


def silence(deployment, host: str) -> None:
    directory = deployment.home / "world" / "hosts" / host
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "down").touch()


def test_silent_host_is_unavailable_and_not_registered(deployment, inventory):
    silence(deployment, "one")
    with pytest.raises(Unavailable):
        inventory.create_host("one", "simulated:///one")
    assert list(inventory.hosts()) == []


def test_default_host_is_registered_on_first_use_and_found_again(deployment, inventory):
    host = inventory.ensure_default_host()
    assert host.connection_uri == deployment.backend.default_uri
    assert host.name == "host1"
    silence(deployment, "host1")
    assert inventory.ensure_default_host() == host


def test_default_host_gets_a_name_of_its_own_if_the_name_is_taken(inventory):
    inventory.create_host("host1", "simulated:///other")
    host = inventory.ensure_default_host()
    assert host.name == f"host1-{host.hypervisor_uuid}"


def test_default_host_that_is_silent_is_unavailable(deployment, inventory):
    silence(deployment, "host1")
    with pytest.raises(Unavailable):
        inventory.ensure_default_host()


def test_default_host_is_registered_once_by_many(inventory):
    outcomes = all_at_once([inventory.ensure_default_host] * 6)
    assert {host.id for host in outcomes} == {host.id for host in inventory.hosts()}
    assert len(inventory.hosts()) == 1


def test_host_is_disabled_with_a_reason_and_enabled_again(inventory):
    inventory.create_host("one", "simulated:///one")
    disabled = inventory.disable_host("one", "new disks")
    assert (disabled.enabled, disabled.disabled_reason) == (False, "new disks")
    enabled = inventory.enable_host("one")
    assert (enabled.enabled, enabled.disabled_reason) == (True, None)
    with pytest.raises(InvalidRequest):
        inventory.disable_host("one", "a\nb")


@pytest.mark.parametrize("holder", ["claims", "instances", "volumes", "debts"])
def test_host_that_holds_something_of_ours_is_not_deleted(deployment, inventory, holder):
    host = inventory.create_host("one", "simulated:///one")
    instance = deployment.instance(deployment.image("of another"))
    stores = deployment.stores
    with deployment.database.write() as connection:
        if holder == "claims":
            stores.claims.claim(
                connection,
                host.id,
                Demand(vcpus=1, memory_mib=1, disk_gib=0),
                instance=instance.id,
                operation=OperationId(new_id()),
                attempt=1,
            )
        elif holder == "instances":
            stores.instances.place(connection, instance.id, host.id)
    if holder == "volumes":
        deployment.attached(inventory.create_volume("data", 1), host)
    if holder == "debts":
        inventory.create_network("net", "10.1.0.0/24")
        inventory.delete_network("net")
    with pytest.raises(Conflict, match=holder):
        inventory.delete_host("one")
    assert inventory.host("one").enabled


def test_host_that_holds_what_the_store_does_not_know_is_kept(deployment, inventory):
    inventory.create_host("one", "simulated:///one")
    stranger = deployment.home / "world/hosts/one/volumes/stranger.json"
    stranger.write_text("{}")
    with pytest.raises(Conflict, match="stranger") as refused:
        inventory.delete_host("one")
    assert refused.value.hint
    assert inventory.host("one").enabled
    stranger.unlink()
    inventory.delete_host("one")
    assert list(inventory.hosts()) == []


def test_deleted_host_is_forgotten_also_while_it_is_silent(deployment, inventory):
    host = inventory.create_host("one", "simulated:///one")
    silence(deployment, "one")
    assert inventory.delete_host("one") == host
    assert list(inventory.hosts()) == []
