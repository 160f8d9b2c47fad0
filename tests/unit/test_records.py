"""Events of an operation become one record a task."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.random_flows import UNHURRIED
from tests.support.sample_graphs import NO_SPACE, START
from vmwright.progress import Progress
from vmwright.states import Direction, NodeState
from vmwright.views.graph import TaskRecord
from vmwright.views.records import records_of

STUCK = {"code": "Refused", "message": "host h1: volume v is in use", "hint": "stop the guest"}


@dataclass
class Row:
    """An event as an object, as a store may give it."""

    seq: int
    kind: str
    task: str | None
    attempt: int | None
    direction: str | None
    state: str | None
    at: datetime
    error: dict[str, Any] | None
    detail: dict[str, Any] | None


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def row(seq: int, task: str | None, state: str, direction: str = "execute", **more: Any) -> Row:
    facts = {"kind": "task", "attempt": 1, "error": None, "detail": None} | more
    return Row(seq=seq, task=task, state=state, direction=direction, at=at(seq), **facts)


def progress(seq: int, task: str, fraction: float, note: str = "") -> Row:
    return row(seq, task, "", kind="progress", detail={"fraction": fraction, "note": note})


def record(*rows: Row) -> TaskRecord:
    (only,) = records_of(rows)
    return only


RAN = (row(1, "spawn", "RUNNING"), row(2, "spawn", "SUCCESS"))
FAILED = (row(1, "spawn", "RUNNING"), row(2, "spawn", "FAILURE", error=NO_SPACE))
UNDOING = row(3, "spawn", "REVERTING", "revert")
UNDO_FAILED = row(4, "spawn", "REVERTING", "revert", error=STUCK)


def test_task_that_ran():
    assert record(*RAN) == TaskRecord(
        task="spawn", state=NodeState.SUCCESS, started_at=at(1), finished_at=at(2)
    )


def test_mappings_are_as_good_as_objects():
    assert records_of([vars(event) for event in FAILED]) == records_of(FAILED)


@UNHURRIED
@given(st.permutations([*FAILED, UNDOING, row(4, "claim_host", "RUNNING")]))
def test_order_of_rows_does_not_matter(rows: list[Row]):
    assert records_of(rows) == records_of(sorted(rows, key=lambda event: event.seq))


def test_tasks_come_in_the_order_in_which_they_began():
    rows = [row(2, "b", "RUNNING"), row(1, "z", "RUNNING"), row(3, "z", "SUCCESS")]
    assert [one.task for one in records_of(rows)] == ["z", "b"]


def test_events_of_instance_and_operation_are_not_tasks():
    rows = [row(1, None, "networking", kind="instance"), row(2, None, "running", kind="operation")]
    assert records_of(rows) == ()


def test_task_without_an_end_is_running():
    running = record(row(1, "spawn", "RUNNING"))
    assert running.state is NodeState.RUNNING
    assert running.finished_at is None


def test_progress_counts_until_the_task_says_more():
    rows = [row(1, "spawn", "RUNNING"), progress(2, "spawn", 0.25, "booting")]
    assert record(*rows).progress == Progress(fraction=0.25, note="booting")
    assert record(*rows, row(3, "spawn", "SUCCESS")).progress is None


def test_fraction_stays_between_nothing_and_all():
    assert record(progress(1, "spawn", 7)).progress == Progress(fraction=1.0)
    assert record(progress(1, "spawn", -7)).progress == Progress(fraction=0.0)


def test_failure_keeps_its_error_while_it_is_undone():
    assert record(*FAILED).error == NO_SPACE
    undoing = record(*FAILED, UNDOING)
    assert (undoing.state, undoing.error) == (NodeState.REVERTING, NO_SPACE)
    assert (undoing.direction, undoing.revert_started_at) == (Direction.REVERT, at(3))
    undone = record(*FAILED, UNDOING, row(4, "spawn", "REVERTED", "revert"))
    assert (undone.state, undone.error) == (NodeState.REVERTED, NO_SPACE)
    assert (undone.finished_at, undone.revert_finished_at) == (at(2), at(4))


def test_undo_may_be_told_in_the_words_of_execution():
    rows = [row(3, "spawn", "RUNNING", "revert"), row(4, "spawn", "SUCCESS", "revert")]
    assert record(*RAN, rows[0]).state is NodeState.REVERTING
    assert record(*RAN, *rows).state is NodeState.REVERTED


def test_undo_that_failed_says_why_until_it_is_repeated():
    stuck = record(*FAILED, UNDOING, UNDO_FAILED)
    assert (stuck.state, stuck.error) == (NodeState.REVERTING, STUCK)
    assert stuck.revert_finished_at == at(4)
    again = record(*FAILED, UNDOING, UNDO_FAILED, row(5, "spawn", "REVERTING", "revert"))
    assert (again.error, again.revert_started_at) == (NO_SPACE, at(5))
    assert again.revert_finished_at is None


def test_takeover_begins_the_task_again():
    again = record(
        row(1, "spawn", "RUNNING"), progress(2, "spawn", 0.9), row(9, "spawn", "RUNNING")
    )
    assert (again.started_at, again.progress) == (at(9), None)


def test_later_attempt_replaces_the_earlier_one():
    rows = [*FAILED, UNDOING, row(4, "spawn", "REVERTED", "revert")]
    second = record(*rows, row(5, "spawn", "RUNNING", attempt=2))
    assert second == TaskRecord(task="spawn", attempt=2, state=NodeState.RUNNING, started_at=at(5))


def test_task_that_a_later_attempt_refused_before_it_began_has_only_that_attempt():
    refused = row(5, "spawn", "FAILURE", attempt=2, error=STUCK)
    second = record(*FAILED, refused)
    assert (second.attempt, second.started_at, second.error) == (2, None, STUCK)


def test_pending_forgets_what_was():
    assert record(*FAILED, row(5, "spawn", "PENDING", attempt=2)) == TaskRecord(
        task="spawn", attempt=2
    )


def test_undo_in_a_later_attempt_belongs_to_what_it_undoes():
    undone = record(*RAN, row(9, "spawn", "REVERTED", "revert", attempt=3))
    assert (undone.attempt, undone.started_at, undone.finished_at) == (1, at(1), at(2))
    assert undone.state is NodeState.REVERTED
