"""The log of a real service: every line that concerns an operation says which one."""

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from tests.support import hooks
from tests.support.lab import MARKER, Lab
from tests.support.serving import Service, serving

TALKATIVE = """
import logging
from vmwright.tasks.task import Task

class Telling(Task):
    task_name = "tell"

    def execute(self, run, spec, base_image):
        logging.getLogger("vmwright.of_a_hook").warning("it is told")

    def revert(self, **others):
        pass
"""
"""A hook that knows nothing of operations."""


def lines(service: Service) -> list[dict[str, Any]]:
    return [json.loads(line) for line in service.log.read_text().splitlines()]


def test_lines_of_a_build_and_of_its_libraries_name_it(lab: Lab, tmp_path: Path) -> None:
    faults = ("ensure_running:1+:refuse", "ensure_no_domain:1+:refuse")
    lab = replace(lab.with_faults(*faults), undo_tries=1)
    text = "log_format = json\n[hooks]\npre_create = tell"
    points = {"vmwright.hooks.pre_create": {"tell": "telling_hook:Telling"}}
    project = {"name": "telling", "version": "1", "entry-points": points}
    hooks.install(tmp_path / "site", "telling_hook", TALKATIVE, project)
    with serving(lab, text, answers=True, PYTHONPATH=str(tmp_path / "site")) as service:
        token = (lab.home / "token").read_text().strip()
        with httpx.Client(
            base_url=service.url, headers={"Authorization": f"Bearer {token}"}
        ) as client:
            wish = {"image": "demo", "flavor": "small", "networks": [{"network": "net1"}]}
            wish |= {"name": "vm", "admin_password": "Mark5-of-a-password"}
            headers = {"X-Request-ID": "mine-1"}
            accepted = client.post(
                "/v1/instances?word=Mark6-of-a-query", json=wish, headers=headers
            )
            assert accepted.headers["X-Request-ID"] == "mine-1"
            operation = accepted.headers["Location"].rpartition("/")[2]
            client.get(f"/v1/operations/{operation}", headers={"X-Request-ID": "no\tid"})
            client.get("/v1/nothing/Mark7-of-a-path")
            client.request("BREW", "/healthz")
        while state_of(lab) != "stuck":
            assert service.process.poll() is None, service.log.read_text()
            threading.Event().wait(0.05)
        assert service.stop() == 0
    text, told = service.log.read_text(), lines(service)
    assert not any(word in text for word in ("Mark5", "Mark6", "Mark7", token, MARKER.decode()))
    (row,) = lab.rows("SELECT instance_id FROM vmwright_operations")
    whose = {"operation_id": operation, "instance_id": row["instance_id"]}
    (library,) = [one for one in told if one["logger"] == "vmwright.of_a_hook"]
    assert library.items() >= (whose | {"task": "pre.tell", "message": "it is told"}).items()
    (blocked,) = [one for one in told if one["logger"] == "vmwright.runner.executor"]
    assert blocked.items() >= (whose | {"task": "spawn", "host": "host1"}).items()
    assert all(one.items() >= whose.items() for one in told if operation in one["message"])
    assert_access(told, operation)


def assert_access(told: list[dict[str, Any]], operation: str) -> None:
    created, shown, nothing, *_ = [one for one in told if one["logger"] == "vmwright.api.access"]
    who = {"user": "admin", "project": "default", "client": "127.0.0.1"}
    asked = {"method": "POST", "route": "/v1/instances", "status": 202, "request_id": "mine-1"}
    assert created.items() >= (who | asked).items()
    assert created["ms"] > 0
    asked = {"route": "/v1/operations/{operation}", "operation_id": operation, "status": 200}
    assert shown.items() >= asked.items()
    assert len(shown["request_id"]) == 36
    assert (nothing["route"], nothing["status"]) == ("unknown", 404)


def state_of(lab: Lab) -> str:
    return str(lab.rows("SELECT state FROM vmwright_operations")[0]["state"])
