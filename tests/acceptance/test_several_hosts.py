"""Builds on several real hosts: where they go, and what becomes of them without one of the hosts.

What is on a host is read off its own `virsh`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.demo_guest import DemoGuest
from tests.support.fleet import Fleet, fleet, until_an_address_is_reserved
from tests.support.private_host import missing

pytestmark = [pytest.mark.libvirt, pytest.mark.guest]

TRIO = ("trio-1", "trio-2", "trio-3")
PAIR = ("pair-1", "pair-2")
BURST = tuple(f"burst-{number}" for number in range(1, 13))
SMALL_BURST = BURST[:3]

BUILD = (
    *("--image", "demo", "--flavor", "small", "--network", "net1"),
    *("--volume", "size=1"),
)


@pytest.fixture
def two_hosts(tmp_path: Path, demo: DemoGuest) -> Iterator[Fleet]:
    if reason := missing():
        pytest.skip(reason)
    with fleet(tmp_path, demo, {"alpha": "nova", "beta": "nova"}) as made:
        yield made


def test_builds_go_on_elsewhere_when_their_host_loses_its_power(two_hosts: Fleet) -> None:
    alpha, command = two_hosts.on["alpha"].host, two_hosts.command
    command.configure(parallel=3, patience=2, undo_deadline=3)  # a host that is away is given up
    burst = command.start("create", "burst", "--max", "3", *BUILD)
    until_an_address_is_reserved(alpha, burst)
    alpha.power_off()
    told = burst.communicate()[1]
    assert burst.returncode == 3, told

    assert_all_went_on(two_hosts, SMALL_BURST, "alpha")
    guests = two_hosts.on["beta"].running()
    assert len(guests) == 3
    alpha.power_on()
    command.configure()
    assert two_hosts.left("alpha") != []
    command.run("resume")
    assert two_hosts.left("alpha") == []
    assert two_hosts.placed() == {"alpha": set(), "beta": set(guests)}


@pytest.fixture
def three_hosts(tmp_path: Path, demo: DemoGuest) -> Iterator[Fleet]:
    if reason := missing():
        pytest.skip(reason)
    with fleet(tmp_path, demo, {"alpha": "east", "beta": "east", "gamma": "west"}) as made:
        yield made


@pytest.mark.slow
def test_burst_of_a_dozen_keeps_its_rules_when_a_host_loses_its_power(three_hosts: Fleet) -> None:
    command, beta = three_hosts.command, three_hosts.on["beta"].host
    command.run("server", "group", "create", "apart", "--policy", "anti-affinity")
    command.run("create", "trio", "--max", "3", "--server-group", "apart", *BUILD)
    assert three_hosts.sizes(TRIO) == {"alpha": 1, "beta": 1, "gamma": 1}
    fourth = command.json("create", "fourth", "--server-group", "apart", *BUILD, expect=1)
    for host in three_hosts.on:
        assert f"{host}: server group 'apart'" in fourth["fault"]["message"]
    command.run("create", "pair", "--max", "2", "--availability-zone", "west", *BUILD)
    assert three_hosts.sizes(PAIR) == {"alpha": 0, "beta": 0, "gamma": 2}
    assert three_hosts.running() == three_hosts.placed()

    before = three_hosts.left("beta")
    command.configure(parallel=3, patience=2, undo_deadline=3)
    command.run("quota", "set", "default", "--server-group-members", "12")
    rules = ("--policy", "anti-affinity", "--rule", "max_server_per_host=6")
    command.run("server", "group", "create", "wide", *rules)
    burst = command.start("create", "burst", "--max", "12", "--server-group", "wide", *BUILD)
    until_an_address_is_reserved(beta, burst)
    beta.power_off()
    told = burst.communicate()[1]
    assert burst.returncode == 3, told
    assert_all_went_on(three_hosts, BURST, "beta")
    assert three_hosts.sizes(BURST) == {"alpha": 6, "beta": 0, "gamma": 6}

    beta.power_on()
    command.configure()
    assert three_hosts.left("beta") != before
    command.run("resume")
    assert command.json("audit") == []
    assert three_hosts.left("beta") == before
    running = three_hosts.running()
    assert running == three_hosts.placed() | {"beta": set()}
    assert [len(guests) for guests in running.values()] == [7, 0, 9]


def assert_all_went_on(hosts: Fleet, names: tuple[str, ...], lost: str) -> None:
    """Every build is done, and what the host that was lost had of it is owed."""
    builds = hosts.builds(names)
    assert len(builds) == len(names)
    tried = [[(a["host"], a["outcome"]) for a in build["attempts"]] for build in builds]
    assert any((lost, "failed") in attempts for attempts in tried), tried
    for build, attempts in zip(builds, tried, strict=True):
        assert build["state"] == attempts[-1][1] == "done"
        assert {debt["host"] for debt in build["owes"]} <= {lost}
        assert bool(build["owes"]) == ((lost, "failed") in attempts), build
