"""The same promises with the store on a server, where several processes really write at once."""

from pathlib import Path

import pytest

from tests.service.test_networks import (
    test_one_of_fifty_gets_the_address_that_all_want,
    test_port_that_was_taken_meanwhile_fails_the_later_build,
)
from tests.service.test_takeover import (
    test_a_dead_process_is_found_out_at_once,
    test_a_living_process_is_left_alone,
    test_a_process_that_lost_its_operation_writes_nothing,
    test_cancel_reaches_another_process_within_its_renewal,
    test_leaving_a_controller_puts_the_build_down_safely,
    test_one_broken_operation_does_not_stop_the_others,
    test_two_processes_that_resume_share_the_work,
    test_unknown_flow_is_parked_and_goes_on_once_it_is_known,
    test_watching_can_be_taken_up_again,
)
from tests.support import lab as labs
from tests.support.breaking import Break, broken, execute, names
from tests.support.dialects import SERVERS_IN_TURN
from tests.support.lab import Lab
from tests.support.oracle import assert_nothing_left, assert_one_guest, fault
from tests.support.servers import Server
from tests.unwind.test_giving_up import (
    test_abandoned_build_ends_although_its_store_half_fails,
    test_room_stays_with_a_guest_that_could_not_be_removed,
)

__all__ = [
    "test_a_dead_process_is_found_out_at_once",
    "test_a_living_process_is_left_alone",
    "test_cancel_reaches_another_process_within_its_renewal",
    "test_leaving_a_controller_puts_the_build_down_safely",
    "test_one_broken_operation_does_not_stop_the_others",
    "test_unknown_flow_is_parked_and_goes_on_once_it_is_known",
    "test_a_process_that_lost_its_operation_writes_nothing",
    "test_abandoned_build_ends_although_its_store_half_fails",
    "test_one_of_fifty_gets_the_address_that_all_want",
    "test_port_that_was_taken_meanwhile_fails_the_later_build",
    "test_room_stays_with_a_guest_that_could_not_be_removed",
    "test_two_processes_that_resume_share_the_work",
    "test_watching_can_be_taken_up_again",
]


@pytest.fixture(params=SERVERS_IN_TURN)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    server: Server = request.getfixturevalue(request.param)
    lab = Lab(tmp_path, url=server.ready().connection)
    ended = lab.child(labs.prepare)
    assert ended.status == 0, ended.output
    return lab


@pytest.mark.parametrize("task", names("create"))
def test_power_cut_is_resumed(lab: Lab, task: str) -> None:
    assert lab.child(broken(labs.create, execute(task, Break.KILL_AFTER))).killed
    ended = lab.child(labs.resume)
    assert ended.output.split() == ["done"], ended.output
    assert_one_guest(lab)


@pytest.mark.parametrize("task", names("create"))
def test_failure_leaves_no_trace(lab: Lab, task: str) -> None:
    ended = lab.child(broken(labs.create, execute(task, Break.FAIL_AFTER)))
    assert ended.output.split() == ["undone"], ended.output
    assert fault(lab)["task"] == task
    assert_nothing_left(lab)
