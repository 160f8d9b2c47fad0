"""What is refused at the door leaves the store as it was."""

from dataclasses import replace

import pytest

from tests.support import lab as labs
from tests.support.lab import Lab
from vmwright.controller import Controller
from vmwright.errors import NotFound
from vmwright.settings import HookSettings, SchedulerSettings

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


@pytest.mark.parametrize("key", ["kernel_id", "ramdisk_id"])
def test_what_an_image_names_and_is_not_there_is_told_with_that_image(lab: Lab, key: str) -> None:
    with Controller(lab.settings) as controller:
        image = labs.request().image
        named = {"kernel_id": image} | {key: "gone"}
        controller.inventory.set_image_properties(image, named)
        with pytest.raises(NotFound, match=f"no image 'gone', .* {key} of image '{image}'"):
            controller.submit(labs.request())
        with pytest.raises(NotFound, match=r"no image 'nope'$"):
            controller.submit(labs.request(kernel="nope", ramdisk=image))


@pytest.mark.parametrize("verb", ["create", "submit", "plan"])
@pytest.mark.parametrize("moment", ["pre_create", "post_create"])
def test_a_build_with_a_hook_that_is_not_installed_is_refused(
    lab: Lab, verb: str, moment: str
) -> None:
    lab.execute("DELETE FROM vmwright_hosts")
    before = {table: lab.rows(f"SELECT * FROM vmwright_{table}") for table in TABLES}
    unknown = replace(lab, hooks=HookSettings(**{moment: ("nope",)}))
    ended = unknown.child(lambda controller: getattr(controller, verb)(labs.request()))
    assert ended.status == 1
    assert "InvalidRequest" in ended.output
    assert "hook 'nope' is not installed" in ended.output
    after = {table: lab.rows(f"SELECT * FROM vmwright_{table}") for table in TABLES}
    assert after == before


def test_a_build_with_a_filter_that_is_not_installed_is_refused(lab: Lab) -> None:
    def refused(controller: Controller) -> None:
        with Controller(
            replace(controller.settings, scheduler=SchedulerSettings(enabled_filters=("nope",)))
        ) as other:
            other.submit(labs.request())

    ended = lab.child(refused)
    assert "filter 'nope' is not installed" in ended.output
    assert lab.rows("SELECT * FROM vmwright_operations") == []


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
