"""kill -9 at random moments, again and again: every build ends active or fully given back."""

import os
import random
import signal
import threading
from dataclasses import replace

import pytest

from tests.support import lab as labs
from tests.support.lab import Lab
from tests.support.oracle import LOCAL_DISKS

PLACES = ("lab", "hosts")
"""With one host, and with three: there a build goes on to another one."""

FAULTS = ("", "ensure_running:1:after", "ensure_running:1:before", "ensure_volume:2:after")


@pytest.mark.parametrize(
    ("place", "kills"),
    [("lab", 12), ("hosts", 8), *(pytest.param(p, 100, marks=pytest.mark.slow) for p in PLACES)],
)
def test_random_kills_lose_and_leak_nothing(
    place: str, kills: int, request: pytest.FixtureRequest
) -> None:
    lab: Lab = request.getfixturevalue(place)
    chance, done = random.Random(20261121), 0
    number = 0
    while done < kills:
        number += 1
        shaky = replace(lab, latency="0.01", faults=tuple(filter(None, [chance.choice(FAULTS)])))
        (lab.home / "world" / "calls.json").unlink(missing_ok=True)
        done += killed_after(shaky, build(f"vm{number}"), chance.uniform(0.0, 0.7))
        while chance.random() < 0.4:
            done += killed_after(shaky, labs.resume, chance.uniform(0.0, 0.5))
        ended = shaky.child(labs.resume)
        assert ended.status == 0, ended.output
    # Whatever the kills hit on this machine, one build goes well and one fails.
    assert lab.child(build("whole")).status == 0
    (lab.home / "world" / "calls.json").unlink(missing_ok=True)
    assert lab.with_faults("ensure_running:1+:after").child(build("failed")).status == 0
    assert lab.child(labs.pay).status == 0
    assert_store_and_world_are_equal(lab)
    assert lab.secrets_in_clear() == []


def build(name: str):
    def work(controller):
        wish = labs.request(name=name, volumes=[{"size": 1}, {"size": 2, "image": "demo"}])
        controller.wait(controller.create(wish).id, timeout=60)

    return work


def killed_after(lab: Lab, work, seconds: float) -> int:
    """1 if the process died of the kill, 0 if it had ended before."""
    process = lab.fork(work)
    threading.Event().wait(seconds)
    os.kill(process, signal.SIGKILL)
    return int(lab.reap(process).killed)


def assert_store_and_world_are_equal(lab: Lab) -> None:
    """Read off files and rows: what the store says is there is there, and nothing else is."""
    instances = lab.rows("SELECT * FROM vmwright_instances")
    assert {row["vm_state"] for row in instances} <= {"active", "error"}
    assert {row["task_state"] for row in instances} == {None}
    active = {row["id"] for row in instances if row["vm_state"] == "active"}
    assert active
    assert len(active) < len(instances)
    assert {domain["uuid"] for domain in lab.things("domains")} == active
    assert {domain["state"] for domain in lab.things("domains")} == {"running"}
    ports = lab.rows("SELECT instance_id, mac, ip FROM vmwright_ports WHERE name IS NULL")
    assert {port["instance_id"] for port in ports} == active
    assert sorted((port["mac"], port["ip"]) for port in ports) == sorted(
        (found["mac"], found["ip"]) for found in lab.things("reservations")
    )
    located = {
        row["location"]
        for row in lab.rows(
            "SELECT location FROM vmwright_volumes WHERE deleted_at IS NULL"
            " AND location IS NOT NULL"
        )
    }
    stored = {volume["name"] for volume in lab.things("volumes")}
    own = {name for name in stored if name.split(".")[5] in LOCAL_DISKS}
    assert stored - own == located
    assert len(own) == len(LOCAL_DISKS) * len(active)
    claims = lab.rows("SELECT instance_id FROM vmwright_claims")
    assert sorted(claim["instance_id"] for claim in claims) == sorted(active)
    attachments = lab.rows("SELECT instance_id FROM vmwright_attachments")
    assert {row["instance_id"] for row in attachments} == active
    assert len(attachments) == 2 * len(active)
    unfinished = lab.rows("SELECT * FROM vmwright_operations WHERE finished_at IS NULL")
    assert unfinished == []
    assert lab.rows("SELECT * FROM vmwright_debts") == []
