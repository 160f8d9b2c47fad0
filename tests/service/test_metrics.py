"""GET /metrics of a real service: what it has seen happen, and how things stand."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support import lab as labs
from tests.support.lab import Lab
from tests.support.serving import Service, serving
from vmwright.controller import Controller

ROOT = Path(__file__).parents[2]

Samples = Mapping[tuple[str, ...], float]
"""By the name of the metric and its labels' values, in the order of their names."""


def asked(service: Service, lab: Lab, path: str = "/metrics", **headers: str) -> httpx.Response:
    token = (lab.home / "token").read_text().strip()
    return httpx.get(service.url + path, headers={"Authorization": f"Bearer {token}"} | headers)


def scraped(service: Service, lab: Lab) -> Samples:
    answer = asked(service, lab)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def until(service: Service, lab: Lab, is_so: Callable[[Samples], bool]) -> Samples:
    """What it tells once that is so: it hears of what happens a moment later."""
    while not is_so(found := scraped(service, lab)):
        assert service.process.poll() is None, service.log.read_text()
        threading.Event().wait(0.05)
    return found


def submitted(lab: Lab, *names: str) -> None:
    def submit(controller: Controller) -> None:
        for name in names:
            controller.submit(labs.request(name=name, volumes=[]))

    assert lab.child(submit).status == 0


def deleted(lab: Lab, name: str) -> None:
    assert lab.child(lambda controller: controller.delete(name)).status == 0


def test_builds_that_succeed_fail_and_are_tried_again_are_counted(hosts: Lab) -> None:
    """The first of three hosts cannot start the guest."""
    lab = hosts.with_faults("ensure_running:1:before")
    with serving(lab, answers=True) as service:
        submitted(lab, "second-host")
        done = "vmwright_operations_total", "create", "done"
        found = until(service, lab, lambda now: now[done] == 1)
        assert found["vmwright_retries_total",] == 1
        assert found["vmwright_attempts_total", "host1", "failed"] == 1
        assert found["vmwright_attempts_total", "host2", "done"] == 1
        execute = "vmwright_task_seconds_count", "execute", "create_instance"
        assert found[*execute, "failure", "spawn"] == 1
        assert found[*execute, "success", "spawn"] == 1
        revert = "vmwright_task_seconds_count", "revert", "create_instance", "reverted"
        assert found[*revert, "plug_network"] == 1
        assert found["vmwright_operation_seconds_count", "create", "done"] == 1
        assert found["vmwright_host_instances", "host2"] == 1
        assert found["vmwright_host_memory_claimed_bytes", "host2"] == 128 * 2**20
        assert found["vmwright_operations_total", "create", "undone"] == 0
        assert found["vmwright_claims_lost_total",] == 0
        assert 0 < found["vmwright_owner_lease_seconds",] <= 15
        assert found["vmwright_store_transaction_seconds_count", "write"] > 5
        assert service.stop() == 0


def test_what_is_stuck_and_owed_is_told_with_its_age(lab: Lab) -> None:
    faults = ("ensure_running:1+:refuse", "ensure_no_domain:1+:refuse")
    lab = replace(lab.with_faults(*faults), undo_tries=1)
    with serving(lab, answers=True) as service:
        submitted(lab, "stays")
        found = until(
            service, lab, lambda now: now["vmwright_operation_halts_total", "create", "stuck"] == 1
        )
        assert found["vmwright_operations_unfinished", "stuck"] == 1
        assert found["vmwright_operations_oldest_age_seconds", "stuck"] > 0
        revert = "vmwright_task_seconds_count", "revert", "create_instance"
        assert found[*revert, "blocked", "spawn"] == 1
        (operation,) = lab.rows("SELECT id FROM vmwright_operations")
        give_up = lab.child(lambda controller: controller.abandon(operation["id"], "a test"))
        assert give_up.status == 0, give_up.output
        undone = "vmwright_operations_total", "create", "undone"
        found = until(service, lab, lambda now: now[undone] == 1)
        assert found["vmwright_debts", "host1", "domain"] == 1
        assert found["vmwright_debts_oldest_age_seconds", "host1", "domain"] > 0
        assert found["vmwright_operations_unfinished", "stuck"] == 0
        assert service.stop() == 0


def test_counters_begin_with_zero_behind_a_token(lab: Lab) -> None:
    """Whose names follow Prometheus' conventions, and whose labels name no instance."""
    submitted(lab, "before")
    assert lab.child(labs.resume).output.split() == ["done"]
    with serving(lab, answers=True) as service:
        assert httpx.get(f"{service.url}/metrics").status_code == 401
        wrong = {"Authorization": "Bearer wrong"}
        assert httpx.get(f"{service.url}/metrics", headers=wrong).status_code == 401
        assert scraped(service, lab)["vmwright_operations_total", "create", "done"] == 0
        deleted(lab, "before")
        until(service, lab, lambda now: now["vmwright_operations_total", "delete", "done"] == 1)
        text = asked(service, lab).text
        assert "before" not in text
        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", text)
        assert len(text.splitlines()) < 800
        families = list(text_string_to_metric_families(text))
        assert len({family.name for family in families}) == len(families)
        for family in families:
            if family.name.startswith("vmwright"):
                assert_well_named(family)
        assert_known_to_documents(families)
        openmetrics = asked(service, lab, Accept="application/openmetrics-text")
        assert openmetrics.text.endswith("# EOF\n")
        assert service.stop() == 0


def test_without_its_store_a_service_still_tells_what_it_knows(lab: Lab) -> None:
    """Open to all, as may be asked for."""
    with serving(lab, "[api]\nmetrics = open", answers=True) as service:
        assert httpx.get(f"{service.url}/metrics").status_code == 200
        store = lab.home / "store.db"
        store.rename(lab.home / "away.db")
        found = until(service, lab, lambda now: now["vmwright_store_up",] == 0)
        assert ("vmwright_operations_total", "create", "done") in found
        assert ("vmwright_runs",) in found
        assert not any(name == "vmwright_owners" for name, *_ in found)
        (lab.home / "away.db").rename(store)
        until(service, lab, lambda now: now["vmwright_store_up",] == 1)


@pytest.mark.slow
def test_metrics_may_be_off(lab: Lab) -> None:
    with serving(lab, "[api]\nmetrics = off", answers=True) as service:
        assert asked(service, lab).status_code == 404
        assert service.stop() == 0


def assert_known_to_documents(families: list[Any]) -> None:
    """What is told is described, and what alerts ask for is told."""
    told = {
        sample.name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum")
        for family in families
        for sample in family.samples
        if sample.name.startswith("vmwright")
    }
    # Nothing is owed, and nothing that was built has ended meanwhile on a host.
    told |= {"vmwright_debts", "vmwright_debts_oldest_age_seconds", "vmwright_attempts_total"}
    described = (ROOT / "docs" / "how-to" / "observability.md").read_text()
    assert set(re.findall(r"`(vmwright_[a-z_]+)`", described)) == told
    rules = yaml.safe_load((ROOT / "contrib" / "prometheus" / "vmwright.rules.yml").read_text())
    asked_for = {
        name.removesuffix("_bucket")
        for group in rules["groups"]
        for rule in group["rules"]
        for name in re.findall(r"vmwright_[a-z_]+", rule["expr"])
    }
    assert len(asked_for) > 5
    assert asked_for <= told


def assert_well_named(family: Any) -> None:
    assert re.fullmatch(r"vmwright(_[a-z]+)+", family.name), family.name
    assert family.documentation.endswith("."), family.name
    assert not re.search(r"_(ms|minutes|hours|mib|gib|percent|counter|gauge)\b", family.name)
    if family.type == "histogram":
        assert family.name.endswith("_seconds")
    for sample in family.samples:
        assert (family.type == "counter") == sample.name.endswith("_total"), sample.name
        assert not {"id", "name", "instance", "operation"} & sample.labels.keys()
