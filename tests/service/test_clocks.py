"""No clock but the database's says whose word is good; no two machines need agree on the time."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import lab as labs
from tests.support.attempts import until
from tests.support.lab import Lab
from tests.support.oracle import assert_one_guest
from vmwright.testing.points import Moment, Point, Watcher

ELSEWHERE = """
import sys
from pathlib import Path
from tests.service.test_clocks import held_back
from tests.support import lab as labs
from vmwright.controller import Controller

lab = labs.Lab(Path(sys.argv[1]))
with Controller(lab.settings, watch=held_back(lab)) as controller:
    labs.create(controller)
"""
DAY = 86400


def held_back(lab: Lab, meanwhile=lambda: None):
    """Guests are started there only once the file ``gate`` is there."""

    def visit(point: Point) -> None:
        meanwhile()
        if point.moment is Moment.BEFORE and point.name.startswith("ensure_running@"):
            (lab.home / "arrived").touch()
            until((lab.home / "gate").exists)

    return Watcher(visit).watch


def assert_left_alone(lab: Lab) -> None:
    """Another process wants to take the build up, and waits until its owner has ended it."""
    until((lab.home / "arrived").exists)
    other = lab.fork(labs.resume)
    until(lambda: len(lab.rows("SELECT * FROM vmwright_owners")) == 2)
    (lab.home / "gate").touch()
    assert lab.reap(other).output.split() == ["done"]
    assert lab.rows("SELECT epoch FROM vmwright_operations") == [{"epoch": 1}]
    assert_one_guest(lab)


def test_wall_clock_that_jumps_neither_ends_nor_prolongs_a_lease(lab: Lab) -> None:
    """It is set forth and back by a day, again and again, in the process that builds."""
    true, steps = time.time, iter([DAY, -DAY] * 1000)

    def jump() -> None:
        step = next(steps)
        time.time = lambda: true() + step

    process = lab.fork(labs.create, watch=held_back(lab, jump))
    assert_left_alone(lab)
    assert lab.reap(process).output.split() == ["done"]


@pytest.mark.slow
@pytest.mark.parametrize("days", [30, -1])
def test_machine_that_was_started_at_another_time_is_left_alone(lab: Lab, days: int) -> None:
    """Its monotonic clocks run ahead of ours by a month, or began later."""
    if reason := _no_time_namespaces():
        pytest.skip(reason)
    ahead = days * DAY if days > 0 else -int(time.clock_gettime(time.CLOCK_BOOTTIME) / 2)
    clocks = ["--time", "--monotonic", str(ahead), "--boottime", str(ahead), "--fork"]
    command = ["unshare", *clocks, sys.executable, "-c", ELSEWHERE, str(lab.home)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as building:
        assert_left_alone(lab)
        assert building.communicate()[0].split() == ["done"]


def _no_time_namespaces() -> str:
    tried = ["unshare", "--time", "--boottime", "1", "--fork", "true"]
    try:
        done = subprocess.run(tried, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        return "unshare is missing (apt install util-linux)"
    if done.returncode:
        return f"needs root and a kernel with time namespaces: {done.stderr.strip()}"
    return ""
