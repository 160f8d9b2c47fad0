"""Whatever goes wrong with a build, wherever: one complete guest, or no trace of it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.breaking import Break, broken, execute, names, revert
from tests.support.lab import Lab
from tests.support.matrices import CREATE, CREATE_AMONG_OTHERS, cases
from tests.support.oracle import assert_nothing_held, assert_only_the_users_volume_is_left, fault

TASKS = names("create")
LAST = TASKS[-1]
SIBLINGS = ("plug_network", "map_block_devices")


def test_a_build_and_its_end_leave_nothing(lab: Lab) -> None:
    lab.child(labs.create)
    ended = lab.child(labs.delete)
    assert ended.output.split() == ["done"], ended.output
    assert_only_the_users_volume_is_left(lab)


def test_siblings_are_those_that_the_documents_name() -> None:
    assert CREATE.subject.siblings() == [SIBLINGS]


@pytest.mark.parametrize("case", cases(CREATE))
def test_one_guest_or_no_trace(lab: Lab, case: Any) -> None:
    CREATE.run(case, lab)


@pytest.mark.parametrize("case", cases(CREATE_AMONG_OTHERS, "undone once"))
def test_what_others_made_survives(stages: Any, tmp_path: Path, case: Any) -> None:
    stage = stages(CREATE_AMONG_OTHERS).copied_to(tmp_path / "lab")
    CREATE_AMONG_OTHERS.run(case, stage)


def test_a_refused_build_hurts_nobody(lab: Lab, tmp_path: Path) -> None:
    """Somebody else's guest has the uuid that ours would take."""

    def submit(controller):
        print(controller.submit(labs.request()).instance_id)

    ours = lab.child(submit).output.split()[0]
    foreign = another_deployment(lab, tmp_path / "foreign", uuid=ours)
    ended = lab.child(labs.resume)
    assert ended.output.split() == ["undone"], ended.output
    assert fault(lab)["task"] == "check_not_created"
    assert lab.world() == foreign


def test_each_task_has_given_its_own_back_before_the_build_ends(lab: Lab) -> None:
    """What an end gives back as well must not hide an undo that gives back nothing: others wait
    for room and addresses, and a build may stand still in its first task's undo for long."""
    stuck = broken(
        labs.create,
        execute("spawn", Break.FAIL_AFTER).refusing(),
        revert("check_not_created", Break.FAIL_BEFORE).refusing(),
    )
    ended = lab.child(stuck)
    assert ended.output.split() == ["stuck"], ended.output
    assert_nothing_held(lab)
    assert lab.world() == {}


def another_deployment(lab: Lab, home: Path, uuid: str | None = None) -> dict[str, str]:
    """Another store builds a guest in the same world; what is in the world then."""
    shutil.copytree(lab.home, home)
    (home / "store.db").unlink()
    for suffix in ("-wal", "-shm"):
        (home / f"store.db{suffix}").unlink(missing_ok=True)
    shutil.rmtree(home / "world")
    (home / "world").symlink_to(lab.home / "world")
    other = Lab(home)
    ended = other.child(lambda controller: (labs.prepare(controller), labs.create(controller)))
    assert ended.output.split() == ["done"], ended.output
    if uuid is not None:
        (path,) = (lab.home / "world").glob("hosts/*/domains/*.json")
        text = path.read_text().replace(path.stem, uuid)
        path.unlink()
        path.with_name(f"{uuid}.json").write_text(text)
    return lab.world()
