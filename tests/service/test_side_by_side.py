"""Two releases on one store: neither touches what only the other one can run."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.breaking import Break, broken, execute
from tests.support.lab import Lab
from tests.support.oracle import instances
from tests.support.stopping import stop_at_rest
from vmwright import flows
from vmwright.flows import newest
from vmwright.ids import new_id
from vmwright.states import OperationState

NEWEST = newest("create").version


def older(work: Callable[[Any], None]) -> Callable[[Any], None]:
    """`work` in a release that knows no flow of the newest version of a build."""

    def child(controller):
        flows.RECIPES = tuple(
            known for known in flows.RECIPES if (known.kind, known.version) != ("create", NEWEST)
        )
        work(controller)

    return child


def plain(name: str) -> Any:
    return labs.request(name=name, volumes=[], user_data=None)


@dataclass
class Living:
    lab: Lab
    process: int
    ended: bool = False

    def kill(self) -> None:
        """It may be dead already."""
        if not self.ended:
            os.kill(self.process, signal.SIGKILL)
            self.lab.reap(self.process)
            self.ended = True

    def stop(self) -> None:
        """It holds what it holds, and renews its word no more."""
        stop_at_rest(self.lab, self.process)


@contextmanager
def living(lab: Lab) -> Iterator["Living"]:
    """A process of this release that has run something and lives on."""
    ready, told = os.pipe()

    def child(controller):
        controller.wait(controller.create(plain("first")).id, timeout=60)
        os.write(told, b"!")
        signal.pause()

    process = Living(lab, lab.fork(child))
    try:
        assert os.read(ready, 1) == b"!"
        yield process
    finally:
        process.kill()
        os.close(ready)
        os.close(told)


def interrupted(lab: Lab) -> str:
    """A build of the newest flow whose process was killed."""
    work = broken(lambda c: c.wait(c.create(plain("vm1")).id), execute("spawn", Break.KILL_AFTER))
    assert lab.child(work).killed
    (row,) = lab.rows("SELECT id FROM vmwright_operations WHERE state = 'running'")
    return str(row["id"])


def test_older_release_leaves_a_newer_flow_to_whoever_lives_and_knows_it(lab: Lab) -> None:
    with living(lab) as process:
        found = interrupted(lab)
        row = "SELECT state, epoch, owner_id FROM vmwright_operations WHERE id = ?"
        before = lab.rows(row, found)

        def child(controller):
            controller.resume()
            for name in ("vm2", "vm3"):
                # Its own work is done, in rounds that look at the other one as well.
                print(controller.wait(controller.create(plain(name)).id, timeout=60).state)
            print(lab.rows(row, found) == before)

        assert lab.child(older(child)).output.split() == ["done", "done", "True"]
        process.kill()
        # Nobody is left who knows it.
        assert lab.child(older(labs.resume)).output.split() == ["parked"]
    resumed = lab.child(lambda c: print(c.wait(c.resume(found)[0].id, timeout=60).state))
    assert resumed.output.split() == ["done"]
    assert {row["vm_state"] for row in instances(lab)} == {"active"}
    versions = lab.rows("SELECT flow_version, state FROM vmwright_operations ORDER BY seq")
    assert [row["flow_version"] for row in versions] == [NEWEST, NEWEST, 1, 1]
    assert len(lab.things("domains")) == 4


def test_newer_flow_is_left_to_whoever_was_silent_only_as_long_as_the_store_was(lab: Lab) -> None:
    """After an absence of the store no lease holds, and the older one may be the first to look."""
    with living(lab) as process:
        found = interrupted(lab)
        process.stop()

        def child(controller):
            controller.resume()
            for name in ("vm2", "vm3"):
                # In rounds that look at the other one as well.
                print(controller.wait(controller.create(plain(name)).id, timeout=60).state)
                lab.execute("UPDATE vmwright_owners SET expires_at = 1 WHERE flows LIKE '%, 2]%'")
            print(controller.operation(found).state)

        # Longer than the test may take.
        patient = replace(lab, lease=600.0)
        assert patient.child(older(child)).output.split() == ["done", "done", "running"]
        # Shorter than it.
        assert replace(lab, lease=1.0).child(older(labs.resume)).output.split() == ["parked"]


def test_newer_release_goes_on_with_what_an_older_one_began(lab: Lab) -> None:
    work = broken(labs.create, execute("map_block_devices", Break.KILL_AFTER))
    assert lab.child(older(work)).killed
    assert lab.child(labs.resume).output.split() == ["done"]
    (row,) = lab.rows("SELECT flow_version FROM vmwright_operations")
    assert row["flow_version"] == 1


def test_owner_tells_which_flows_it_knows(lab: Lab) -> None:
    with living(lab):
        (row,) = lab.rows("SELECT flows FROM vmwright_owners")
    told = {tuple(flow) for flow in json.loads(row["flows"])}
    assert told == {(known.name, known.version) for known in flows.RECIPES}


def test_owner_of_a_release_that_tells_nothing_is_no_reason_to_wait(lab: Lab) -> None:
    """It knows nothing that we do not know, and its lease has not run out."""
    found = interrupted(lab)
    lab.execute(
        "INSERT INTO vmwright_owners (id, machine, lock_path, started_at, expires_at)"
        f" VALUES ('{new_id()}', 'elsewhere', '/nowhere', 1, 99999999999)"
    )
    assert lab.child(older(labs.resume)).output.split() == ["parked"]
    (row,) = lab.rows("SELECT error FROM vmwright_operations WHERE id = ?", found)
    assert f"version {NEWEST} is not known here" in json.loads(row["error"])["parked"]["message"]


@pytest.mark.parametrize("state", [OperationState.QUEUED, OperationState.INTERRUPTED])
def test_what_a_newer_release_left_to_others_is_parked_and_not_guessed(
    lab: Lab, state: OperationState
) -> None:
    if state is OperationState.QUEUED:
        assert lab.child(lambda controller: controller.submit(plain("vm1"))).status == 0
    else:
        interrupted(lab)
    world = lab.world()
    assert lab.child(older(labs.resume)).output.split() == ["parked"]
    assert lab.world() == world
