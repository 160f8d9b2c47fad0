"""What may be a hook, and what is said of one that may not."""

import sys
from pathlib import Path

import pytest

from tests.support.breaking import NO_MEANS
from tests.support.hooks import install, uninstall
from vmwright.errors import InvalidRequest, PackageMissing, UnknownFlow
from vmwright.flows import NO_HOOKS, newest, stored_flow, tasks_of
from vmwright.spec import HooksSpec

MODULE = """
from vmwright.states import TaskState
from vmwright.tasks.task import RemovingTask, StoreTask, Task


class Nothing:
    def execute(self, run):
        return None


class Plain(Nothing, Task):
    task_name = "spawn"


class Late(Task):
    task_name = "late"

    def execute(self, power_state):
        return None


class LateUndo(Nothing, Task):
    task_name = "late_undo"

    def revert(self, host, **_):
        return None


class Doubled(Nothing, Task):
    task_name = "doubled"
    default_provides = "network_info"


class Input(Nothing, Task):
    task_name = "input"
    default_provides = "spec"


class Stately(Nothing, Task):
    task_name = "stately"
    task_state = TaskState.SPAWNING


class Gone(Nothing, RemovingTask):
    task_name = "gone"


class First(Nothing, Task):
    task_name = "first"
    default_provides = "word"


class Second(StoreTask):
    task_name = "second"

    def execute(self, run, spec, word):
        return None


def made(means):
    return Plain(means)


def nothing(means):
    return object()


def broken(means):
    raise RuntimeError("no such server")
"""
NAMES = {
    "plain": "Plain",
    "late": "Late",
    "late-undo": "LateUndo",
    "doubled": "Doubled",
    "input": "Input",
    "stately": "Stately",
    "gone": "Gone",
    "first": "First",
    "second": "Second",
    "made": "made",
    "nothing": "nothing",
    "broken": "broken",
    "absent": "Absent",
}
REFUSED = {
    "late": "pre.late cannot be used: nothing before it provides power_state",
    "late-undo": "pre.late-undo cannot be used: nothing before it provides host",
    "doubled": "pre.doubled cannot be used: others provide network_info already",
    "input": "pre.input cannot be used: others provide spec already",
    "stately": "pre.stately cannot be used: the states of instances",
    "gone": "pre.gone cannot be used: a RemovingTask cannot be taken back",
    "nothing": "pre.nothing cannot be used: object is not a Task",
    "broken": "pre.broken cannot be used: it cannot be made: RuntimeError: no such server",
    "second": "pre.second cannot be used: nothing before it provides word",
    "Plain": "has not a name",
    "../x": "has not a name",
    "x" * 49: "has not a name",
    "": "has not a name",
}


@pytest.fixture(scope="module", autouse=True)
def package(tmp_path_factory):
    directory = tmp_path_factory.mktemp("hooks") / "site"
    entries = {name: f"odd_hooks:{value}" for name, value in NAMES.items()}
    groups = {f"vmwright.hooks.{moment}_create": entries for moment in ("pre", "post")}
    project = {"name": "odd-hooks", "version": "1", "entry-points": groups}
    install(directory, "odd_hooks", MODULE, project)
    sys.path.append(str(directory))
    yield directory
    uninstall(directory)


def flow_with(*pre: str, post: tuple[str, ...] = ()) -> list[str]:
    flow = newest("create").make(NO_MEANS, HooksSpec(pre=pre, post=post))
    return [task.name for task in tasks_of(flow)]


@pytest.mark.parametrize("name", ["plain", "made"])
def test_a_hook_is_called_by_its_entry_point_whatever_its_class_says(name: str) -> None:
    assert f"pre.{name}" in flow_with(name)


def test_hooks_come_after_the_checks_and_before_the_end() -> None:
    ours = [task.name for task in tasks_of(newest("create").make(NO_MEANS, NO_HOOKS))]
    with_hooks = flow_with("first", "plain", post=("second", "late"))
    assert [name for name in with_hooks if "." not in name] == ours
    assert with_hooks[2:5] == ["pre.first", "pre.plain", "allocate_network"]
    assert with_hooks[-3:] == ["post.second", "post.late", "mark_active"]


def test_one_plugin_may_be_both() -> None:
    both = flow_with("plain", post=("plain",))
    assert {"pre.plain", "post.plain"} < set(both)


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_what_is_no_hook_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        flow_with(name)


def test_hooks_are_in_order_and_none_comes_twice() -> None:
    with pytest.raises(InvalidRequest, match="named twice"):
        flow_with("plain", "plain")
    assert flow_with("first", "second")[2:4] == ["pre.first", "pre.second"]
    with pytest.raises(InvalidRequest, match="nothing before it provides word"):
        flow_with("second", "first")


def test_an_unknown_hook_is_refused_and_the_installed_are_listed() -> None:
    with pytest.raises(InvalidRequest, match="post hook 'other' is not installed") as refused:
        flow_with(post=("other",))
    assert "plain" in refused.value.hint


def test_a_hook_that_cannot_be_loaded_names_its_place() -> None:
    with pytest.raises(PackageMissing, match="odd_hooks:Absent"):
        flow_with("absent")


@pytest.mark.parametrize("name", ["other", "absent", "late"])
def test_a_stored_build_whose_hooks_are_not_here_is_of_an_unknown_flow(name: str) -> None:
    recipe = newest("create")
    with pytest.raises(UnknownFlow, match=name):
        stored_flow(recipe.name, recipe.version, NO_MEANS, HooksSpec(pre=(name,)))


def test_the_end_of_an_instance_has_no_hooks() -> None:
    recipe = newest("delete")
    hooks = HooksSpec(pre=("plain",))
    with_hooks = tasks_of(recipe.make(NO_MEANS, hooks))
    assert [t.name for t in with_hooks] == [
        t.name for t in tasks_of(recipe.make(NO_MEANS, NO_HOOKS))
    ]


def test_the_directory_of_the_package_is_on_the_path(package: Path) -> None:
    assert str(package) in sys.path
