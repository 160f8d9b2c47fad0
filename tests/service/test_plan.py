"""What would be done is shown as it would be done, and nothing of it is."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import hooks
from tests.support import lab as labs
from tests.support.command_line import BUILD, CommandLine, stocked
from tests.support.lab import Lab
from tests.support.oracle import instances
from vmwright.controller import Controller

_TOKEN = re.compile(r"vmw\.([a-z0-9]{26}\.){3}[0-9]+\.")
_STORE = (
    "store.db",
    "store.db-wal",
    "store.db-shm",
    "vmwright.db",
    "vmwright.db-wal",
    "vmwright.db-shm",
)


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return stocked(tmp_path_factory.mktemp("stocked"))


def files(directory: Path) -> dict[str, str]:
    """Every file but the store's own, and what is in it."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name not in _STORE and not path.name.startswith("child-")
    }


def planned(lab: Lab, *wishes: dict[str, Any]) -> list[dict[str, Any]]:
    """What the library plans for these, as its command shows it."""

    def child(controller: Controller) -> None:
        from vmwright.cli.plan import _whole

        plans = controller.plan(*(labs.request(**wish) for wish in wishes))
        print(json.dumps([_whole(plan) for plan in plans]))

    ended = lab.child(child)
    assert ended.status == 0, ended.output
    found: list[dict[str, Any]] = json.loads(ended.output)
    return found


def prepare(lab: Lab, preparation: Callable[[Controller], Any]) -> None:
    ended = lab.child(preparation)
    assert ended.status == 0, ended.output


def refused(lab: Lab, **wish: Any) -> str:
    ended = lab.child(lambda controller: controller.plan(labs.request(**wish)))
    assert ended.status == 1
    return ended.output.splitlines()[-1]


def without_ids(record: dict[str, Any]) -> Any:
    """A guest without what every build makes anew."""
    text = _TOKEN.sub("", json.dumps(record))
    ids = [record["uuid"], record["mark"]["operation"], *(nic["mac"] for nic in record["nics"])]
    ids += [disk["serial"] for disk in record["disks"] if re.match("[0-9a-f]{8}-", disk["serial"])]
    for known in ids:
        text = text.replace(known, "-")
    told = json.loads(re.sub(r"[a-z0-9]{26}\.qcow2", "-.qcow2", text))
    return {**told, "state": "-", "off_by": "-"}


@pytest.mark.parametrize("output", ["table", "json", "yaml", "value"])
@pytest.mark.parametrize("count", ["1", "3"])
def test_a_plan_changes_no_row_and_no_file(stock: CommandLine, output: str, count: str) -> None:
    state = stock.directory / "state"
    rows, before = stock.rows(), files(state)
    called = stock("plan", "web", *BUILD, "--volume", "size=1", "--max", count, "-f", output)
    assert called.code == 0, called.err
    assert "host1" in called.out
    assert stock.rows() == rows
    assert files(state) == before
    assert "vmwright_key" not in str(before)


def test_a_plan_makes_no_key(stock: CommandLine) -> None:
    """A build with secrets makes the key file; showing it does not."""
    secret = stock.directory / "secret"
    secret.write_text("#!/bin/sh\n")
    called = stock("plan", "web", *BUILD, "--user-data", str(secret), "--config-drive")
    assert called.code == 0, called.err
    assert not (stock.directory / "state" / "key").exists()


def test_a_plan_registers_no_host(lab: Lab) -> None:
    lab.execute("DELETE FROM vmwright_hosts")
    (plan,) = planned(lab, {})
    assert plan["host"] is plan["definition"] is None
    assert plan["hosts"] == []
    assert any("no host is registered" in remark for remark in plan["remarks"])
    assert lab.rows("SELECT * FROM vmwright_hosts") == []


def test_a_plan_is_what_is_built(lab: Lab) -> None:
    (plan,) = planned(lab, {"networks": [{"network": "net1"}, {"port": "mine"}]})
    assert lab.child(labs.create).output.split() == ["done"]
    (domain,) = lab.things("domains")
    assert without_ids(json.loads(plan["definition"])) == without_ids(domain)
    ports = lab.rows("SELECT ip FROM vmwright_ports ORDER BY position")
    assert [nic["ip"] for nic in plan["addresses"]] == [port["ip"] for port in ports]
    made = {volume["name"]: volume["size_bytes"] for volume in lab.things("volumes")}
    sizes = [disk["size_bytes"] for disk in plan["disks"] if disk["role"] != "config"]
    assert sorted(sizes) == sorted(made[disk["volume"]] for disk in domain["disks"][:-1])
    roles = ["root", "ephemeral0", "swap", "volume", "volume", "volume", "config"]
    assert [disk["role"] for disk in plan["disks"]] == roles
    (row,) = instances(lab)
    assert plan["host"] == row["launched_on"]


def test_instances_of_a_plan_know_of_each_other(lab: Lab) -> None:
    def stock(controller: Controller) -> None:
        controller.inventory.create_host("host2", "simulated:///host2")
        controller.inventory.server_groups.create("apart", "anti-affinity")

    prepare(lab, stock)
    several = {"volumes": [], "scheduler_hints": {"group": "apart"}}
    plans = planned(lab, {**several, "max_count": 3}, {**several, "name": "other"})
    assert [plan["name"] for plan in plans] == ["vm1-1", "vm1-2", "vm1-3", "other"]
    assert [plan["host"] for plan in plans] == ["host1", "host2", None, None]
    assert [plan["addresses"][0]["ip"] for plan in plans] == [f"10.1.0.{n}" for n in range(2, 6)]
    reason = plans[2]["hosts"][0]
    assert (reason["host"], reason["filter"]) == ("host1", "server_group")
    assert "at most 1" in reason["reason"]
    assert any("no host can take the guest" in remark for remark in plans[2]["remarks"])


def test_a_plan_says_of_every_host_why_or_why_not(lab: Lab) -> None:
    def stock(controller: Controller) -> None:
        controller.inventory.create_host("host2", "simulated:///host2")
        controller.inventory.set_host("host1", enabled=False, disabled_reason="dust")

    prepare(lab, stock)
    (plan,) = planned(lab, {"volumes": []})
    chosen, other = plan["hosts"]
    assert (chosen["host"], chosen["reason"]) == ("host2", None)
    assert chosen["weights"].keys() >= {"ram", "cpu", "disk"}
    assert (other["host"], other["filter"], other["reason"]) == (
        "host1",
        "enabled",
        "disabled (dust)",
    )


def test_a_plan_tells_addresses_that_are_given_from_those_that_are_free(lab: Lab) -> None:
    networks = [
        {"port": "mine"},
        {"network": "net1", "ip": "10.1.0.3", "mac": "52:54:00:00:00:09"},
        {"network": "net1"},
    ]
    (plan,) = planned(lab, {"networks": networks})
    known = [(nic["ip"], nic["origin"]) for nic in plan["addresses"]]
    assert known == [("10.1.0.77", "port"), ("10.1.0.3", "asked"), ("10.1.0.2", "next free")]
    assert [nic["mac"] is None for nic in plan["addresses"]] == [False, False, True]
    assert "52:54:00:00:00:09" in plan["definition"]


def test_a_full_network_is_told(lab: Lab) -> None:
    prepare(lab, lambda controller: controller.inventory.create_network("tiny", "10.5.0.0/29"))
    networks = [{"network": "tiny"}]
    plans = planned(lab, {"networks": networks, "max_count": 6, "volumes": []})
    chosen = [plan["addresses"][0]["ip"] for plan in plans]
    assert chosen == [*(f"10.5.0.{n}" for n in range(2, 7)), None]
    assert any("no free address" in remark for remark in plans[-1]["remarks"])


def test_a_plan_shows_hooks(lab: Lab, tmp_path: Path) -> None:
    with hooks.installed(tmp_path / "site"):
        (plan,) = planned(hooks.with_hooks(lab), {})
    names = [node["id"] for node in plan["graph"]["nodes"]]
    assert {hooks.PRE, hooks.POST} < set(names)


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"image": "nope"}, "NotFound"),
        ({"networks": [{"network": "net1", "ip": "10.2.0.9"}]}, "InvalidRequest"),
        ({"availability_zone": "nowhere"}, "InvalidRequest"),
    ],
)
def test_what_create_refuses_is_refused(lab: Lab, wish: dict[str, Any], error: str) -> None:
    assert error in refused(lab, **wish)


def test_a_plan_keeps_to_the_quota(lab: Lab) -> None:
    prepare(lab, lambda controller: controller.inventory.quotas.set({"instances": 2}))
    assert [plan["name"] for plan in planned(lab, {"max_count": 3, "volumes": []})] == [
        "vm1-1",
        "vm1-2",
    ]
    assert "QuotaExceeded" in refused(lab, min_count=3, volumes=[])


def test_a_file_of_requests_is_planned(stock: CommandLine) -> None:
    file = stock.directory / "web.yaml"
    file.write_text(stock("spec", "web", *BUILD).out)
    called = stock("plan", "-f", str(file))
    assert called.code == 0, called.err
    assert "web" in called.out
    as_data = stock("plan", "--spec", str(file), "-f", "yaml")
    (plan,) = [yaml.safe_load(as_data.out)]
    assert plan["host"] == "host1"
