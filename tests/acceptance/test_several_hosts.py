"""Builds on several real hosts: where they go, and what becomes of them without one of the hosts.

What is on a host is read off its own `virsh`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.demo_guest import DemoGuest
from tests.support.fleet import Fleet, fleet, until_something_is_built
from tests.support.private_host import missing

pytestmark = [pytest.mark.libvirt, pytest.mark.guest]

BUILD = (
    *("--image", "demo", "--flavor", "small", "--network", "net1"),
    *("--volume", "size=1"),
)


@pytest.fixture
def two_hosts(tmp_path: Path, demo: DemoGuest) -> Iterator[Fleet]:
    if reason := missing():
        pytest.skip(reason)
    with fleet(tmp_path, demo, {"alpha": "", "beta": ""}) as made:
        yield made


def test_builds_go_on_elsewhere_when_their_host_loses_its_power(two_hosts: Fleet) -> None:
    alpha, command = two_hosts.on["alpha"].host, two_hosts.command
    command.configure(parallel=3, patience=2, undo_deadline=3)  # a host that is away is given up
    burst = command.start("create", "burst", "--max", "3", *BUILD)
    until_something_is_built(alpha)
    alpha.power_off()
    told = burst.communicate()[1]
    assert burst.returncode == 3, told

    assert_all_went_on("alpha", two_hosts)
    assert len(two_hosts.on["beta"].running()) == 3
    alpha.power_on()
    command.configure()
    assert two_hosts.left("alpha") != []
    command.run("resume")
    assert_nothing_is_owed(two_hosts)
    assert two_hosts.left("alpha") == []
    assert two_hosts.running() == two_hosts.placed()
    command.run("delete", "burst-1", "burst-2", "burst-3")
    assert two_hosts.left("beta") == []


def assert_all_went_on(lost: str, hosts: Fleet) -> None:
    """Every build is done, and what the host that was lost had of it is owed."""
    tried = [[(a["host"], a["outcome"]) for a in build["attempts"]] for build in hosts.builds()]
    assert any((lost, "failed") in attempts for attempts in tried), tried
    for build, attempts in zip(hosts.builds(), tried, strict=True):
        assert build["state"] == "done"
        assert attempts[-1][1] == "done"
        assert {debt["host"] for debt in build["owes"]} <= {lost}
        assert bool(build["owes"]) == ((lost, "failed") in attempts), build


def assert_nothing_is_owed(hosts: Fleet) -> None:
    assert [build["owes"] for build in hosts.builds() if build["owes"]] == []
    assert hosts.command.json("audit") == []
