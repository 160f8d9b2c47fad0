"""What a repair does while other things happen, and what a service does by itself."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.command_line import BUILD, CommandLine, stocked
from tests.support.lab import Lab
from vmwright.backends.simulated.volumes import SimulatedVolumes
from vmwright.backends.volumes import Base
from vmwright.controller import Controller
from vmwright.settings import AuditSettings
from vmwright.waiting import Wait

DELETED = "UPDATE vmwright_instances SET deleted_at = 1, vm_state = 'deleted'"
LIVES = "UPDATE vmwright_instances SET deleted_at = NULL, vm_state = 'active'"


@pytest.fixture
def built(lab: Lab) -> Lab:
    """A deployment with one instance."""
    assert lab.child(labs.create).output.split() == ["done"]
    return lab


def test_what_has_become_needed_since_it_was_found_is_left(built: Lab) -> None:
    """It is judged again in the transaction that decides it."""
    before, rows = built.world(), built.rows("SELECT * FROM vmwright_claims")
    built.execute(DELETED)

    def child(controller: Controller) -> None:
        found = controller.upkeep.auditor.findings()
        built.execute(LIVES)
        controller.upkeep.auditor.findings = lambda _=None: found  # type: ignore[method-assign]
        print(len(found), {one["outcome"] for one in controller.upkeep.repair()})

    assert built.child(child).output.split() == ["13", "{'left'}"]
    assert built.world() == before
    assert built.rows("SELECT * FROM vmwright_claims") == rows
    assert len(built.rows("SELECT * FROM vmwright_ports WHERE instance_id IS NOT NULL")) == 2
    assert len(built.rows("SELECT * FROM vmwright_attachments")) == 3
    assert built.rows("SELECT * FROM vmwright_debts") == []


def test_what_a_silent_host_keeps_is_owed_and_goes_when_it_is_back(built: Lab) -> None:
    built.execute(DELETED)
    silent = built.with_faults("ensure_no_volume:1:down")
    ended = silent.child(lambda c: print(json.dumps([*c.upkeep.repair()])))
    done = json.loads(ended.output)
    outcomes = {(one["kind"], one["outcome"]) for one in done}
    assert ("volume", "owed") in outcomes
    assert ("host", "left") in outcomes
    assert ("claim", "removed") in outcomes
    assert built.rows("SELECT DISTINCT reason FROM vmwright_debts") == [{"reason": "left over"}]

    (built.home / "world" / "hosts" / "host1" / "down").unlink()
    built.execute("UPDATE vmwright_debts SET not_before = 0")
    assert built.child(labs.pay).status == 0
    assert {path.split("/")[2] for path in built.world()} == {"volumes"}
    assert {path.split(".")[5] for path in built.world()}.isdisjoint(["root", "config", "swap"])


def test_build_goes_well_whose_cached_image_is_removed_before_it_is_used(lab: Lab) -> None:
    """As by an audit that found that nobody had used it so far."""

    def child(controller: Controller) -> None:
        ensure, removed = SimulatedVolumes.ensure_base, []

        def around(self: SimulatedVolumes, base: Base, source: Path, wait: Wait) -> None:
            ensure(self, base, source, wait)
            if not removed:
                removed.append(base)
                self.ensure_no_base(base, wait)

        SimulatedVolumes.ensure_base = around  # type: ignore[method-assign]
        labs.create(controller)
        print(len(removed))

    assert lab.child(child).output.split() == ["done", "1"]
    assert [domain["state"] for domain in lab.things("domains")] == ["running"]


def serving(lab: Lab, **audit: Any) -> Iterator[None]:
    """Have a service run beside the test, which audits all the time."""
    settings = replace(lab.settings, audit=AuditSettings(interval=0.05, **audit))
    stopped = lab.home / "stopped"

    def serve(controller: Controller) -> None:
        stop = threading.Event()
        controller.serve_until(stop, lambda _: stop.set() if stopped.exists() else None)

    process = lab.fork(serve, settings)
    yield
    stopped.touch()
    ended = lab.reap(process)
    assert ended.status == 0, ended.output
    print(ended.output)


@pytest.fixture
def tidy(built: Lab) -> Iterator[Lab]:
    for _ in serving(built, minimum_age=0.0):
        yield built


def test_service_removes_what_is_left_over_by_itself(tidy: Lab) -> None:
    assert tidy.world()
    tidy.execute(DELETED)
    while tidy.rows("SELECT * FROM vmwright_claims") or tidy.things("domains"):
        threading.Event().wait(0.05)


@pytest.mark.parametrize("audit", [{"minimum_age": 1e12}, {"repair": False}])
def test_service_leaves_what_is_young_and_what_it_is_not_to_repair(
    built: Lab, audit: dict[str, Any]
) -> None:
    from vmwright.reconcilers.audit import keep_clean

    built.execute(DELETED)
    before = built.world()
    settings = replace(built.settings, audit=AuditSettings(**audit))

    def child(controller: Controller) -> None:
        found = keep_clean(controller.upkeep.auditor, pause=1.0)
        print({one.outcome for one in found}, len(found))

    ended = built.reap(built.fork(child, settings))
    assert ended.output.splitlines()[-1] == "{'left'} 13"
    assert built.world() == before
    assert len(built.rows("SELECT * FROM vmwright_claims")) == 1


def test_command_says_what_it_repaired_and_ends_with_0_once_nothing_is_left(
    vmwright: CommandLine,
) -> None:
    assert vmwright("create", "web", *BUILD, "-q").code == 0
    forget = "UPDATE vmwright_instances SET deleted_at = 1, vm_state = 'deleted'"
    vmwright.execute(forget)
    found = vmwright("audit", "-f", "json")
    assert found.code == 3
    assert {one["verdict"] for one in found.data} == {"leftover"}
    assert {one["outcome"] for one in found.data} == {None}

    done = vmwright("audit", "--repair", "-f", "json")
    assert done.code == 0
    assert {one["outcome"] for one in done.data} == {"removed"}
    # The address goes with the last thing that was owed, and so by itself.
    keys = [{one["key"] for one in told.data if one["kind"] != "port"} for told in (found, done)]
    assert keys[0] == keys[1]
    assert vmwright.rows()["vmwright_ports"] == []
    shown = vmwright("audit", "--repair")
    assert (shown.code, shown.out.strip()) == (0, "")
    assert vmwright("audit").code == 0


def test_command_adopts_what_is_unknown_only_where_that_was_asked_for(
    vmwright: CommandLine,
) -> None:
    assert vmwright("create", "web", *BUILD, "-q").code == 0
    instance = vmwright("show", "web", "-f", "json").data["id"]
    vmwright.forget(instance)
    assert vmwright("audit", "--repair", "-f", "json").code == 3
    assert vmwright.world("domains") != []
    assert vmwright("audit", "--adopt-unknown").code == 2
    assert vmwright("audit", "--repair", "--all").code == 2
    assert vmwright("audit", "--repair", "--adopt-unknown").code == 0
    assert [vmwright.world(kind) for kind in ("domains", "volumes", "reservations")] == [[], [], []]


def test_command_accepts_a_restored_store(tmp_path: Path) -> None:
    vmwright = stocked(tmp_path)
    assert vmwright("create", "web", *BUILD, "-q").code == 0
    done = vmwright("db", "restored")
    assert done.code == 0
    assert "operations parked: 0" in done.err
