"""`vmwright serve --workers 2`: two processes on one store, as one service."""

import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import lab as labs
from tests.support.lab import Lab
from tests.support.oracle import assert_one_guest
from tests.support.serving import Service, serving, started

_TWO = "workers = 2"
_ROUNDS = {"vmwright-debts", "vmwright-power", "vmwright-leases", "vmwright-audit"}


def submit(controller) -> None:
    controller.submit(labs.request())


def test_they_share_the_work_and_stop_together(lab: Lab) -> None:
    many = 24

    def submit_many(controller):
        for number in range(many):
            controller.submit(labs.request(name=f"vm{number}", volumes=[]))

    with serving(replace(lab, latency="0.05"), _TWO) as service:
        first, second = _crew(service)
        assert lab.child(submit_many).status == 0
        _until(service, lambda: _states(lab) == ["done"] * many)
        # One keeps reality like the wish, for both.
        assert [_is_idle_of_upkeep(pid) for pid in (first, second)].count(True) == 1
        assert service.stop() == 0
    assert not any(map(_is_alive, (first, second)))
    operations = lab.rows("SELECT epoch, owner_id FROM vmwright_operations")
    assert {row["epoch"] for row in operations} == {1}
    assert len({row["owner_id"] for row in operations}) == 2
    assert lab.rows("SELECT * FROM vmwright_owners") == []
    assert "Traceback" not in service.log.read_text()


def test_killed_one_comes_back_and_its_work_goes_on(lab: Lab) -> None:
    """In the other one, at once; the call that hung hangs in the first process alone."""
    with serving(lab.with_faults("ensure_running:1:hang"), _TWO) as service:
        before = set(_crew(service))
        assert lab.child(submit).status == 0
        calls = lab.home / "world" / "calls.json"
        _until(service, lambda: calls.exists() and "ensure_running" in calls.read_text())
        (running,) = lab.rows("SELECT owner_id FROM vmwright_operations")
        os.kill(_who_locks(lab.home / "owners" / f"{running['owner_id']}.lock"), signal.SIGKILL)
        _until(service, lambda: _states(lab) == ["done"])
        _until(service, lambda: len(set(_crew(service)) - before) == 1)
        _until(service, lambda: len(lab.rows("SELECT id FROM vmwright_owners")) == 2)
        assert service.stop() == 0
    assert_one_guest(lab)
    events = lab.rows("SELECT state FROM vmwright_events WHERE kind = 'owner'")
    assert events == [{"state": "taken_over"}]


def test_they_put_down_what_runs_and_end_when_nobody_is_left_to_tell_them(lab: Lab) -> None:
    with serving(replace(lab, latency="*:0,ensure_running:600"), _TWO) as service:
        crew = _crew(service)
        assert lab.child(submit).status == 0
        _until(service, lambda: _spawning(lab) == 1)
        service.process.kill()
        service.process.wait()
        while any(map(_is_alive, crew)):
            threading.Event().wait(0.02)
    (operation,) = lab.rows("SELECT state, owner_id FROM vmwright_operations")
    assert operation == {"state": "interrupted", "owner_id": None}
    assert lab.rows("SELECT * FROM vmwright_owners") == []


@pytest.mark.slow  # as for one process, and what is added is in tests/unit/test_crew.py
def test_second_signal_ends_all_at_once(lab: Lab) -> None:
    """The first one waits for the store, in which nothing can be put down just now."""
    with serving(replace(lab, latency="*:0,ensure_running:600"), _TWO) as service:
        crew = _crew(service)
        assert lab.child(submit).status == 0
        _until(service, lambda: _spawning(lab) == 1)
        with closing(sqlite3.connect(lab.home / "store.db", isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            service.process.send_signal(signal.SIGTERM)
            service.hear("STOPPING=1")
            assert service.stop() == 130
            while any(map(_is_alive, crew)):
                threading.Event().wait(0.02)
            connection.execute("ROLLBACK")
    assert lab.child(labs.resume).output.split() == ["done"]


@pytest.mark.slow
def test_what_no_restart_mends_ends_them_all(lab: Lab) -> None:
    lab.execute("UPDATE vmwright_alembic_version SET version_num = '9999'")
    with started(lab, _TWO) as service:
        assert service.process.wait() == 78
    assert "newer vmwright" in service.log.read_text()


def test_whoever_only_runs_operations_repeats_nothing_else(lab: Lab) -> None:
    def rounds(upkeep: bool) -> set[str]:
        def embed(controller):
            stop = threading.Event()

            def tick(_standing):
                print(*(thread.name for thread in threading.enumerate()), sep="\n")
                stop.set()

            controller.serve_until(stop, tick, upkeep=upkeep)

        return _ROUNDS & set(lab.child(embed).output.split())

    assert rounds(upkeep=True) == _ROUNDS
    assert rounds(upkeep=False) == set()


def _crew(service: Service) -> list[int]:
    """The processes that it has begun."""
    path = Path(f"/proc/{service.process.pid}/task")
    found = (task / "children" for task in path.iterdir())
    return [int(pid) for children in found for pid in children.read_text().split()]


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _is_idle_of_upkeep(pid: int) -> bool:
    return b"--no-upkeep" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def _who_locks(path: Path) -> int:
    """As the kernel tells: whose lock is on this file."""
    inode = path.stat().st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        _, kind, _, _, pid, where, *_ = line.split()
        if kind == "FLOCK" and int(where.rpartition(":")[2]) == inode:
            return int(pid)
    raise AssertionError(f"nobody locks {path}")


def _until(service: Service, holds: Callable[[], bool]) -> None:
    while not holds():
        assert service.process.poll() is None, service.log.read_text()
        threading.Event().wait(0.02)


def _states(lab: Lab) -> list[str]:
    return [row["state"] for row in lab.rows("SELECT state FROM vmwright_operations ORDER BY seq")]


def _spawning(lab: Lab) -> int:
    rows = "SELECT uuid FROM atomdetails WHERE name = 'spawn' AND state = 'RUNNING'"
    return len(lab.rows(rows))
