"""What an absent host still holds is owed, shown, and paid once it is back."""

import threading
from dataclasses import replace

from tests.support import lab as labs
from tests.support.attempts import pay_now
from tests.support.lab import Lab
from tests.support.late_calls import have_calls_land
from tests.support.oracle import LOCAL_DISKS, fault


def test_a_host_that_goes_away_in_an_undo_is_owed_and_paid_without_anybodys_doing(
    lab: Lab,
) -> None:
    gone = replace(lab, faults=("ensure_running:1:down",))
    down = lab.home / "world" / "hosts" / "host1" / "down"

    def child(controller):
        operation = controller.create(labs.request())
        print(controller.wait(operation.id, timeout=60).state)
        owed = controller.describe_operation(controller.operation(operation.id))["owes"]
        print(len(owed), {debt["reason"] for debt in owed})
        down.unlink()
        pause = threading.Event()
        while controller.describe_operation(controller.operation(operation.id))["owes"]:
            pause.wait(0.05)
        print(controller.audit())

    ended = gone.child(child)
    state, owed, audit = ended.output.splitlines()
    assert state == "undone"
    assert owed == "9 {'host away'}"
    assert audit == "[]"
    assert lab.things("domains") == lab.things("volumes") == lab.things("reservations") == []
    assert len(fault(lab)["owed"]) == 9


def test_the_others_go_on_while_a_host_is_away(lab: Lab) -> None:
    """Builds that met it end elsewhere, and what they left there is owed."""

    def child(controller):
        controller.inventory.create_host("host2", "simulated:///host2")
        first = controller.create(labs.request())
        second = controller.create(labs.request(name="vm2", volumes=[{"size": 1}]))
        ended = [controller.wait(operation.id, timeout=60) for operation in (first, second)]
        print(*(operation.state for operation in ended))
        described = [controller.describe_operation(operation) for operation in ended]
        print({debt["host"] for known in described for debt in known["owes"]})
        print({controller.describe_instance(one)["host"] for one in controller.instances()})

    ended = replace(lab, faults=("ensure_running@host1:1:down",)).child(child)
    assert ended.output.splitlines() == ["done done", "{'host1'}", "{'host2'}"], ended.output


def test_a_late_effect_is_waited_for_and_removed(lab: Lab) -> None:
    """The call was given up, and lands when the undo has long looked."""
    late = replace(lab, faults=("ensure_running:1:late:2", "ensure_domain:1:late:3"))

    def child(controller):
        print(controller.wait(controller.create(labs.request()).id, timeout=60).state)

    ended = late.child(child)
    assert ended.output.split() in (["done"], ["undone"]), ended.output
    have_calls_land(lab)
    pay_now(lab)
    expected = 1 if ended.output.split() == ["done"] else 0
    assert len(lab.things("domains")) == expected


def test_audit_sees_what_nobody_needs_and_nothing_else(lab: Lab) -> None:
    lab.child(labs.create)
    assert lab.child(lambda controller: print(controller.audit())).output.strip() == "[]"
    lab.execute("UPDATE vmwright_instances SET deleted_at = 1, vm_state = 'deleted'")

    def child(controller):
        for leftover in controller.audit():
            print(leftover["kind"], leftover["verdict"], leftover["why"])

    found = sorted(lab.child(child).output.splitlines())
    held = ["attachment"] * 3, ["claim"], ["port"] * 2
    outside = ["domain"], ["reservation"] * 2, ["volume"] * len(LOCAL_DISKS)
    assert found == [
        f"{kind} leftover its instance was deleted"
        for kind in sorted(kind for kinds in (*held, *outside) for kind in kinds)
    ]


def test_a_host_that_was_away_takes_nothing_before_it_is_cleaned(lab: Lab) -> None:
    """It may still have the guests and addresses that nobody's books hold any more."""
    replace(lab, faults=("ensure_running:1:down",)).child(labs.create)

    def again(controller):
        operation = controller.submit(labs.request(name="vm2"))
        controller.resume(operation.id)
        print(controller.wait(operation.id, timeout=60).error["message"])

    ended = lab.child(again)
    assert "host1: was away and still has to be cleaned of 10 things" in ended.output
    (lab.home / "world" / "hosts" / "host1" / "down").unlink()
    # Tries that met the absent host have put them off.
    lab.execute("UPDATE vmwright_debts SET not_before = 0")
    assert lab.child(labs.pay).status == 0
    assert lab.child(labs.create).output.split() == ["done"]
