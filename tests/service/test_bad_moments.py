"""What goes wrong in the worst moment ends nothing for good and is never told as success."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from tests.support import lab as labs
from tests.support.attempts import pay_now, until
from tests.support.breaking import Break, broken, execute, revert
from tests.support.lab import Lab
from tests.support.late_calls import calls_under_way, have_calls_land
from tests.support.oracle import assert_nothing_left, assert_one_guest, instances
from vmwright.controller import Controller
from vmwright.errors import Conflict, InvalidRequest, SchemaMismatch, Unavailable
from vmwright.flows import newest

FORGETFUL = """
import sys, threading
from pathlib import Path
from tests.support.lab import Lab, request
from vmwright.controller import Controller

controller = Controller(Lab(Path(sys.argv[1]), latency="0.2").settings)
for event in controller.watch(controller.create(request()).id):
    if event.task == "plug_network":
        break
"""


def test_start_that_failed_can_be_repeated(lab: Lab) -> None:
    """The owner's row cannot be written at first: its lock does not bar the second try."""

    def child(controller):
        lab.execute("ALTER TABLE vmwright_owners RENAME TO away")
        with pytest.raises(SchemaMismatch):
            controller.create(labs.request())
        lab.execute("ALTER TABLE away RENAME TO vmwright_owners")
        labs.resume(controller)

    assert lab.child(child).output.split() == ["done"]
    assert_one_guest(lab)
    assert list((lab.home / "owners").iterdir()) == []


def test_place_for_locks_that_cannot_be_made_is_named(lab: Lab) -> None:
    def child(controller):
        for lock in (lab.home / "owners").glob("*"):
            lock.unlink()
        (lab.home / "owners").rmdir()
        (lab.home / "owners").touch()
        with pytest.raises(Unavailable, match="owners"):
            controller.create(labs.request())

    (lab.home / "owners").mkdir(exist_ok=True)
    ended = lab.child(child)
    assert ended.status == 0, ended.output


def test_program_that_ends_without_closing_parks_nothing(lab: Lab) -> None:
    subprocess.run([sys.executable, "-c", FORGETFUL, str(lab.home)], check=True)
    (operation,) = lab.rows("SELECT state FROM vmwright_operations")
    assert operation["state"] in ("interrupted", "running")
    assert lab.child(labs.resume).output.split() == ["done"]
    assert_one_guest(lab)


@pytest.mark.parametrize("again", ["cancelled", "put_down_while_undoing"])
def test_unanswered_call_of_a_build_that_was_put_down_is_waited_for(lab: Lab, again: str) -> None:
    """The process that made the call left in good order; the call lands all the same."""
    late = replace(lab, faults=("ensure_volume:1:late:3600",))

    def leave(controller):
        controller.create(labs.request())
        until(lambda: calls_under_way(lab) != [])

    def cancel(controller):
        (operation,) = controller.operations()
        controller.cancel(operation.id)
        for event in controller.watch(operation.id):
            if again == "put_down_while_undoing" and is_undo_of_volumes(event):
                return

    def is_undo_of_volumes(event):
        return (event.task, event.state) == ("map_block_devices", "REVERTING")

    assert late.child(leave).status == 0
    assert lab.child(cancel).status == 0
    lab.child(labs.resume)
    assert len(calls_under_way(lab)) == 1
    have_calls_land(lab)
    pay_now(lab)
    assert_nothing_left(lab)


def test_call_that_may_still_land_is_waited_for_although_its_host_is_away(lab: Lab) -> None:
    """It is owed for the host's silence, and still for the call."""
    patient = replace(lab, faults=("ensure_volume:1:late:600",), late_effect=3600.0)

    def cut_off(controller):
        controller.create(labs.request())
        until(lambda: calls_under_way(lab) != [])
        os.kill(os.getpid(), signal.SIGKILL)

    def take_back(controller):
        (operation,) = controller.operations()
        controller.cancel(operation.id)
        labs.resume(controller)

    assert patient.child(cut_off).killed
    assert replace(patient, faults=()).child(take_back).output.split() == ["cancelled"]
    owed = lab.rows("SELECT reason, not_before - created_at AS delay FROM vmwright_debts")
    assert {debt["reason"] for debt in owed} == {"host away", "late effect"}
    assert all(debt["delay"] > 3000 for debt in owed)


def test_resumed_delete_takes_up_the_build_that_it_waits_for(lab: Lab) -> None:
    """Both processes are dead, and only the delete is named."""
    assert lab.child(broken(labs.create, execute("spawn", Break.KILL_BEFORE))).killed
    assert lab.child(broken(labs.delete, revert("spawn", Break.KILL_BEFORE))).killed

    def child(controller):
        (delete,) = (known for known in controller.operations() if known.kind == "delete")
        controller.resume(delete.id)
        print(controller.wait(delete.id, timeout=30).state)

    assert lab.child(child).output.split() == ["done"]


def test_parked_build_ends_with_the_delete_of_its_instance(lab: Lab) -> None:
    """Nobody may take it up later: it would undo what has become somebody else's."""
    assert lab.child(broken(labs.create, execute("spawn", Break.KILL_BEFORE))).killed
    lab.execute("UPDATE vmwright_operations SET flow_version = 99")
    assert lab.child(labs.resume).output.split()[-1] == "parked"
    assert lab.child(labs.delete).output.split() == ["done"]
    known = newest("create").version
    lab.execute(f"UPDATE vmwright_operations SET flow_version = {known} WHERE kind = 'create'")
    assert lab.things("volumes") == []
    # Its user's volume, and its user's port, are another instance's by now.
    assert lab.child(labs.create).output.split() == ["done"]
    world = lab.world()

    def child(controller):
        build = next(known for known in controller.operations() if known.kind == "create")
        controller.resume(build.id)
        print(controller.wait(build.id, timeout=30).state)

    assert lab.child(child).output.split() == ["undone"]
    assert lab.world() == world
    assert [known["vm_state"] for known in instances(lab)] == ["deleted", "active"]


def test_what_a_guest_has_written_outlives_a_build_that_nobody_can_end(lab: Lab) -> None:
    """Killed once its guest was active, and parked by a vmwright that does not know its flow."""
    assert lab.child(broken(labs.create, execute("mark_active", Break.KILL_BEFORE))).killed
    lab.execute("UPDATE vmwright_instances SET vm_state = 'active', launched_at = 1")
    lab.execute("UPDATE vmwright_operations SET flow_version = 99")
    assert lab.child(labs.resume).output.split()[-1] == "parked"
    assert lab.child(labs.delete).output.split() == ["done"]
    (kept,) = lab.rows("SELECT location FROM vmwright_volumes WHERE name = 'kept'")
    assert [found["name"] for found in lab.things("volumes")] == [kept["location"]]


def test_operation_that_cannot_be_read_does_not_stop_the_others(lab: Lab) -> None:
    def child(controller):
        odd = controller.submit(labs.request(name="odd", volumes=[]))
        controller.resume(odd.id)
        lab.execute(f"UPDATE vmwright_operations SET state = 'odd' WHERE id = '{odd.id}'")
        build = controller.create(labs.request())
        print(controller.wait(build.id, timeout=30).state)

    assert replace(lab, latency="0.05").child(child).output.split()[-1] == "done"


def test_debt_that_cannot_be_read_does_not_stop_the_others(lab: Lab) -> None:
    def child(controller):
        owe(controller, "host1", "odd", 1, since=1)
        owe(controller, "host1", "volume", 1, since=2)
        print(controller.pay_debts())

    assert lab.child(child).output.splitlines()[-1] == "1"
    (debt,) = lab.rows("SELECT kind, tries FROM vmwright_debts")
    assert debt == {"kind": "odd", "tries": 1}


def test_host_that_owes_much_and_is_away_keeps_no_other_waiting(lab: Lab) -> None:
    def child(controller):
        controller.inventory.create_host("host2", "simulated:///host2")
        (lab.home / "world" / "hosts" / "host1" / "down").touch()
        owe(controller, "host1", "volume", 120, since=1)
        owe(controller, "host2", "volume", 1, since=2)
        print(controller.pay_debts())

    assert lab.child(child).output.split() == ["120"]


def owe(controller: Controller, host: str, kind: str, number: int, *, since: int) -> None:
    """Have debts in the store that no operation made."""
    at = controller.inventory.host(host).id
    whose = f'{{"deployment": "{controller.deployment}", "instance": "i", "operation": null}}'
    statement = (
        "INSERT INTO vmwright_debts"
        " (id, host_id, kind, key, whose, reason, not_before, tries, created_at) VALUES"
    )
    rows = (
        f" ('{kind}{n}-{host}', '{at}', '{kind}', 'vmw.{n}', '{whose}', '{host}', {since}, 0, 0)"
        for n in range(number)
    )
    Lab(controller.settings.state_dir).execute(statement + ",".join(rows))


def test_idle_process_that_was_killed_is_forgotten(lab: Lab) -> None:
    def child(controller):
        labs.create(controller)
        os.kill(os.getpid(), signal.SIGKILL)

    assert lab.child(child).killed
    assert len(lab.rows("SELECT * FROM vmwright_owners")) == 1
    assert lab.child(labs.delete).output.split() == ["done"]
    assert lab.rows("SELECT * FROM vmwright_owners") == []
    assert list((lab.home / "owners").iterdir()) == []


def test_waiting_ends_with_the_controller(lab: Lab) -> None:
    def child(controller):
        operation = controller.create(labs.request())
        threading.Timer(0.3, controller.close).start()
        with pytest.raises(Conflict, match="closed"):
            controller.wait(operation.id)
        with pytest.raises(Conflict, match="closed"):
            controller.resume(operation.id)

    ended = replace(lab, latency="ensure_running:600").child(child)
    assert ended.status == 0, ended.output


def test_same_volume_by_name_and_by_id_is_refused(lab: Lab) -> None:
    def child(controller):
        volume = controller.inventory.volume("kept").id
        with pytest.raises(InvalidRequest, match="twice"):
            controller.submit(labs.request(volumes=[{"volume": "kept"}, {"volume": volume}]))

    ended = lab.child(child)
    assert ended.status == 0, ended.output


def test_text_that_is_none_is_an_error_of_ours(lab: Lab) -> None:
    def child(controller):
        for ask in (controller.operation, controller.instance, controller.delete):
            with pytest.raises(InvalidRequest):
                ask("a\udcff")

    ended = lab.child(child)
    assert ended.status == 0, ended.output


def test_whoever_builds_while_the_controller_is_closed_hears_of_all_that_is_stored(
    lab: Lab,
) -> None:
    """Who is told of a conflict takes it that nothing was stored, and asks elsewhere."""

    def child(controller):
        several, wish = threading.Event(), labs.request(volumes=[], networks=[])

        def build_until_closed():
            with suppress(Conflict):
                while True:
                    print(controller.create(wish).id)
                    several.set()

        threads = [threading.Thread(target=build_until_closed) for _ in range(8)]
        for thread in threads:
            thread.start()
        several.wait()
        controller.close()
        for thread in threads:
            thread.join()
        with pytest.raises(Conflict, match="this controller was closed"):
            controller.create(wish)

    ended = lab.child(child)
    assert ended.status == 0, ended.output
    stored = [row["id"] for row in lab.rows("SELECT id FROM vmwright_operations")]
    assert sorted(ended.output.split()) == sorted(stored)
