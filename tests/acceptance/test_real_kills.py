"""kill -9 of the command that builds a real guest, all over the build: nothing is lost or left."""

import pytest

from tests.support.installed import Installed

pytestmark = [pytest.mark.libvirt, pytest.mark.guest]

MOMENTS = 12
BUILD = (
    *("create", "vm1", "--image", "demo", "--flavor", "small"),
    *("--network", "net1", "--volume", "size=1"),
)


def test_killed_builds_are_resumed_and_deleted_without_a_trace(installed: Installed) -> None:
    whole = installed.seconds_after_submission(*BUILD)
    installed.run("delete", "vm1")
    assert_nothing_on_the_host(installed)
    moments = [whole * n / MOMENTS for n in range(MOMENTS)]
    outcomes = [killed_at(installed, moment) for moment in moments]
    assert outcomes.count("built") >= MOMENTS - 2, outcomes
    assert installed.json("audit") == []


def killed_at(installed: Installed, seconds: float) -> str:
    """Kill a build this long after its submission, resume it at once, look, and delete it."""
    killed = installed.killed_after(seconds, *BUILD)
    installed.run("resume")
    (instance,) = installed.json("list", "--long")
    assert (instance["vm_state"], instance["task_state"]) == ("active", None)
    assert installed.domains() == installed.running() == [instance["id"]]
    assert len(installed.reservations()) == 1
    assert sorted(role(name) for name in installed.volumes()) == ["config", "data", "root"]
    installed.run("delete", instance["id"])
    assert_nothing_on_the_host(installed)
    return "built" if killed else "too late"


def assert_nothing_on_the_host(installed: Installed) -> None:
    assert installed.domains() == installed.volumes() == installed.reservations() == []


def role(volume: str) -> str:
    found = volume.split(".")[5]
    return found if found in ("root", "config") else "data"
