"""A guest that somebody else makes under our uuid, after we have looked, is not taken for ours."""

import json
from pathlib import Path

import pytest

from tests.support import lab as labs
from tests.support.breaking import meet
from tests.support.lab import Lab
from tests.support.marks import Marks
from tests.support.oracle import assert_nothing_held, fault
from vmwright.controller import Controller
from vmwright.ids import DeploymentId, Mark, new_id
from vmwright.states import Direction


def put(lab: Lab, mark: Mark | None, host: str = "host1") -> Path:
    """Have a guest that runs under the uuid of the only instance; returns its file."""
    (instance,) = lab.rows("SELECT id FROM vmwright_instances")
    path = lab.home / "world" / "hosts" / host / "domains" / f"{instance['id']}.json"
    record = {
        "uuid": instance["id"],
        "name": "somebody-elses",
        "mark": mark and mark.to_store(),
        "state": "running",
        "disks": [],
        "nics": [],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))
    return path


@pytest.mark.parametrize(
    "mark",
    [None, Marks(DeploymentId(new_id())).ours],
    ids=["without a mark", "of another deployment"],
)
def test_spawn_takes_no_guest_of_others_for_its_own(lab: Lab, mark: Mark | None) -> None:
    def builds(controller: Controller) -> None:
        meet("spawn", Direction.EXECUTE, lambda: put(lab, mark), after=False)
        labs.create(controller)

    ended = lab.child(builds)

    assert ended.output.split() == ["undone"], ended.output
    assert fault(lab)["task"] == "spawn"
    (domain,) = lab.things("domains")
    assert domain["name"] == "somebody-elses"
    assert len(lab.world()) == 1
    assert_nothing_held(lab)


@pytest.mark.parametrize("hosts", [3, 12])
def test_a_guest_of_others_on_any_host_ends_a_build_before_it_has_made_anything(
    lab: Lab, hosts: int
) -> None:
    """Few hosts are asked in turn, many at the same time."""

    def builds(controller: Controller) -> None:
        for number in range(2, hosts + 1):
            controller.inventory.create_host(f"host{number}", f"simulated:///host{number}")
        last = f"host{hosts}"
        meet("check_not_created", Direction.EXECUTE, lambda: put(lab, None, last), after=False)
        labs.create(controller)

    ended = lab.child(builds)

    assert ended.output.split() == ["undone"], ended.output
    told = fault(lab)
    assert told["task"] == "check_not_created"
    assert f"host host{hosts} has a guest 'somebody-elses'" in told["message"]
    assert len(lab.things("domains")) == 1
    assert_nothing_held(lab)
