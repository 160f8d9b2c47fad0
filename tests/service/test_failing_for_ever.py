"""A build that fails whenever it is tried uses nothing up, however often that is."""

from tests.support import lab as labs
from tests.support.breaking import Break, broken, execute
from tests.support.lab import Lab
from tests.support.oracle import assert_nothing_held
from vmwright.controller import Controller

FEW = 8
"""More builds than the network has addresses."""


def has_a_small_network(controller: Controller) -> None:
    controller.inventory.create_network("tiny", "10.9.0.0/29")


def fails_again_and_again(controller: Controller) -> None:
    for number in range(FEW):
        request = labs.request(name=f"vm{number}", networks=[{"network": "tiny"}])
        print(controller.wait(controller.create(request).id, timeout=60).state)


def builds_one(controller: Controller) -> None:
    request = labs.request(networks=[{"network": "tiny"}])
    print(controller.wait(controller.create(request).id, timeout=60).state)


def test_builds_that_fail_on_every_host_use_no_address_up(hosts: Lab) -> None:
    """Each of them has an address, on three hosts in turn, and gives it back."""
    assert hosts.child(has_a_small_network).status == 0
    ended = hosts.child(broken(fails_again_and_again, execute("spawn", Break.FAIL_AFTER)))
    assert ended.output.split() == ["undone"] * FEW, ended.output
    assert len(hosts.rows("SELECT number FROM vmwright_attempts")) == 3 * FEW
    assert hosts.world() == {}
    assert_nothing_held(hosts)

    assert hosts.child(builds_one).output.split() == ["done"]
    (port,) = hosts.rows("SELECT ip FROM vmwright_ports WHERE instance_id IS NOT NULL")
    assert port["ip"] == "10.9.0.2"
