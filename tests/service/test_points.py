"""The points of a run: what is visited, in which order, and what they are called."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support import lab as labs
from tests.support.breaking import Break, Work, broken, execute
from tests.support.lab import Lab
from tests.support.servers import Server
from vmwright.testing.points import Kind, Moment, Point, Watcher


def recorded(lab: Lab, work: Work) -> list[str]:
    """What a child visits."""
    note = lab.home / "points"

    def visit(point: Point) -> None:
        with note.open("a") as file:
            file.write(f"{point}\n")

    ended = lab.reap(lab.fork(work, watch=Watcher(visit).watch))
    assert ended.status == 0, ended.output
    return note.read_text().splitlines()


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path).prepared()


def test_a_point_is_read_as_it_is_written() -> None:
    step = Point(
        kind=Kind.CALL, moment=Moment.IN, name="ensure_volume@host1", step="volumes written"
    )
    commit = Point(kind=Kind.TRANSACTION, moment=Moment.AFTER, name="task spawn RUNNING", count=2)
    assert str(step) == "call in ensure_volume@host1 volumes written #1"
    assert str(commit) == "transaction after task spawn RUNNING #2"
    assert [Point.parse(str(point)) for point in (step, commit)] == [step, commit]


def test_every_task_is_committed_and_every_call_is_seen_before_in_and_after(lab: Lab) -> None:
    seen = recorded(lab, labs.create)
    for moment in ("before", "after"):
        assert f"transaction {moment} task mark_active RUNNING #1" in seen
        assert f"transaction {moment} operation done #1" in seen
    first = seen.index("call before ensure_domain@host1 #1")
    assert seen[first : first + 5] == [
        "call before ensure_domain@host1 #1",
        "call in ensure_domain@host1 begun #1",
        "call in ensure_domain@host1 domains half written #1",
        "call in ensure_domain@host1 domains written #1",
        "call after ensure_domain@host1 #1",
    ]


def test_a_build_has_no_more_commits_than_it_needs(lab: Lab) -> None:
    """The claim goes with the first task, what only looks has none of its own, what begins
    together shares one, and the last task ends together with the run."""
    commits: list[list[str]] = []

    def work(controller) -> None:
        writer = controller._database.writer
        sa.event.listen(writer.pool, "checkin", lambda *_: commits.append([]))
        labs.create(controller)
        ours = [names for names in commits if names and "owners" not in names[0]]
        print(*[" + ".join(names) for names in ours], sep="\n")

    def visit(point: Point) -> None:
        if point.kind is Kind.TRANSACTION and point.moment is Moment.BEFORE:
            commits[-1:] = [[*(commits[-1:] or [[]])[0], point.name]]

    ended = lab.reap(lab.fork(work, watch=Watcher(visit).watch))
    ended_as, _submitted, *run = ended.output.splitlines()
    assert ended_as == "done", ended.output
    assert run == [
        "task check_not_created RUNNING",
        "task check_image_size RUNNING + task allocate_network RUNNING",
        "task claim_host RUNNING",
        "task plug_network RUNNING + task map_block_devices RUNNING",
        "task spawn RUNNING",
        "task mark_active RUNNING + operation done",
    ]


def test_a_transaction_that_is_rolled_back_was_no_point(lab: Lab) -> None:
    failing = broken(labs.create, execute("mark_active", Break.FAIL_BEFORE).refusing())
    seen = recorded(lab, failing)
    assert "transaction before task mark_active RUNNING #1" not in seen
    assert "transaction after operation undone #1" in seen


def test_a_call_is_struck_in_its_middle_if_it_still_runs(lab: Lab) -> None:
    struck: list[str] = []

    def work(controller) -> None:
        labs.create(controller)
        print(*struck, sep="\n")

    def visit(point: Point) -> None:
        if point.step == "struck":
            struck.append(point.name)

    slow = Lab(lab.home, latency="ensure_running:2,*:0")
    watcher = Watcher(visit, strike=lambda verb: 0.01 if verb == "ensure_running" else None)
    ended = slow.reap(slow.fork(work, watch=watcher.watch))
    assert ended.output.split() == ["done", "ensure_running@host1"], ended.output


@pytest.mark.postgresql
def test_a_connection_that_breaks_before_its_commit_has_its_transaction_tried_again(
    postgresql: Server, tmp_path: Path
) -> None:
    lab = Lab(tmp_path, url=postgresql.ready().connection).prepared()
    seen: list[str] = []

    def visit(point: Point) -> None:
        if point.name == "task spawn RUNNING":
            seen.append(str(point))
        if str(point) == "transaction before task spawn RUNNING #1":
            lab.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    def work(controller) -> None:
        labs.create(controller)
        print(*seen, sep="\n")

    ended = lab.reap(lab.fork(work, watch=Watcher(visit).watch))
    assert ended.output.splitlines() == [
        "done",
        "transaction before task spawn RUNNING #1",
        "transaction before task spawn RUNNING #2",
        "transaction after task spawn RUNNING #1",
    ], ended.output
