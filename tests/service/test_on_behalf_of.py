"""One controller for several callers: each with their own rights and their own things."""

from pathlib import Path

import pytest

from tests.support import lab as labs
from tests.support.lab import Lab
from vmwright.admission import Caller
from vmwright.controller import Controller
from vmwright.errors import Conflict, Forbidden, NotFound

THEIRS = Caller(project="elsewhere", user="stranger", roles=frozenset({"member", "reader"}))
LOOKING = Caller(project="default", user="looker", roles=frozenset({"reader"}))


def in_child(lab: Lab, work: labs.Work) -> None:
    ended = lab.child(work)
    assert ended.status == 0, ended.output


def wish(name: str) -> labs.CreateRequest:
    return labs.request(name=name, volumes=[])


def test_each_sees_what_is_theirs_whoever_came_first(lab: Lab) -> None:
    def work(controller: Controller) -> None:
        # The first of them starts the threads that all of them have.
        theirs = controller.on_behalf_of(THEIRS)
        begun = theirs.create(wish("theirs"))
        ours = controller.create(wish("ours"))
        for one, operation in ((theirs, begun), (controller, ours)):
            assert one.wait(operation.id, 60).state == "done"
        assert [one.name for one in theirs.instances()] == ["theirs"]
        assert {one.name for one in controller.instances()} == {"theirs", "ours"}
        assert theirs.instance("theirs").user_id == "stranger"
        assert theirs.inventory.volumes() == []
        assert theirs.operation_counts()["done"] == 1
        for look in (
            lambda: theirs.instance("ours"),
            lambda: theirs.operation(ours.id),
            lambda: theirs.graph(ours.id),
            lambda: theirs.delete("ours"),
            lambda: theirs.cancel(ours.id),
            lambda: theirs.find_operations(instance=ours.instance_id, before=ours.id),
        ):
            with pytest.raises(NotFound):
                look()

    in_child(lab, work)


def test_rights_are_not_handed_on(lab: Lab) -> None:
    def work(controller: Controller) -> None:
        # What the operator may do was asked before, and was remembered.
        controller.inventory.create_flavor("first", 1, 64, 1)
        controller.debts()
        known = controller.submit(wish("vm1"))
        looking = controller.on_behalf_of(LOOKING)
        assert looking.instance("vm1").id == known.instance_id
        for verb in (
            lambda: looking.inventory.create_flavor("second", 1, 64, 1),
            lambda: looking.inventory.create_volume("mine", 1),
            lambda: looking.create(wish("vm2")),
            lambda: looking.delete("vm1"),
            lambda: looking.cancel(known.id),
            looking.resume,
            looking.debts,
            looking.audit,
            looking.pay_debts,
            looking.inventory.tokens.list,
        ):
            with pytest.raises(Forbidden):
                verb()
        again = looking.on_behalf_of(controller.caller)
        assert again.inventory.create_flavor("third", 1, 64, 1).name == "third"

    in_child(lab, work)


def test_rules_that_change_hold_for_all_at_once(lab: Lab, tmp_path: Path) -> None:
    rules = tmp_path / "policy.yaml"
    rules.write_text('"vmwright:resources": "role:member"\n')

    def work(controller: Controller) -> None:
        theirs = controller.on_behalf_of(THEIRS)
        assert theirs.inventory.create_volume("one", 1).name == "one"
        rules.write_text('"vmwright:resources": "role:admin and not role:reader"\n')
        for one in (theirs, controller):
            with pytest.raises(Forbidden):
                one.inventory.create_volume("two", 1)

    settings = labs.replace(lab.settings, policy_file=rules)
    process = lab.fork(work, settings)
    ended = lab.reap(process)
    assert ended.status == 0, ended.output


def test_they_are_closed_together(lab: Lab) -> None:
    def work(controller: Controller) -> None:
        theirs = controller.on_behalf_of(THEIRS)
        theirs.wait(theirs.create(wish("theirs")).id, 60)
        controller.close()
        with pytest.raises(Conflict, match="was closed"):
            theirs.create(wish("more"))

    in_child(lab, work)


def test_who_runs_nothing_leaves_it_to_others(lab: Lab) -> None:
    """Also what is begun on behalf of somebody, and the verbs."""

    def accept(_: Controller) -> None:
        with Controller(lab.settings, runs=False) as idle:
            theirs = idle.on_behalf_of(THEIRS)
            begun = theirs.create(wish("theirs"))
            gone = idle.create(wish("gone"))
            idle.cancel(gone.id)
            idle.resume()
            assert {one.state for one in idle.operations()} == {"queued"}
            assert theirs.operation(begun.id).state == "queued"

    in_child(lab, accept)
    assert lab.rows("SELECT * FROM vmwright_owners") == []
    in_child(lab, labs.resume)
    states = lab.rows("SELECT state FROM vmwright_operations ORDER BY seq")
    assert [row["state"] for row in states] == ["done", "cancelled"]
