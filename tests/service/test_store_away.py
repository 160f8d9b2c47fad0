"""The database goes away in the middle of every task of many builds, and comes back.

An absence that is shorter than the lease is outlived by the runs. After a longer one they write
nothing more that others could have gone on from: whoever asks for it, also the same process,
takes them up. Either way nothing is left over and nothing is lost.
"""

import os
import select
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.support import lab as labs
from tests.support.breaking import Break, break_task, execute, meet, names
from tests.support.lab import Lab
from tests.support.oracle import assert_ended, assert_nothing_held, instances
from tests.support.proxy import Door, Proxy, proxied
from tests.support.servers import Server
from vmwright.controller import Controller
from vmwright.errors import StoreUnavailable
from vmwright.states import Direction

LEASE = 2.0
SHORTER, LONGER = 1.0, 5.0
"""Absences, in seconds, that a run outlives, and that end it."""

TASKS = names("create")
LAST = TASKS[-1]
EXECUTE, REVERT = Direction.EXECUTE, Direction.REVERT


@dataclass(frozen=True)
class Away:
    """A deployment whose database can be taken away from it, but not from the oracle."""

    lab: Lab
    seen: Lab
    proxy: Proxy


@pytest.fixture
def away(request: pytest.FixtureRequest, server: str, tmp_path: Path) -> Iterator[Away]:
    running: Server = request.getfixturevalue(server)
    seen = Lab(tmp_path, url=running.ready().connection).prepared()
    with proxied(running.port) as proxy:
        lab = replace(
            seen,
            url=running.url("ready", proxy.port),
            lease=LEASE,
            database_timeout=1.0,
            parallel=1,
        )
        yield Away(lab, seen, proxy)


@dataclass
class Meeting:
    """Where children wait, each in the middle of a task, until the parent lets them go on."""

    arrived: tuple[int, int] = field(default_factory=os.pipe)
    go: tuple[int, int] = field(default_factory=os.pipe)

    def arrive(self) -> None:
        os.write(self.arrived[1], b".")
        os.read(self.go[0], 1)

    def await_one(self, process: int) -> bool:
        """Whether it arrives; False if it ends before."""
        ended = os.pidfd_open(process)
        ready, _, _ = select.select([self.arrived[0], ended], [], [])
        os.close(ended)
        return self.arrived[0] in ready and bool(os.read(self.arrived[0], 1))

    def let_go(self, count: int) -> None:
        os.write(self.go[1], b"." * count)

    def close(self) -> None:
        for end in (*self.arrived, *self.go):
            os.close(end)


def building(task: str, direction: Direction, meeting: Meeting) -> Callable[[Controller], None]:
    """A build that comes to this task, one way, and tells so, once."""
    once = threading.Lock()

    def arrive() -> None:
        if once.acquire(blocking=False):
            meeting.arrive()

    def child(controller: Controller) -> None:
        meet(task, direction, arrive, after=False, writes=False)
        if direction is REVERT:
            break_task(execute(LAST, Break.FAIL_AFTER).refusing())
        wish = {"name": f"vm-{task.replace('_', '-')}", "networks": [{"network": "net1"}]}
        operation = controller.create(labs.request(**wish, volumes=[{"size": 1}]))
        while True:
            try:
                print(controller.wait(operation.id, timeout=60).state)
            except StoreUnavailable:
                continue  # as a service does: it stays, and goes on once the store is back
            return

    return child


def in_every_task(away: Away, door: Door, direction: Direction, seconds: float) -> list[str]:
    """Builds, one in the middle of each task, lose their store together. How each ended."""
    meeting = Meeting()
    children = []
    # One after the other: all at once could keep each other from answering the database in time.
    for task in TASKS:
        children.append(away.lab.fork(building(task, direction, meeting)))
        if not meeting.await_one(children[-1]):
            break
    with away.proxy.turned(door):
        meeting.let_go(len(children))
        threading.Event().wait(seconds)
    ended = [away.seen.reap(child) for child in children]
    meeting.close()
    assert [one.status for one in ended] == [0] * len(ended), [one.output for one in ended]
    assert len(ended) == len(TASKS)
    return [one.output.split()[-1] for one in ended]


def assert_complete(lab: Lab) -> None:
    """One guest for each instance, with its own disks, interface and claim, and nothing else."""
    found = instances(lab)
    assert {(row["vm_state"], row["task_state"]) for row in found} == {("active", None)}
    ids = sorted(row["id"] for row in found)
    assert len(ids) == len(TASKS)
    assert sorted(domain["uuid"] for domain in lab.things("domains")) == ids
    for table in ("claims", "attachments"):
        held = lab.rows(f"SELECT instance_id FROM vmwright_{table}")
        assert sorted(row["instance_id"] for row in held) == ids, table
    ports = lab.rows("SELECT mac, ip FROM vmwright_ports WHERE instance_id IS NOT NULL")
    reserved = [(thing["mac"], thing["ip"]) for thing in lab.things("reservations")]
    assert sorted(reserved) == sorted((port["mac"], port["ip"]) for port in ports)
    assert len(ports) == len(set(reserved)) == len(ids)
    # Its root, ephemeral and swap disk, its seed, and the volume that it asked for.
    assert len(lab.things("volumes")) == 5 * len(ids)
    assert_ended(lab)


def assert_all_given_back(lab: Lab) -> None:
    assert lab.child(labs.pay).status == 0
    assert lab.world() == {}
    assert_nothing_held(lab)
    assert {row["vm_state"] for row in instances(lab)} == {"error"}
    assert_ended(lab)


CASES = [
    pytest.param("postgresql", Door.SHUT, SHORTER, marks=pytest.mark.postgresql),
    pytest.param("mariadb", Door.HANGS, LONGER, marks=pytest.mark.mariadb),
]
FURTHER = [
    pytest.param(server, door, seconds, marks=[getattr(pytest.mark, server), pytest.mark.slow])
    for server in ("postgresql", "mariadb")
    for door in (Door.SHUT, Door.HANGS)
    for seconds in (SHORTER, LONGER)
    if (server, door, seconds) not in [tuple(case.values) for case in CASES]
]


@pytest.mark.parametrize(("server", "door", "seconds"), CASES + FURTHER)
def test_builds_that_lose_the_store_in_any_task_are_completed(
    away: Away, door: Door, seconds: float
) -> None:
    assert set(in_every_task(away, door, EXECUTE, seconds)) == {"done"}
    assert_complete(away.seen)


@pytest.mark.parametrize(("server", "door", "seconds"), CASES + FURTHER)
def test_builds_that_lose_the_store_in_any_undo_are_taken_back(
    away: Away, door: Door, seconds: float
) -> None:
    assert set(in_every_task(away, door, REVERT, seconds)) == {"undone"}
    assert_all_given_back(away.seen)
