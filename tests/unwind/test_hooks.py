"""Hooks are tasks like ours: whatever goes wrong in one, or after it, is taken back whole."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.breaking import Break, broken, execute, names
from tests.support.hooks import (
    POST,
    PRE,
    Announce,
    Register,
    installed,
    inventory,
    uninstall,
    with_hooks,
)
from tests.support.lab import Lab
from tests.support.matrices import cases
from tests.support.oracle import assert_nothing_left, assert_one_guest, fault
from vmwright.controller import Controller
from vmwright.spec import HooksSpec
from vmwright.testing import Matrix


def assert_built(lab: Lab) -> None:
    assert inventory(lab) == ["building", "running"]
    assert_one_guest(lab)


def assert_given_back(lab: Lab) -> None:
    assert inventory(lab) == []
    assert_nothing_left(lab)


OURS = names("create")
LAST = OURS[-1]
FIRST_EFFECT = OURS.index("allocate_network")
TASKS = [*OURS[:FIRST_EFFECT], PRE, *OURS[FIRST_EFFECT:-1], POST, LAST]

at_each_hook = pytest.mark.parametrize("hook", [PRE, POST])
HOOKS = Matrix(
    replace(
        Matrix.of_hooks(pre_create=[Register], post_create=[Announce]).subject,
        start=labs.create,
        prepare=labs.prepare,
        prepare_neighbour=None,
        done=assert_built,
        undone=assert_given_back,
    )
)
HOOKED_BUILDS = Matrix(replace(HOOKS.subject, meant=tuple(OURS)))


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    with installed(tmp_path_factory.mktemp("hooks") / "site") as directory:
        yield directory


@pytest.fixture
def hooked(lab: Lab, package: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A deployment whose builds run the example's hooks."""
    (lab.home / "inventory").mkdir()
    monkeypatch.setenv("INVENTORY_DIR", str(lab.home / "inventory"))
    return with_hooks(lab)


def test_hooks_stand_where_the_documents_say(package: Path) -> None:
    assert names("create", HooksSpec(pre=("register",), post=("announce",))) == TASKS


def test_hooks_are_run_with_a_build(hooked: Lab) -> None:
    ended = hooked.child(labs.create)
    assert ended.output.split() == ["done"], ended.output
    assert inventory(hooked) == ["building", "running"]
    assert_one_guest(hooked)


@pytest.mark.parametrize("case", cases(HOOKS))
def test_one_guest_with_its_entries_or_no_trace(hooked: Lab, case: Any) -> None:
    HOOKS.run(case, hooked)


@pytest.mark.parametrize("case", cases(HOOKED_BUILDS, "undone twice"))
def test_failure_gives_back_what_hooks_made(hooked: Lab, case: Any) -> None:
    HOOKED_BUILDS.run(case, hooked)


@at_each_hook
def test_a_fault_of_a_hook_is_no_hosts_fault(hooked: Lab, hook: str) -> None:
    ended = hooked.child(broken(labs.create, execute(hook, Break.FAIL_AFTER)))
    assert ended.output.split() == ["undone"], ended.output
    assert [attempt["number"] for attempt in fault(hooked)["attempts"]] == [1]
    assert inventory(hooked) == []
    assert_nothing_left(hooked)


def test_a_build_goes_on_with_the_hooks_that_it_began_with(hooked: Lab, lab: Lab) -> None:
    """Whatever the configuration says meanwhile."""
    assert hooked.child(broken(labs.create, execute("spawn", Break.KILL_BEFORE))).killed
    ended = lab.child(labs.resume)
    assert ended.output.split() == ["done"], ended.output
    assert inventory(hooked) == ["building", "running"]


def test_a_build_whose_hook_is_gone_is_parked_until_it_is_back(hooked: Lab, package: Path) -> None:
    assert hooked.child(broken(labs.create, execute(POST, Break.KILL_BEFORE))).killed

    def resume_without(controller: Controller) -> None:
        uninstall(package)
        labs.resume(controller)

    ended = hooked.child(resume_without)
    assert ended.output.split() == ["parked"], ended.output
    (operation,) = hooked.rows("SELECT id, error FROM vmwright_operations")
    assert "register" in operation["error"]
    assert "not installed" in operation["error"]
    assert str(package) in sys.path

    def resume_with(controller: Controller) -> None:
        (known,) = controller.resume(operation["id"])
        print(controller.wait(known.id, timeout=60).state)

    ended = hooked.child(resume_with)
    assert ended.output.split() == ["done"], ended.output
    assert inventory(hooked) == ["building", "running"]
    assert_one_guest(hooked)


def test_the_graph_of_a_build_shows_its_hooks(hooked: Lab) -> None:
    def show(controller: Controller) -> None:
        labs.create(controller)
        (operation,) = controller.operations()
        graph = controller.graph(operation.id)
        for hook in (PRE, POST):
            print(graph.nodes[hook]["state"], sorted(graph.nodes[hook]["provides"]))

    ended = hooked.child(show)
    assert ended.output.splitlines()[1:] == ["SUCCESS ['inventory_entry']", "SUCCESS []"]
