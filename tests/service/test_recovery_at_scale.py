"""Very many interrupted operations, some of them damaged: one service ends or parks them all."""

import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.interrupted import DAMAGES, Crowd, Damage, prepare_many
from tests.support.lab import Lab
from tests.support.oracle import told
from tests.support.serving import serving
from vmwright.controller import Controller

SMALL = Crowd(killed=4, put_down=4, undoing=4, orphaned=4, fresh=30)
MIDDLE = Crowd(killed=20, put_down=20, undoing=20, orphaned=20, fresh=120)
LARGE = Crowd(killed=100, put_down=100, undoing=100, orphaned=300, fresh=1400)

_UNFINISHED = "SELECT id FROM vmwright_operations WHERE state NOT IN ('done', 'undone', 'parked')"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty_lab(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    lab = Lab(tmp_path, parallel=8)
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql")
        lab = replace(lab, url=server.ready().connection)
    ended = lab.child(prepare_many)
    assert ended.status == 0, ended.output
    return lab


@dataclass(frozen=True)
class Damaged:
    """An operation whose rows were spoiled, as it was before."""

    operation: dict[str, Any]
    damage: Damage


def test_all_end_well_but_the_damaged_ones_which_are_parked(empty_lab: Lab) -> None:
    """One of each kind of damage."""
    damages = [one for one in DAMAGES if empty_lab.url is None or not one.sqlite_only]
    SMALL.gather(empty_lab)
    damaged = spoil(empty_lab, damages)
    recover(empty_lab)
    assert_parked_and_the_others_over(empty_lab, SMALL, damaged)
    # They hide nobody: whoever looks sees all that have a row.
    gone = sum("DELETE FROM vmwright_instances" in one.spoil for one in damages)
    assert empty_lab.child(show_all).output.split() == [str(SMALL.total - gone), str(SMALL.total)]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_thousand_are_recovered_in_the_memory_of_two_hundred(
    empty_lab: Lab, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """20 of them are damaged."""
    suited = [one for one in DAMAGES if empty_lab.url is None or not one.sqlite_only]
    damages = [suited[number % len(suited)] for number in range(20)]
    LARGE.gather(empty_lab)
    damaged = spoil(empty_lab, damages)
    large = recover(empty_lab)
    assert_parked_and_the_others_over(empty_lab, LARGE, damaged)
    (tmp_path / "middle").mkdir()
    lab = replace(empty_lab, home=tmp_path / "middle")
    if empty_lab.url is not None:
        lab = replace(lab, url=request.getfixturevalue("postgresql").ready().connection)
    prepared = lab.child(prepare_many)
    assert prepared.status == 0, prepared.output
    MIDDLE.gather(lab)
    middle = recover(lab)
    print(f"operations={LARGE.total} damaged={len(damaged)} memory_mib={large:.0f}")
    print(f"operations={MIDDLE.total} damaged=0 memory_mib={middle:.0f}")
    # What may grow is what SQLite caches of a file that is ten times as large: 2 MiB for each
    # connection.
    assert large - middle < 32


def show_all(controller: Controller) -> None:
    print(len([controller.describe_instance(one) for one in controller.instances()]))
    print(len([controller.describe_operation(one) for one in controller.operations()]))


def spoil(lab: Lab, damages: list[Damage]) -> list[Damaged]:
    """Damage one operation in each way, all over the crowd."""
    operations = lab.rows(
        "SELECT id, instance_id, flow_detail_id FROM vmwright_operations ORDER BY seq"
    )
    step = len(operations) // len(damages)
    damaged = []
    for number, damage in enumerate(damages):
        operation = operations[number * step]
        damage.do(lab, operation)
        damaged.append(Damaged(operation, damage))
    return damaged


def recover(lab: Lab) -> float:
    """Serve the store until nothing happens any more; the most memory that it took, in MiB."""
    pause = threading.Event()
    with serving(lab) as service:
        while lab.rows(_UNFINISHED):
            assert service.process.poll() is None, service.log.read_text()
            pause.wait(0.2)
        memory = service.memory_mib()
        assert service.stop() == 0
    assert lab.rows("SELECT * FROM vmwright_owners") == []
    return memory


def assert_parked_and_the_others_over(lab: Lab, crowd: Crowd, damaged: list[Damaged]) -> None:
    spoiled = {one.operation["id"]: one for one in damaged}
    operations = lab.rows("SELECT id, instance_id, state, error FROM vmwright_operations")
    assert len(operations) == crowd.total
    assert {row["id"] for row in operations if row["state"] == "parked"} == set(spoiled)
    for row in operations:
        if row["id"] in spoiled:
            one = spoiled[row["id"]]
            reason = told(row["error"])["parked"]
            assert one.damage.told.format_map(one.operation) in reason["message"], reason
            assert "vmwright" in reason["hint"], reason
    assert_world_is_of_the_living(lab, operations, set(spoiled))


def assert_world_is_of_the_living(
    lab: Lab, operations: list[dict[str, Any]], spoiled: set[str]
) -> None:
    """Each build that was done has its guest, none that was undone; nobody else touched one."""
    done = {row["instance_id"] for row in operations if row["state"] == "done"}
    undone = {row["instance_id"] for row in operations if row["state"] == "undone"}
    assert done
    assert undone
    domains = {domain["uuid"] for domain in lab.things("domains") if domain["state"] == "running"}
    assert done <= domains
    assert not undone & {domain["uuid"] for domain in lab.things("domains")}
    held = {row["instance_id"] for row in lab.rows("SELECT instance_id FROM vmwright_claims")}
    assert held >= done
    assert not held & undone
    parked = {row["instance_id"] for row in operations if row["id"] in spoiled}
    assert held <= done | parked
    assert lab.rows("SELECT * FROM vmwright_debts") == []
