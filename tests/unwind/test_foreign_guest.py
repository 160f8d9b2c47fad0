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


def put(lab: Lab, mark: Mark | None) -> Path:
    """Have a guest that runs under the uuid of the only instance; returns its file."""
    (instance,) = lab.rows("SELECT id FROM vmwright_instances")
    path = lab.home / "world" / "hosts" / "host1" / "domains" / f"{instance['id']}.json"
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
