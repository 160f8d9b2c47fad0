"""`vmwright serve`: it runs what others leave in the store, and stops when it is told to."""

import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from tests.support import lab as labs
from tests.support.breaking import Break, broken, execute
from tests.support.lab import Lab
from tests.support.oracle import assert_nothing_left, assert_one_guest, told
from tests.support.serving import Service, serving, started
from vmwright.backlog import Sweep
from vmwright.settings import ServiceSettings

_ENDLESS = "*:0,ensure_running:600"
_REPAIR = "vmwright.reconcilers.audit.repair"


def submit(controller) -> None:
    controller.submit(labs.request())


def test_what_others_submit_is_built_at_once(lab: Lab) -> None:
    with serving(lab) as service:
        assert lab.child(submit).status == 0
        _until(service, lambda: _states(lab) == ["done"])
        assert service.stop() == 0
    assert_one_guest(lab)
    first = service.log.read_text().splitlines()[0]
    assert f"serving sqlite:///{lab.home / 'store.db'}: backend simulated, hosts host1" in first
    assert " INFO " in first


def test_a_service_with_nothing_left_to_do_is_refused(lab: Lab) -> None:
    """It answers nobody here, by its configuration."""
    with started(lab, words=("--no-run", "--no-upkeep")) as service:
        assert service.process.wait() == 2
        assert "everything that it does is switched off" in service.log.read_text()


def test_what_was_there_before_is_taken_up(lab: Lab) -> None:
    """Submitted, put down by a controller, and left by a dead one."""
    assert lab.child(submit).status == 0
    dead = replace(lab, latency=_ENDLESS).fork(_create("dead"))
    _until(None, lambda: _spawning(lab) == 1)
    os.kill(dead, signal.SIGKILL)
    assert lab.reap(dead).killed

    def leave(controller):
        operation = controller.create(labs.request(name="left", volumes=[]))
        for event in controller.watch(operation.id):
            if event.task == "spawn":
                return

    assert replace(lab, latency=_ENDLESS).child(leave).status == 0
    assert sorted(_states(lab)) == ["interrupted", "queued", "running"]
    with serving(lab) as service:
        _until(service, lambda: _states(lab) == ["done"] * 3)
        assert service.stop() == 0
    assert len(lab.things("domains")) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda one: one.name)
def test_stopped_it_puts_down_what_runs_and_ends_with_0(lab: Lab, number: signal.Signals) -> None:
    slow = replace(lab, latency=_ENDLESS)
    with serving(slow) as service:
        assert lab.child(submit).status == 0
        _until(service, lambda: _spawning(lab) == 1)
        assert service.stop(number) == 0, service.log.read_text()
        service.heard += _rest(service)
        assert "STOPPING=1" in service.heard
    (operation,) = lab.rows("SELECT state, owner_id FROM vmwright_operations")
    assert operation == {"state": "interrupted", "owner_id": None}
    assert lab.rows("SELECT * FROM vmwright_owners") == []
    assert "Traceback" not in service.log.read_text()
    assert lab.child(labs.resume).output.split() == ["done"]
    assert_one_guest(lab)


def test_second_signal_ends_it_at_once(lab: Lab) -> None:
    """The first one waits for the store, in which nothing can be put down just now."""
    with serving(replace(lab, latency=_ENDLESS)) as service:
        assert lab.child(submit).status == 0
        _until(service, lambda: _spawning(lab) == 1)
        with _store_of_somebody_else(lab):
            service.process.send_signal(signal.SIGTERM)
            service.hear("STOPPING=1")
            assert service.stop() == 130
    assert _states(lab) == ["running"]
    assert lab.child(labs.resume).output.split() == ["done"]


def test_what_cannot_be_put_down_in_time_is_cut_off(lab: Lab) -> None:
    with serving(replace(lab, latency=_ENDLESS), "stop_timeout = 0.5") as service:
        assert lab.child(submit).status == 0
        _until(service, lambda: _spawning(lab) == 1)
        with _store_of_somebody_else(lab):
            assert service.stop() == 6
    assert "not stopped within 0.5 seconds" in service.log.read_text()
    assert lab.child(labs.resume).output.split() == ["done"]


def test_two_services_share_the_work(lab: Lab) -> None:
    many = 24

    def submit_many(controller):
        for number in range(many):
            controller.submit(labs.request(name=f"vm{number}", volumes=[]))

    slow = replace(lab, latency="0.05")
    with serving(slow, name="one") as one, serving(slow, name="two") as two:
        assert lab.child(submit_many).status == 0
        _until(one, lambda: _states(lab) == ["done"] * many)
        assert one.stop() == 0
        assert two.stop() == 0
    operations = lab.rows("SELECT epoch, owner_id FROM vmwright_operations")
    assert {row["epoch"] for row in operations} == {1}
    assert len({row["owner_id"] for row in operations}) == 2
    begun = lab.rows(
        "SELECT operation_id, task, count(*) AS times FROM vmwright_events"
        " WHERE kind = 'task' AND state = 'RUNNING' GROUP BY operation_id, task"
    )
    assert {row["times"] for row in begun} == {1}


def test_killed_service_is_taken_over_by_another_one(lab: Lab) -> None:
    """Within its lease of 15 seconds: on one machine its lock tells that it is dead."""
    with serving(replace(lab, latency=_ENDLESS), name="first") as first:
        assert lab.child(submit).status == 0
        _until(first, lambda: _spawning(lab) == 1)
        with serving(lab, name="second") as second:
            first.process.kill()
            first.process.wait()
            _until(second, lambda: _states(lab) == ["done"])
            # The row of the dead one goes with the next round of the leases.
            _until(second, lambda: len(lab.rows("SELECT id FROM vmwright_owners")) == 1)
            assert second.stop() == 0
    assert_one_guest(lab)
    events = lab.rows("SELECT state FROM vmwright_events WHERE kind = 'owner'")
    assert events == [{"state": "taken_over"}]


def test_debts_are_paid_without_any_work(lab: Lab) -> None:
    work = broken(labs.create, execute("mark_active", Break.FAIL_AFTER).refusing())
    assert lab.with_faults("ensure_no_domain:1:down").child(work).output.split() == ["undone"]
    assert lab.rows("SELECT * FROM vmwright_debts") != []
    (lab.home / "world" / "hosts" / "host1" / "down").unlink()
    with serving(lab, JOURNAL_STREAM="8:1", WATCHDOG_USEC="30000000") as service:
        _until(service, lambda: lab.rows("SELECT * FROM vmwright_debts") == [])
        service.hear("WATCHDOG=1")
        assert service.stop() == 0
    assert_nothing_left(lab)
    # For the journal, which knows the time itself, each line begins with its priority.
    assert all(line.startswith("<6>INFO ") for line in service.log.read_text().splitlines())


def test_leftovers_are_told_and_left(lab: Lab) -> None:
    """What an audit finds is told, and left where it is not to repair."""
    assert lab.child(labs.create).output.split() == ["done"]
    for statement in (
        "UPDATE vmwright_instances SET vm_state = 'deleted', deleted_at = 1, host_id = NULL",
        "DELETE FROM vmwright_claims",
        "DELETE FROM vmwright_attachments",
    ):
        lab.execute(statement)
    before = lab.world()
    (instance,) = lab.rows("SELECT id FROM vmwright_instances")
    told = f"audit: domain {instance['id']} on host host1 is leftover, and left: "
    with serving(lab, "[audit]\ninterval = 0.2\nrepair = false") as service:
        _until(service, lambda: f"WARNING {_REPAIR}: {told}" in service.log.read_text())
        assert service.stop() == 0
    assert lab.world() == before


@pytest.mark.parametrize("repair", ["true", "false"])
def test_host_that_an_audit_waits_for_does_not_keep_it_from_stopping(lab: Lab, repair: str) -> None:
    """Although nobody gives up on the host for ten minutes."""
    silent = replace(lab, faults=("volumes:1+:hang",), undo_deadline=600.0)
    with serving(silent, f"[audit]\ninterval = 0.05\nrepair = {repair}") as service:
        calls = lab.home / "world" / "calls.json"
        _until(service, lambda: calls.exists() and "volumes" in calls.read_text())
        assert service.stop() == 0


def test_poisonous_operation_is_parked_and_the_others_go_on(lab: Lab) -> None:
    """Whoever runs it dies of it: the third time it is put aside, and names its task."""
    impatient = replace(lab, takeovers=3)
    assert lab.child(submit).status == 0
    deaths = broken(labs.resume, execute("spawn", Break.KILL_BEFORE))
    for _ in range(3):
        assert impatient.child(deaths).killed
    assert impatient.child(_create("vm2")).status == 0
    with serving(impatient) as service:
        _until(service, lambda: "running" not in _states(lab))
        assert service.stop() == 0
    assert _states(lab) == ["parked", "done"]
    poison = lab.rows("SELECT error FROM vmwright_operations ORDER BY seq")[0]
    reason = told(poison["error"])["parked"]
    assert reason["code"] == "ProcessesDied"
    assert (
        reason["message"]
        == "3 processes in a row died while they ran it, with task spawn under way"
    )

    def resume(controller):
        (operation, _) = controller.operations()
        controller.resume(operation.id)
        print(controller.wait(operation.id, timeout=60).state)

    assert lab.child(resume).output.split() == ["done"]


def test_deaths_after_progress_do_not_count_together(lab: Lab) -> None:
    impatient = replace(lab, takeovers=2)
    assert lab.child(submit).status == 0
    for task in ("allocate_network", "claim_host", "spawn"):
        assert impatient.child(broken(labs.resume, execute(task, Break.KILL_AFTER))).killed
    assert impatient.child(labs.resume).output.split() == ["done"]


def test_store_of_a_newer_schema_is_refused(lab: Lab) -> None:
    lab.execute("UPDATE vmwright_alembic_version SET version_num = '9999'")
    with started(lab) as service:
        assert service.process.wait() == 78
    assert "db upgrade" in service.log.read_text() or "newer vmwright" in service.log.read_text()


def test_store_that_is_not_there_is_refused(lab: Lab) -> None:
    nowhere = replace(lab, url="postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with started(nowhere) as service:
        assert service.process.wait() == 7
    assert "the database does not answer" in service.log.read_text()


def test_embedder_serves_until_told_to_stop(lab: Lab) -> None:
    """And goes on as an ordinary controller afterwards."""
    assert lab.child(submit).status == 0

    def embed(controller):
        stop, seen = threading.Event(), []

        def tick(standing):
            seen.append(standing.running)
            (operation,) = controller.operations()
            if operation.state == "done":
                stop.set()

        controller.serve_until(stop, tick)
        later = controller.submit(labs.request(name="vm2", volumes=[]))
        mine = controller.create(labs.request(name="vm3", volumes=[]))
        print(controller.wait(mine.id, timeout=60).state, controller.operation(later.id).state)

    ended = lab.child(embed)
    assert ended.output.split() == ["done", "queued"], ended.output


def test_embedder_that_was_told_to_stop_begins_nothing_that_comes_later(lab: Lab) -> None:
    """Although it was just about to look for work."""

    def embed(controller):
        stop, submitted, take = threading.Event(), threading.Event(), Sweep.take

        def slow(self, *arguments, **more):
            stop.set()
            submitted.wait()
            return take(self, *arguments, **more)

        Sweep.take = slow
        controller.serve_until(stop)
        later = controller.submit(labs.request(name="later", volumes=[]))
        submitted.set()
        mine = controller.create(labs.request(name="mine", volumes=[]))
        print(controller.wait(mine.id, timeout=60).state, controller.operation(later.id).state)

    ended = lab.child(embed)
    assert ended.output.split() == ["done", "queued"], ended.output


@contextmanager
def _store_of_somebody_else(lab: Lab) -> Iterator[None]:
    """Nobody else can write meanwhile."""
    with closing(sqlite3.connect(lab.home / "store.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_what_the_serving_program_submits_itself_is_begun_without_a_look(lab: Lab) -> None:
    """Long before the store would be looked at again."""

    def embed(controller):
        stop = threading.Event()
        server = threading.Thread(target=controller.serve_until, args=[stop])
        server.start()
        for number in range(2):
            operation = controller.submit(labs.request(name=f"vm{number}", volumes=[]))
            print(controller.wait(operation.id, timeout=60).state)
        stop.set()
        server.join()

    never = replace(lab.settings, service=ServiceSettings(poll_interval=3600.0))
    ended = lab.reap(lab.fork(embed, never))
    assert ended.output.split() == ["done", "done"], ended.output


def _create(name: str):
    def work(controller):
        controller.wait(controller.create(labs.request(name=name, volumes=[])).id, timeout=60)

    return work


def _rest(service: Service) -> list[str]:
    """What it said before it ended and nobody heard yet."""
    words: list[str] = []
    service.socket.setblocking(False)
    while True:
        try:
            words += service.socket.recv(4096).decode().splitlines()
        except BlockingIOError:
            return words


def _states(lab: Lab) -> list[str]:
    return [row["state"] for row in lab.rows("SELECT state FROM vmwright_operations ORDER BY seq")]


def _spawning(lab: Lab) -> int:
    rows = "SELECT uuid FROM atomdetails WHERE name = 'spawn' AND state = 'RUNNING'"
    return len(lab.rows(rows))


def _until(service: Service | None, condition: Callable[[], bool]) -> None:
    """Wait for a service; a test that hangs is ended by its time limit."""
    pause = threading.Event()
    while not condition():
        assert service is None or service.process.poll() is None, service.log.read_text()
        pause.wait(0.05)
