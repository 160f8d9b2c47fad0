"""Many builds at once: each goes where it may, none where it must not, and a host may die."""

import threading
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.lab import Lab
from tests.support.oracle import assert_ended
from vmwright.controller import Controller

ZONES = ("a", "b")


@dataclass(frozen=True)
class Burst:
    """As many instances in each of two zones, each zone's in a group of their own."""

    hosts: int
    """In each zone."""
    instances: int
    """In each zone."""
    most_per_host: int
    """Of a group: enough for all of them once a host is gone."""


SMALL = Burst(hosts=4, instances=20, most_per_host=7)
LARGE = Burst(hosts=10, instances=150, most_per_host=17)


def crowded(lab: Lab, *faults: str) -> Lab:
    """Patience is short: what is built on a dead host gives up soon."""
    return replace(lab, faults=faults, parallel=20, server_group_members=-1)


def wish(name: str, **changes: Any) -> Any:
    fields = {"name": name, "volumes": [], "networks": "none", "user_data": None}
    return labs.request(**(fields | changes))


def stock(controller: Controller, hosts: dict[str, str]) -> None:
    """These hosts, each in its zone, and none besides."""
    inventory = controller.inventory
    for name, zone in hosts.items():
        inventory.create_host(name, f"simulated:///{name}", zone=zone)
    inventory.set_host("host1", enabled=False)


def ends(controller: Controller, operations: Any) -> Counter[str]:
    return Counter(controller.wait(operation.id, timeout=500).state for operation in operations)


def where(lab: Lab, prefix: str = "") -> Counter[str]:
    """How many instances are on each host, by the rows."""
    rows = lab.rows(
        "SELECT h.name AS host FROM vmwright_instances i JOIN vmwright_hosts h ON h.id = i.host_id"
        " WHERE i.deleted_at IS NULL AND i.name LIKE ?",
        f"{prefix}%",
    )
    return Counter(row["host"] for row in rows)


def guests(lab: Lab) -> Counter[str]:
    """How many guests each host has, by the files of the world."""
    domains = (lab.home / "world").glob("hosts/*/domains/*.json")
    return Counter(path.parts[-3] for path in domains)


def test_a_group_stays_apart_under_concurrent_builds(lab: Lab) -> None:
    """As many instances as hosts: each must be the only one on its own."""
    names = [f"h{number:02}" for number in range(20)]

    def child(controller: Controller) -> None:
        stock(controller, dict.fromkeys(names, "a"))
        controller.inventory.server_groups.create("apart", "anti-affinity")
        request = wish("vm", max_count=20, scheduler_hints={"group": "apart"})
        (reservation,) = controller.create_all(request)
        print(ends(controller, reservation.operations))

    ended = crowded(lab).child(child)
    assert "'done'>: 20" in ended.output, ended.output
    assert guests(lab) == where(lab) == Counter(names)


def test_a_group_that_is_to_be_together_is_under_concurrent_builds(lab: Lab) -> None:
    def child(controller: Controller) -> None:
        stock(controller, {f"h{number}": "a" for number in range(5)})
        controller.inventory.server_groups.create("together", "affinity")
        request = wish("vm", max_count=10, scheduler_hints={"group": "together"})
        (reservation,) = controller.create_all(request)
        print(ends(controller, reservation.operations))

    ended = crowded(lab).child(child)
    assert "'done'>: 10" in ended.output, ended.output
    assert list(guests(lab).values()) == [10]


def test_a_forced_host_is_the_only_one_even_switched_off(lab: Lab) -> None:
    def child(controller: Controller) -> None:
        stock(controller, {"h1": "a", "h2": "a"})
        controller.inventory.set_host("h2", enabled=False, disabled_reason="new")
        forced = controller.create(wish("vm", availability_zone="a:h2"))
        print(controller.wait(forced.id, timeout=60).state)
        controller.inventory.set_host("h2", vcpus=1, vcpu_ratio=1.0)
        full = controller.create(wish("vm2", availability_zone="a:h2"))
        controller.wait(full.id, timeout=60)
        print(controller.describe_instance(controller.instance_of(full))["fault"]["message"])

    ended = lab.child(child)
    assert ended.output.splitlines() == [
        "done",
        "no host can take the guest: h2: 1 vCPUs wanted, 0 free",
    ]


def test_a_refusal_names_every_host_with_its_reason(lab: Lab) -> None:
    def child(controller: Controller) -> None:
        stock(controller, {"h1": "a", "h2": "b"})
        controller.inventory.set_host("h2", vcpus=1, vcpu_ratio=1.0)
        controller.wait(controller.create(wish("vm", availability_zone="b")).id, timeout=60)
        other = controller.create(wish("vm2", availability_zone="b"))
        controller.wait(other.id, timeout=60)
        print(controller.describe_instance(controller.instance_of(other))["fault"]["message"])

    ended = lab.child(child)
    assert ended.output.strip() == (
        "no host can take the guest: h1: zone is a, not b; h2: 1 vCPUs wanted, 0 free; "
        "host1: disabled (no reason given)"
    )


@pytest.mark.parametrize(
    "burst",
    [
        pytest.param(SMALL, id="40 on 8 hosts"),
        pytest.param(LARGE, id="300 on 20 hosts", marks=pytest.mark.slow),
    ],
)
def test_a_burst_is_placed_as_asked_though_a_host_dies_in_it(lab: Lab, burst: Burst) -> None:
    hosts = {f"{zone}{n:02}": zone for zone in ZONES for n in range(burst.hosts)}
    down = lab.home / "world" / "hosts" / "a00" / "down"

    def child(controller: Controller) -> None:
        stock(controller, hosts)
        for zone in ZONES:
            controller.inventory.server_groups.create(zone, "anti-affinity", burst.most_per_host)
        requests = [
            wish(
                zone,
                max_count=burst.instances,
                availability_zone=zone,
                scheduler_hints={"group": zone},
            )
            for zone in ZONES
        ]
        reservations = controller.create_all(*requests)
        print(ends(controller, [o for one in reservations for o in one.operations]))
        debts = controller.pay_debts()
        print(f"debts: {debts > 0}, down: {down.exists()}")
        down.unlink()
        pause = threading.Event()
        while controller.pay_debts():
            pause.wait(0.05)
        print(f"audit: {controller.audit()}")

    ended = crowded(lab, "ensure_running@a00:2:down").child(child)
    assert f"'done'>: {2 * burst.instances}" in ended.output, ended.output
    assert "debts: True, down: True" in ended.output
    assert "audit: []" in ended.output
    assert guests(lab) == where(lab)
    assert max(where(lab).values()) <= burst.most_per_host
    for zone in ZONES:
        assert {hosts[host] for host in where(lab, zone)} == {zone}
        assert where(lab, zone).total() == burst.instances
    whole = where(lab, "b")
    assert len(whole) == burst.hosts
    assert max(whole.values()) - min(whole.values()) <= 1
    # What was active there before it died stays; nothing else of it does.
    assert guests(lab)["a00"] <= 1
    assert_ended(lab)


def test_the_directory_of_a_host_is_that_of_its_name(lab: Lab) -> None:
    """What the tests above read is where the simulated world keeps it."""
    lab.child(labs.create)
    assert guests(lab) == where(lab) == {"host1": 1}
    assert (Path(lab.home) / "world" / "hosts" / "host1").is_dir()
