"""Many operations that were interrupted in every way, and ways to damage their rows."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.support.breaking import Break, broken, execute, revert
from tests.support.lab import Lab, prepare
from vmwright.controller import Controller
from vmwright.ids import new_id
from vmwright.request import CreateRequest

_AT_ONCE = 50
"""Runs that one process has under way when it is killed, or told to stop."""

_SLOW = "*:0,ensure_running:600"


def prepare_many(controller: Controller) -> None:
    """Room and addresses for thousands of instances."""
    prepare(controller)
    for name in ("host2", "host3"):
        controller.inventory.create_host(name, f"simulated:///{name}")
    controller.inventory.create_flavor("tiny", 1, 64, 1)
    controller.inventory.create_network("wide", "10.64.0.0/16")


@dataclass(frozen=True)
class Crowd:
    """How many operations there are of each kind, before any is damaged."""

    killed: int
    """Their process died in the middle of a task."""
    put_down: int
    """Their process was told to stop, and put them down."""
    undoing: int
    """Half taken back: an undo that could not be finished."""
    orphaned: int
    """Claimed by a process that nobody remembers, and not begun."""
    fresh: int
    """Accepted and not begun."""

    @property
    def total(self) -> int:
        return self.killed + self.put_down + self.undoing + self.orphaned + self.fresh

    def gather(self, lab: Lab) -> None:
        """Submit all of them, and interrupt each as its kind is."""
        assert lab.child(lambda controller: _submit(controller, self.total)).status == 0
        rows = lab.rows("SELECT id FROM vmwright_operations ORDER BY seq")
        ids = iter([row["id"] for row in rows])
        for number in range(0, self.killed, _AT_ONCE):
            size = min(_AT_ONCE, self.killed - number)
            _begin_and_end(lab, [next(ids) for _ in range(size)], os.kill)
        for number in range(0, self.put_down, _AT_ONCE):
            size = min(_AT_ONCE, self.put_down - number)
            _begin_and_end(lab, [next(ids) for _ in range(size)], None)
        _undo_half(lab, [next(ids) for _ in range(self.undoing)])
        for _ in range(self.orphaned):
            lab.execute(
                f"UPDATE vmwright_operations SET state = 'running', epoch = 1,"
                f" owner_id = '{new_id()}' WHERE id = '{next(ids)}'"
            )


def _submit(controller: Controller, count: int) -> None:
    for number in range(0, count, 1000):
        size = min(1000, count - number)
        wish = {"name": f"crowd{number}", "image": "demo", "flavor": "tiny"}
        many = {"networks": [{"network": "wide"}], "min_count": size, "max_count": size}
        controller.submit(CreateRequest.parse(**wish, **many)) if size == 1 else (
            controller.submit_all(CreateRequest.parse(**wish, **many))
        )


def _begin_and_end(lab: Lab, ids: Sequence[str], kill: Callable[[int, int], None] | None) -> None:
    """Run these until all are in the middle of `spawn`, and end the process there."""
    slow = replace(lab, latency=_SLOW, parallel=len(ids))
    settings = slow.settings
    operations = replace(settings.operations, threads_per_host=len(ids), deadline=900.0)
    done = lab.home / "go"
    done.unlink(missing_ok=True)

    def work(controller: Controller) -> None:
        for operation in ids:
            controller.resume(operation)
        pause = threading.Event()
        while not done.exists():
            pause.wait(0.05)

    process = slow.fork(work, replace(settings, operations=operations))
    listed = ", ".join(f"'{one}'" for one in ids)
    pause = threading.Event()
    while len(lab.rows(_IN_SPAWN.format(listed))) < len(ids):
        pause.wait(0.1)
    if kill is not None:
        kill(process, signal.SIGKILL)
    done.touch()
    ended = lab.reap(process)
    assert ended.killed if kill else ended.status == 0, ended.output


_IN_SPAWN = (
    "SELECT o.id FROM vmwright_operations o JOIN atomdetails a ON a.parent_uuid = o.flow_detail_id"
    " WHERE a.name = 'spawn' AND a.state = 'RUNNING' AND o.id IN ({})"
)


def _undo_half(lab: Lab, ids: Sequence[str]) -> None:
    """Let these fail in `spawn`, and be taken back up to `plug_network`."""
    settings = lab.settings
    operations = replace(settings.operations, undo_backoff=3600.0, undo_tries=10**6)

    def work(controller: Controller) -> None:
        for operation in ids:
            controller.resume(operation)
        pause, left = threading.Event(), list(ids)
        while left:
            pause.wait(0.1)
            left = [one for one in left if not controller.operation(one).undo_tries]

    child = broken(
        work,
        execute("spawn", Break.FAIL_AFTER).refusing(),
        revert("plug_network", Break.FAIL_BEFORE).refusing(),
    )
    ended = lab.reap(lab.fork(child, replace(settings, operations=operations)))
    assert ended.status == 0, ended.output
    lab.execute("UPDATE vmwright_operations SET not_before = 0")


@dataclass(frozen=True)
class Damage:
    """One way to spoil the rows of an operation, and what a person must be told of it."""

    spoil: str
    """SQL with the names of an operation's columns in braces."""
    told: str
    sqlite_only: bool = False
    """Servers do not let such a value in."""

    def do(self, lab: Lab, operation: dict[str, Any]) -> None:
        for statement in self.spoil.split(";"):
            values = operation | {"new": new_id()}
            _without_references(lab, statement.strip().format_map(values))


def _without_references(lab: Lab, statement: str) -> None:
    """As a damaged file or a careless administrator would: no constraint is asked."""
    if lab.url is None:
        lab.execute(statement)  # SQLite asks none unless it is told to
    else:
        lab.execute(f"SET session_replication_role = replica; {statement}")


_INSTANCE = "UPDATE vmwright_instances SET {} WHERE id = '{{instance_id}}'"
_OPERATION = "UPDATE vmwright_operations SET {} WHERE id = '{{id}}'"
_ATOMS = "UPDATE atomdetails SET {} WHERE parent_uuid = '{{flow_detail_id}}'"
_ATOM = _ATOMS + " AND name = 'allocate_network'"

DAMAGES = (
    Damage(_INSTANCE.format("request = '[]'"), "instances.request"),
    Damage(_INSTANCE.format("request = '{{}}'"), "instances.request"),
    Damage(_INSTANCE.format("""request = '{{"version": 99}}'"""), "version 99"),
    Damage(_INSTANCE.format("vm_state = 'melted'"), "instances.vm_state"),
    Damage("DELETE FROM vmwright_instances WHERE id = '{instance_id}'", "{instance_id} is missing"),
    Damage(_OPERATION.format("error = '[1]'"), "operations.error"),
    Damage(_OPERATION.format("after_id = '{new}'"), "that it follows"),
    Damage(_OPERATION.format("flow_name = 'make_coffee'"), "make_coffee"),
    Damage(_OPERATION.format("flow_version = 99"), "version 99"),
    Damage(_OPERATION.format("flow_detail_id = '{new}'"), "flowdetails"),
    Damage(
        "UPDATE flowdetails SET state = 'HUNG' WHERE uuid = '{flow_detail_id}'", "flowdetails.state"
    ),
    Damage(
        "DELETE FROM atomdetails WHERE parent_uuid = '{flow_detail_id}' AND name = 'spawn'",
        "missing: spawn",
    ),
    Damage(_ATOM.format("name = 'brew'"), "brew"),
    Damage(_ATOM.format("state = 'EXPLODED'"), "allocate_network"),
    Damage(_ATOM.format("meta = '[1]'"), "allocate_network"),
    Damage(_ATOM.format("""failure = '{{"x": 1}}'"""), "allocate_network"),
    Damage(
        "UPDATE vmwright_attempts SET fault = '[]' WHERE operation_id = '{id}'", "attempts.fault"
    ),
    Damage(_INSTANCE.format("request = '{{\"name'"), "instances.request", sqlite_only=True),
    Damage(_OPERATION.format("error = '{{broken'"), "operations.error", sqlite_only=True),
    Damage(_OPERATION.format("epoch = 'first'"), "operations.epoch", sqlite_only=True),
    Damage(_OPERATION.format("not_before = 'soon'"), "operations.not_before", sqlite_only=True),
    Damage(_ATOM.format("results = '{{'"), "atomdetails.results", sqlite_only=True),
    Damage(_ATOM.format("atom_type = 'TEA'"), "atomdetails.atom_type", sqlite_only=True),
)
"""Every kind of damage that a store may have."""
