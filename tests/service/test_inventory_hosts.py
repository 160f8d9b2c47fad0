"""Hosts are registered with what they say of themselves, and go once they hold nothing of ours."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.support.crowds import all_at_once
from tests.support.databases import sqlite
from tests.support.deployments import deployed
from vmwright.errors import Conflict, DeadlinePassed, InvalidRequest, Unavailable
from vmwright.ids import (
    OperationId,
    new_id,
)
from vmwright.inventory.hosts import HostUse
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
    assert (host.zone, host.enabled, host.draining) == ("nova", True, False)
    assert (host.hypervisor_type, host.architecture) == ("simulated", "x86_64")
    assert (host.traits, host.address) == ([], None)


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
        {"zone": "a:b"},
        {"traits": ["lower"]},
        {"traits": ["CUSTOM SSD"]},
        {"traits": ["1ST"]},
        {"traits": ["X" * 256]},
        {"address": "10.0.0"},
        {"address": "fd00::1"},
    ],
    ids=str,
)
def test_what_is_said_of_a_host_makes_sense(inventory, figures):
    with pytest.raises(InvalidRequest):
        inventory.create_host("one", "simulated:///one", **figures)
    assert list(inventory.hosts()) == []
    host = inventory.create_host("one", "simulated:///one")
    with pytest.raises(InvalidRequest):
        inventory.set_host("one", **figures)
    assert inventory.host("one") == host


def test_name_of_a_host_can_be_written_behind_a_zone(inventory):
    with pytest.raises(InvalidRequest, match="has no colon"):
        inventory.create_host("a:b", "simulated:///one")


def test_host_is_changed_figure_by_figure(inventory):
    host = inventory.create_host(
        "one", "simulated:///one", traits=["HW_CPU_X86_AVX2", "CUSTOM_SSD"], address="10.0.0.1"
    )
    assert (host.traits, host.address) == (["CUSTOM_SSD", "HW_CPU_X86_AVX2"], "10.0.0.1")
    changed = inventory.set_host("one", zone="west", vcpus=3, memory_ratio=1.5)
    assert (changed.zone, changed.vcpus, changed.memory_ratio) == ("west", 3, 1.5)
    assert replace(changed, zone=host.zone, vcpus=host.vcpus, memory_ratio=1.0) == host
    changed = inventory.set_host(
        "one", traits=["CUSTOM_NEW", "CUSTOM_SSD"], without_traits=["HW_CPU_X86_AVX2", "NOT_THERE"]
    )
    assert changed.traits == ["CUSTOM_NEW", "CUSTOM_SSD"]
    assert inventory.host("one") == changed


def test_unknown_figure_is_refused(inventory):
    inventory.create_host("one", "simulated:///one")
    with pytest.raises(InvalidRequest, match="colour"):
        inventory.set_host("one", colour="red")


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


def test_draining_host_says_what_remains_until_it_is_enabled_again(deployment, inventory):
    host = inventory.create_host("one", "simulated:///one")
    instance = deployment.instance(deployment.image())
    operation = OperationId(new_id())
    demand = Demand(vcpus=2, memory_mib=64, disk_gib=3)
    with deployment.database.write() as connection:
        deployment.stores.claims.claim(
            connection, host.id, demand, instance=instance.id, operation=operation, attempt=1
        )
        deployment.stores.instances.place(connection, instance.id, host.id)
    assert inventory.host_use("one") == HostUse(claimed=demand, instances=1)
    drained = inventory.drain_host("one")
    assert (drained.draining, drained.enabled) == (True, True)
    with pytest.raises(DeadlinePassed, match="1 instances") as waited:
        inventory.await_empty_host("one", 0.0)
    assert waited.value.hint
    deployment.bury(instance)
    inventory.await_empty_host("one", 0.0)
    assert not inventory.enable_host("one").draining


def test_wait_for_an_empty_host_ends_once_its_last_instance_is_gone(deployment, inventory):
    host = inventory.create_host("one", "simulated:///one")
    instance = deployment.instance(deployment.image())
    with deployment.database.write() as connection:
        deployment.stores.instances.place(connection, instance.id, host.id)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(inventory.await_empty_host, "one")
        deployment.bury(instance)
        assert waiting.result() is None


def test_zone_is_available_while_one_of_its_hosts_takes_instances(inventory):
    assert list(inventory.zones()) == []
    for name, zone in (("one", "west"), ("two", "west"), ("three", "east")):
        inventory.create_host(name, f"simulated:///{name}", zone=zone)

    def available() -> dict[str, bool]:
        return {zone.name: zone.available for zone in inventory.zones()}

    assert [zone.hosts for zone in inventory.zones()] == [("three",), ("one", "two")]
    assert available() == {"east": True, "west": True}
    inventory.disable_host("three", "broken")
    inventory.drain_host("one")
    assert available() == {"east": False, "west": True}
    inventory.drain_host("two")
    assert available() == {"east": False, "west": False}
    inventory.set_host("one", zone="east")
    inventory.enable_host("one")
    assert available() == {"east": True, "west": False}


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
