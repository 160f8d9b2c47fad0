"""Who may ask a service what: tokens, and the things of other projects."""

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import lab as labs
from tests.support.answering import Answering, answering, operation_of, wish
from tests.support.any_key import ssh_public_key
from tests.support.command_line import CommandLine
from tests.support.lab import Lab

OPEN = {"/healthz", "/readyz"}
"""What answers without a token."""

MEMBER = {"project": "elsewhere", "user": "stranger", "roles": ["member", "reader"]}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answering]:
    with answering(Lab(tmp_path_factory.mktemp("api")).prepared()) as running:
        yield running


@pytest.fixture(scope="module")
def routes(service: Answering) -> list[tuple[str, str]]:
    """Every method at every path that is described, with something for each part of it."""
    with service.asked_by(None) as client:
        described = client.get("/v1/openapi.json").json()
    return [
        (method.upper(), re.sub(r"\{\w+\}", "something", path))
        for path, methods in described["paths"].items()
        for method in methods
    ]


@pytest.mark.parametrize("token", [None, "wrong"])
def test_nobody_without_a_known_token_is_answered(
    service: Answering, routes: list[tuple[str, str]], token: str | None
) -> None:
    before = service.lab.all_rows()
    with service.asked_by(token) as client:
        for method, path in routes:
            answer = client.request(method, path)
            if path in OPEN:
                assert answer.status_code == 200, path
                continue
            assert answer.status_code == 401, (method, path)
            assert answer.json()["code"] == "Unauthenticated"
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    after = service.lab.all_rows()
    assert {k: v for k, v in after.items() if "owners" not in k} == {
        k: v for k, v in before.items() if "owners" not in k
    }


def test_things_of_other_projects_are_not_found(service: Answering) -> None:
    with service.asked_by(service.token) as ours:
        operation = operation_of(ours.post("/v1/instances", json=wish(name="ours")))
        assert ours.get(f"/v1/operations/{operation}?wait=60").json()["state"] == "done"
        key = {"name": "key", "public_key": ssh_public_key()}
        group = ours.post("/v1/security-groups", json={"name": "group"}).json()["id"]
        rule = ours.get(f"/v1/security-groups/{group}").json()["rules"][0]["id"]
        things = {
            "instances": ours.get("/v1/instances/ours").json()["id"],
            "operations": operation,
            "volumes": ours.get("/v1/volumes/kept").json()["id"],
            "ports": ours.get("/v1/ports/mine").json()["id"],
            "keypairs": ours.post("/v1/keypairs", json=key).json()["id"],
            "security-groups": group,
            "security-group-rules": rule,
            "server-groups": ours.post(
                "/v1/server-groups", json={"name": "apart", "policy": "anti-affinity"}
            ).json()["id"],
        }
    with service.asked_by(service.token_of("stranger", **MEMBER)) as theirs:
        for noun, thing in things.items():
            assert theirs.get(f"/v1/{noun}/{thing}").status_code == 404, noun
            if noun != "operations":
                assert theirs.delete(f"/v1/{noun}/{thing}").status_code == 404, noun
            if noun not in ("security-groups", "security-group-rules"):
                assert theirs.get(f"/v1/{noun}").json() == [], noun
        asked = f"/v1/operations/{operation}"
        for verb, body in VERBS.items():
            assert theirs.post(f"{asked}/{verb}", json=body).status_code == 404, verb
        for more in ("/graph", "/events", "?wait=1"):
            assert theirs.get(asked + more).status_code == 404, more
        assert theirs.get(f"/v1/instances/{things['instances']}/console").status_code == 404
        for filter in (f"before={operation}", f"instance={things['instances']}"):
            found = theirs.get(f"/v1/operations?{filter}")
            assert found.status_code == 404 or found.json() == []
        assert sum(theirs.get("/v1/operations/counts").json()["states"].values()) == 0
        assert theirs.post("/v1/resume").json() == []


VERBS = {
    "cancel": {},
    "resume": None,
    "retry": None,
    "skip": {"task": "spawn", "why": "why"},
    "abandon": {"why": "why"},
}


def test_members_do_not_operate_the_deployment(service: Answering) -> None:
    with service.asked_by(service.token_of("member", **MEMBER)) as member:
        assert member.get("/v1/me").json()["operates"] is False
        flavor = {"name": "new", "vcpus": 1, "ram_mib": 1, "disk_gib": 1}
        for answer in (
            member.post("/v1/flavors", json=flavor),
            member.post("/v1/images?name=new", content=b"x"),
            member.get("/v1/tokens"),
            member.post("/v1/tokens", json={"name": "more"}),
            member.get("/v1/audit"),
            member.get("/v1/debts"),
            member.get("/v1/quotas/default"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "Forbidden")


def test_a_token_is_told_once_and_kept_as_its_digest(service: Answering) -> None:
    token = service.token_of("told", roles=["reader"])
    with service.asked_by(service.token) as client:
        known = client.get("/v1/tokens/told")
        assert token not in known.text
        assert token not in client.get("/v1/tokens").text
        assert client.post("/v1/tokens", json={"name": "told"}).status_code == 409
    home = service.lab.home
    assert not [
        path for path in home.rglob("*") if path.is_file() and token.encode() in path.read_bytes()
    ]


def test_a_deleted_token_is_known_no_more_also_where_something_streams(
    service: Answering,
) -> None:
    with (
        service.asked_by(service.token_of("leaving", **MEMBER)) as leaving,
        service.asked_by(service.token) as ours,
        leaving.stream("GET", "/v1/events") as stream,
    ):
        lines = stream.iter_lines()
        assert next(lines) == ": hello"
        assert ours.delete("/v1/tokens/leaving").status_code == 204
        assert leaving.get("/v1/me").status_code == 401
        assert not [line for line in lines if line]


def test_who_waits_is_told_nothing_once_the_token_is_gone(lab: Lab) -> None:
    with answering(lab, words=("--no-run", "--no-upkeep")) as running:
        token = running.token_of("waiting")
        with (
            running.asked_by(running.token) as ours,
            running.asked_by(token) as waiting,
            ThreadPoolExecutor(1) as pool,
        ):
            operation = operation_of(ours.post("/v1/instances", json=wish()))
            answer = pool.submit(waiting.get, f"/v1/operations/{operation}?wait=60")
            assert ours.delete("/v1/tokens/waiting").status_code == 204
            assert lab.child(labs.resume).status == 0
            assert answer.result().status_code == 401


def test_a_token_that_is_over_is_known_no_more(service: Answering) -> None:
    command = CommandLine(service.lab.home)
    words = ("token", "create", "brief", "--expires-in", "1", "--role", "reader", "-f", "json")
    made = json.loads(command(*words).out)
    with service.asked_by(made["token"]) as brief:
        pause = threading.Event()
        while brief.get("/v1/me").status_code == 200:
            pause.wait(0.1)
        assert brief.get("/v1/me").status_code == 401
    tokens = json.loads(command("token", "list", "-f", "json").out)
    listed = {one["name"]: one["roles"] for one in tokens}
    assert listed["brief"] == ["reader"]
    assert command("token", "delete", "brief").code == 0


def test_only_an_administrator_makes_one(service: Answering, tmp_path) -> None:
    """Whom a policy lets operate is none for that."""
    rules = tmp_path / "policy.yaml"
    rules.write_text('"vmwright:operate": "role:operator or role:admin"\n')
    lab = Lab(tmp_path / "lab")
    lab.home.mkdir()
    with answering(lab, f"[DEFAULT]\npolicy_file = {rules}\n") as running:
        operator = running.token_of("operator", roles=["operator"])
        with running.asked_by(operator) as client:
            assert client.post("/v1/tokens", json={"name": "same"}).status_code == 201
            more = client.post("/v1/tokens", json={"name": "more", "roles": ["admin"]})
            assert more.status_code == 403
