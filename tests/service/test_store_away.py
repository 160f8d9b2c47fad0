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
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.breaking import Break, break_task, execute, meet, names, tasks
from tests.support.lab import Lab
from tests.support.oracle import assert_ended, assert_nothing_held, instances
from tests.support.proxy import Door, Proxy, proxied
from tests.support.servers import Server
from vmwright.controller import Controller
from vmwright.errors import StoreUnavailable
from vmwright.states import Direction
from vmwright.tasks.task import StoreTask

LEASE = 2.0
SHORTER, LONGER = 1.0, 5.0
"""Absences, in seconds, that a run outlives, and that end it."""

LAST = names("create")[-1]


@dataclass(frozen=True)
class Cut:
    """In which tasks, and at which moment of each, the database goes away."""

    kind: str
    direction: Direction
    after: bool
    """After the effect, which then cannot be noted; before it otherwise."""

    @property
    def tasks(self) -> list[str]:
        """Those of the store have no effect before they are noted, and hold others up."""
        found = tasks(self.kind)
        return [task.name for task in found if not (self.after and isinstance(task, StoreTask))]

    def __str__(self) -> str:
        return f"{self.kind}-{self.direction}-{'after' if self.after else 'before'}"


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


def losing(task: str, cut: Cut, meeting: Meeting) -> Callable[[Controller], None]:
    """A process that comes to this task, one way, and tells so, once."""
    name, once = f"vm-{task.replace('_', '-')}", threading.Lock()

    def arrive() -> None:
        if once.acquire(blocking=False):
            meeting.arrive()

    def child(controller: Controller) -> None:
        wish = labs.request(name=name, networks=[{"network": "net1"}], volumes=[{"size": 1}])
        if cut.kind == "delete":
            assert end_of(controller, controller.create(wish).id) == "done"
        meet(task, cut.direction, arrive, after=cut.after, writes=False)
        if cut.direction is Direction.REVERT:
            break_task(execute(LAST, Break.FAIL_AFTER).refusing())
        begun = controller.create(wish) if cut.kind == "create" else controller.delete(name)
        print(end_of(controller, begun.id))

    return child


def end_of(controller: Controller, operation: str) -> str:
    """The state that it ends in, for somebody who stays although the store goes."""
    while True:
        try:
            return controller.wait(operation, timeout=60).state
        except StoreUnavailable:
            continue  # as a service does: it goes on once the store is back


def arrived(away: Away, work: Callable[[Controller], None], meeting: Meeting) -> int:
    """A process that has come to where it waits. On a slow machine the impatient database may
    end the transaction in which one looks at the schema: it had begun nothing then."""
    while True:
        child = away.lab.fork(work)
        if meeting.await_one(child):
            return child
        output = away.seen.reap(child).output
        assert "StoreUnavailable" in output, output
        assert "make_ready" in output, output


def in_every_task(away: Away, door: Door, cut: Cut, seconds: float) -> list[str]:
    """Processes, one in the middle of each task, lose their store together. How each ended."""
    meeting = Meeting()
    # One after the other: all at once could keep each other from answering the database in time.
    children = [arrived(away, losing(task, cut, meeting), meeting) for task in cut.tasks]
    with away.proxy.turned(door):
        meeting.let_go(len(children))
        threading.Event().wait(seconds)
    ended = [away.seen.reap(child) for child in children]
    meeting.close()
    assert [one.status for one in ended] == [0] * len(ended), [one.output for one in ended]
    return [one.output.split()[-1] for one in ended]


def assert_complete(lab: Lab, count: int) -> None:
    """One guest for each instance, with its own disks, interface and claim, and nothing else."""
    found = instances(lab)
    assert {(row["vm_state"], row["task_state"]) for row in found} == {("active", None)}
    ids = sorted(row["id"] for row in found)
    assert len(ids) == count
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


def assert_all_given_back(lab: Lab, *, vm_state: str) -> None:
    assert lab.child(labs.pay).status == 0
    assert lab.world() == {}
    assert_nothing_held(lab)
    assert {row["vm_state"] for row in instances(lab)} == {vm_state}
    assert_ended(lab)


DOORS = [
    (server, door, seconds)
    for server in ("postgresql", "mariadb")
    for door in (Door.SHUT, Door.HANGS)
    for seconds in (SHORTER, LONGER)
]
CROSSED = [DOORS[0], DOORS[3], DOORS[5], DOORS[6]]
"""Each server, each door and each absence twice, never two of them twice together."""
QUICK = [
    f"create-{direction}-before-{case}"
    for direction in Direction
    for case in ("postgresql-shut-1", "mariadb-hangs-5")
] + ["delete-execute-after-postgresql-shut-1"]


def at(kind: str, direction: Direction) -> pytest.MarkDecorator:
    """At each task of this kind; all but a few in `make test-all`."""
    before, after = (Cut(kind, direction, after) for after in (False, True))
    first = DOORS if kind == "create" else CROSSED
    cases = [(before, *door) for door in first] + [(after, *door) for door in CROSSED]
    return pytest.mark.parametrize(
        ("cut", "server", "door", "seconds"), [_marked(*case) for case in cases]
    )


def _marked(cut: Cut, server: str, door: Door, seconds: float) -> Any:
    name, mark = f"{cut}-{server}-{door}-{seconds:g}", getattr(pytest.mark, server)
    marks = [mark] if name in QUICK else [mark, pytest.mark.slow]
    return pytest.param(cut, server, door, seconds, id=name, marks=marks)


@at("create", Direction.EXECUTE)
def test_builds_that_lose_the_store_in_any_task_are_completed(
    away: Away, cut: Cut, door: Door, seconds: float
) -> None:
    assert set(in_every_task(away, door, cut, seconds)) == {"done"}
    assert_complete(away.seen, len(cut.tasks))


@at("create", Direction.REVERT)
def test_builds_that_lose_the_store_in_any_undo_are_taken_back(
    away: Away, cut: Cut, door: Door, seconds: float
) -> None:
    assert set(in_every_task(away, door, cut, seconds)) == {"undone"}
    assert_all_given_back(away.seen, vm_state="error")


@at("delete", Direction.EXECUTE)
def test_deletes_that_lose_the_store_in_any_task_are_completed(
    away: Away, cut: Cut, door: Door, seconds: float
) -> None:
    assert set(in_every_task(away, door, cut, seconds)) == {"done"}
    assert_all_given_back(away.seen, vm_state="deleted")
