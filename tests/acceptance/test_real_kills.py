"""kill -9 of the command that builds a real guest, all over the build: nothing is lost or left."""

import pytest

from tests.support.installed import Installed

pytestmark = [pytest.mark.libvirt, pytest.mark.guest]

BUILD = (
    *("create", "vm1", "--image", "demo", "--flavor", "small"),
    *("--network", "net1", "--volume", "size=1"),
)


LINES = 19
"""Lines of progress that a build has written before its last task ends."""


@pytest.mark.parametrize("kills", [3, pytest.param(12, marks=pytest.mark.slow)])
def test_killed_builds_are_resumed_and_deleted_without_a_trace(
    installed: Installed, kills: int
) -> None:
    installed.run(*BUILD)
    installed.run("delete", "vm1")
    assert_nothing_on_the_host(installed)
    moments = [(1 + LINES * n // kills, 0.08 * (n % 3)) for n in range(kills)]
    killed = [killed_at(installed, line, later) for line, later in moments]
    assert killed.count(True) >= kills - 2, killed
    assert installed.json("audit") == []


def killed_at(installed: Installed, line: int, later: float) -> bool:
    """Kill a build there, resume it at once, look at the host, and delete it."""
    last, killed = installed.killed_at(line, later, *BUILD)
    installed.run("resume")
    (instance,) = installed.json("list", "--long")
    assert (instance["vm_state"], instance["task_state"]) == ("active", None)
    assert installed.domains() == installed.running() == [instance["id"]]
    assert len(installed.reservations()) == 1
    assert sorted(role(name) for name in installed.volumes()) == ["config", "data", "root"]
    installed.run("delete", instance["id"])
    assert_nothing_on_the_host(installed)
    print(f"killed={killed} {later:.2f} s after: {last}")
    return killed


def assert_nothing_on_the_host(installed: Installed) -> None:
    assert installed.domains() == installed.volumes() == installed.reservations() == []


def role(volume: str) -> str:
    found = volume.split(".")[5]
    return found if found in ("root", "config") else "data"
