"""What a guest does by itself is noticed: it is stopped, runs again, or ends with its power."""

import json
from dataclasses import replace
from pathlib import Path

from tests.support import lab as labs
from tests.support.lab import Lab
from tests.support.oracle import assert_only_the_users_volume_is_left
from vmwright.controller import Controller
from vmwright.reconcilers.power_states import sync_power_states
from vmwright.states import PowerState, VmState
from vmwright.waiting import Wait


def switch(lab: Lab, state: str) -> None:
    """The guest's own doing, behind everybody's back."""
    (path,) = (lab.home / "world").glob("hosts/*/domains/*.json")
    whole = Path(f"{path}.new")
    whole.write_text(json.dumps(json.loads(path.read_text()) | {"state": state}))
    whole.replace(path)


def wait_until(controller: Controller, state: VmState, power: PowerState) -> None:
    patience = Wait(30)
    while True:
        known = controller.instance("vm1")
        if (known.vm_state, known.power_state) == (state, power):
            return
        patience.pause(0.05, f"{known.vm_state} {known.power_state}")


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
        patience = Wait(30)
        while controller.instances():
            patience.pause(0.05, "still there")
        (ended,) = (one for one in controller.operations() if one.kind == "delete")
        print(controller.wait(ended.id, timeout=60).state)

    ended = replace(lab, power_state_interval=0.1).child(child)
    assert ended.output.split() == ["done", "done"], ended.output
    assert_only_the_users_volume_is_left(lab)


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
