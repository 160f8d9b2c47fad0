"""A release takes over what the one before left interrupted, at every task, both ways."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support import lab as labs
from tests.support.lab import Lab
from tests.support.oracle import assert_flow_is_true
from tests.support.recorded import unpacked
from vmwright.flows import RECIPES
from vmwright.persistence import schema_version

RECORDINGS = sorted((Path(labs.__file__).parent / "recordings").glob("store-*.tar.gz"))
ENDS = {
    "forward": ("active", "done"),
    "queued": ("active", "done"),
    "back": ("error", "undone"),
    "stuck": ("error", "undone"),
    "delete": ("deleted", "done"),
}
"""What becomes of the instance and of its last operation, by the first word of its name."""


@pytest.fixture(params=RECORDINGS, ids=lambda path: path.name)
def left(request, tmp_path: Path) -> Lab:
    """A deployment as an earlier release left it."""
    return unpacked(request.param, tmp_path)


def test_everything_in_flight_ends_well_after_an_upgrade(left: Lab) -> None:
    before = left.rows("SELECT version_num FROM vmwright_alembic_version")[0]["version_num"]
    assert before < schema_version.newest_version()
    in_flight = left.rows("SELECT DISTINCT kind, flow_version FROM vmwright_operations")
    told = {(row["kind"], row["flow_version"]) for row in in_flight}
    # A version that no recording holds has never been shown to be taken over.
    assert told == {(known.kind, known.version) for known in RECIPES}

    def child(controller):
        (stuck,) = controller.operations(["stuck"])
        controller.retry(stuck.id)
        labs.resume(controller)
        controller.pay_debts()

    ended = left.child(child)
    assert set(Counter(ended.output.split())) == {"done", "undone"}, ended.output
    (revision,) = left.rows("SELECT version_num FROM vmwright_schema_revision")
    assert revision["version_num"] == schema_version.newest_version()
    assert_ended(left)
    assert_nothing_is_left_over(left)


def assert_ended(left: Lab) -> None:
    rows = left.rows(
        "SELECT i.name, i.vm_state, i.task_state, o.* FROM vmwright_operations o"
        " JOIN vmwright_instances i ON i.id = o.instance_id ORDER BY o.seq"
    )
    last = {row["name"]: row for row in rows}
    assert len(last) > len(ENDS)
    for name, row in last.items():
        found = (row["vm_state"], row["state"])
        assert found == ENDS[name.partition("-")[0]], (name, found, row["error"])
        assert row["task_state"] is None
    for row in rows:
        assert_flow_is_true(left, row)


def assert_nothing_is_left_over(left: Lab) -> None:
    """What lies in the world belongs to instances that are active, each complete."""
    active = {
        row["id"]
        for row in left.rows("SELECT id FROM vmwright_instances WHERE vm_state = 'active'")
    }
    assert Counter(domain["uuid"] for domain in left.things("domains")) == Counter(active)
    volumes = Counter(volume["name"].split(".")[2] for volume in left.things("volumes"))
    assert set(volumes.values()) == {6}, "root, config, ephemeral and swap disk, two volumes"
    for table in ("claims", "ports", "attachments"):
        holders = left.rows(f"SELECT DISTINCT instance_id FROM vmwright_{table}")
        known = {row["instance_id"] for row in holders} - {None}
        assert known == active, table
    reserved = {found["mac"] for found in left.things("reservations")}
    ports = left.rows("SELECT mac FROM vmwright_ports WHERE instance_id IS NOT NULL")
    assert reserved == {row["mac"] for row in ports}
    assert left.rows("SELECT * FROM vmwright_debts") == []
