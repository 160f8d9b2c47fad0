"""What is refused at the door leaves the store as it was."""

import pytest

from tests.support import lab as labs
from tests.support.lab import Lab

TABLES = ("hosts", "instances", "operations", "events", "secrets", "volumes", "ports", "owners")


@pytest.mark.parametrize("verb", ["create", "submit"])
@pytest.mark.parametrize(
    "wish",
    [
        {"image": "nope"},
        {"flavor": "nope"},
        {"networks": [{"network": "nope"}]},
        {"networks": [{"network": "net1", "ip": "10.2.0.9"}]},
        {"networks": [{"network": "net1", "ip": "10.1.0.77"}]},
        {"networks": [{"port": "nope"}]},
        {"volumes": [{"volume": "nope"}]},
    ],
    ids=str,
)
def test_a_refused_build_changes_nothing(lab: Lab, verb: str, wish: dict) -> None:
    """Not even the host of the configuration is registered for it."""
    lab.execute("DELETE FROM vmwright_hosts")
    before = {table: lab.rows(f"SELECT * FROM vmwright_{table}") for table in TABLES}

    def refused(controller):
        getattr(controller, verb)(labs.request(**wish))

    assert lab.child(refused).status == 1
    after = {table: lab.rows(f"SELECT * FROM vmwright_{table}") for table in TABLES}
    assert after == before


def test_more_instances_than_one_page_are_listed(lab: Lab) -> None:
    def many(controller):
        controller.submit(labs.request(volumes=[]))

    lab.child(many)
    copied = ", ".join(column for column in columns(lab) if column not in ("seq", "id"))
    for _ in range(11):
        lab.execute(
            f"INSERT INTO vmwright_instances (id, {copied})"
            f" SELECT lower(hex(randomblob(16))), {copied} FROM vmwright_instances"
        )
    ended = lab.child(lambda controller: print(len(controller.instances())))
    assert ended.output.split() == ["2048"], ended.output


def columns(lab: Lab) -> list[str]:
    return [row["name"] for row in lab.rows("PRAGMA table_info(vmwright_instances)")]
