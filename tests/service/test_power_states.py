"""What a guest does by itself is noticed: it is stopped, runs again, or ends with its power."""

import json
import threading
from dataclasses import replace
from pathlib import Path

from tests.support import lab as labs
from tests.support.attempts import until
from tests.support.lab import Lab
from tests.support.oracle import assert_only_the_users_volume_is_left
from vmwright.admission import Caller
from vmwright.admission.several import Wish
from vmwright.backends.simulated.hypervisor import SimulatedHypervisor
from vmwright.controller import Controller
from vmwright.errors import Forbidden
from vmwright.reconcilers.power_states import sync_power_states
from vmwright.states import PowerState, VmState


def switch(lab: Lab, state: str) -> None:
    """The guest's own doing, behind everybody's back."""
    (path,) = (lab.home / "world").glob("hosts/*/domains/*.json")
    whole = Path(f"{path}.new")
    whole.write_text(json.dumps(json.loads(path.read_text()) | {"state": state}))
    whole.replace(path)


def wait_until(controller: Controller, state: VmState, power: PowerState) -> None:
    def seen() -> bool:
        known = controller.instance("vm1")
        return (known.vm_state, known.power_state) == (state, power)

    until(seen)


def test_a_guest_that_powers_itself_off_is_stopped_until_it_runs_again(lab: Lab) -> None:
    def child(controller):
        labs.create(controller)
        switch(lab, "shutdown")
        wait_until(controller, VmState.STOPPED, PowerState.SHUTDOWN)
        switch(lab, "running")
        wait_until(controller, VmState.ACTIVE, PowerState.RUNNING)

    ended = replace(lab, power_state_interval=0.1).child(child)
    assert ended.output.split() == ["done"], ended.output
    assert ended.status == 0, ended.output


def test_a_guest_that_asked_for_it_ends_with_its_power(lab: Lab) -> None:
    def child(controller):
        wish = labs.request(shutdown_terminate=True)
        print(controller.wait(controller.create(wish).id, timeout=60).state)
        switch(lab, "shutdown")
        until(lambda: not controller.instances())
        (ended,) = (one for one in controller.operations() if one.kind == "delete")
        print(controller.wait(ended.id, timeout=60).state)

    ended = replace(lab, power_state_interval=0.1).child(child)
    assert ended.output.split() == ["done", "done"], ended.output
    assert_only_the_users_volume_is_left(lab)


def test_a_guest_whose_host_lost_its_power_did_not_ask_to_end(lab: Lab) -> None:
    def child(controller):
        wish = labs.request(shutdown_terminate=True)
        print(controller.wait(controller.create(wish).id, timeout=60).state)
        (host,) = (lab.home / "world").glob("hosts/*")
        (host / "down").touch()
        sync_power_states(controller._means, patience=1.0, end=controller._end)
        (host / "down").unlink()
        sync_power_states(controller._means, patience=1.0, end=controller._end)
        (known,) = controller.instances()
        print(known.vm_state, known.power_state.name, len(controller.operations()))

    ended = lab.child(child)
    assert ended.output.split() == ["done", "stopped", "SHUTDOWN", "1"], ended.output


def test_no_policy_keeps_a_guest_that_asked_for_it_from_ending(lab: Lab) -> None:
    """Its user may end it, and nobody else: by switching it off is how they did."""
    (lab.home / "policy.yaml").write_text('"vmwright:delete": "user_id:%(user_id)s"\n')

    def child(controller):
        with controller._database.write() as connection:
            caller = Caller(user="somebody")
            wish = Wish.of(labs.request(shutdown_terminate=True))
            (accepted,) = controller._shop.door.create(connection, [wish], caller).builds
            build = accepted.operation
        controller.resume(build.id)
        print(controller.wait(build.id, timeout=60).state)
        switch(lab, "shutdown")
        sync_power_states(controller._means, patience=1.0, end=controller._end)
        (ended,) = (one for one in controller.operations() if one.kind == "delete")
        print(controller.wait(ended.id, timeout=60).state, ended.user_id)

    settings = replace(lab.settings, policy_file=lab.home / "policy.yaml")
    ended = lab.reap(lab.fork(child, settings))
    assert ended.output.split() == ["done", "done", "somebody"], ended.output


def test_an_instance_that_cannot_be_dealt_with_does_not_hide_the_others(lab: Lab) -> None:
    def child(controller):
        for name, ends in (("vm1", True), ("vm2", False)):
            wish = labs.request(name=name, volumes=[], shutdown_terminate=ends)
            print(controller.wait(controller.create(wish).id, timeout=60).state)
        for path in (lab.home / "world").glob("hosts/*/domains/*.json"):
            path.write_text(json.dumps(json.loads(path.read_text()) | {"state": "shutdown"}))

        def refuse(_: str) -> None:
            raise Forbidden("not now")

        sync_power_states(controller._means, patience=1.0, end=refuse)
        print(*(one.vm_state for one in controller.instances()))

    ended = lab.child(child)
    assert ended.output.split() == ["done", "done", "active", "stopped"], ended.output


def test_a_guest_that_is_gone_is_told_and_left(lab: Lab) -> None:
    """Somebody removed it from its host: what is left belongs to an instance that lives."""

    def child(controller):
        labs.create(controller)
        (path,) = (lab.home / "world").glob("hosts/*/domains/*.json")
        path.unlink()
        wait_until(controller, VmState.ACTIVE, PowerState.NOSTATE)

    ended = replace(lab, power_state_interval=0.1).child(child)
    assert ended.status == 0, ended.output


def test_a_host_that_is_away_changes_nothing(lab: Lab) -> None:
    def child(controller):
        labs.create(controller)
        (host,) = (lab.home / "world").glob("hosts/*")
        (host / "down").touch()
        sync_power_states(controller._means, patience=1.0, end=controller.delete)
        assert controller.instance("vm1").vm_state is VmState.ACTIVE

    ended = lab.child(child)
    assert ended.status == 0, ended.output


def test_a_controller_that_closes_waits_for_no_host_that_is_silent(lab: Lab) -> None:
    """Or it would wait here for as long as hosts are given to answer."""
    operations = replace(lab.settings.operations, undo_deadline=3600.0)
    patient = replace(lab.with_faults("domains:1:hang").settings, operations=operations)

    def child(controller):
        asked, look = threading.Event(), SimulatedHypervisor.domains

        def looking(self, wait):
            asked.set()
            return look(self, wait)

        SimulatedHypervisor.domains = looking
        labs.create(controller)
        asked.wait()

    ended = lab.reap(lab.fork(child, replace(patient, power_state_interval=0.1)))
    assert ended.output.split() == ["done"], ended.output
