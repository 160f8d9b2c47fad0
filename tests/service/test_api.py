"""What a service answers on HTTP, asked as strangers ask it: over a socket."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support import lab as labs
from tests.support.answering import Answering, answering, operation_of, told, wish
from tests.support.lab import Lab

_WAITING = 60
"""More than the threads that FastAPI has for routes."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answering]:
    with answering(Lab(tmp_path_factory.mktemp("api"), latency="*:0.01").prepared()) as running:
        yield running


@pytest.fixture
def client(service: Answering) -> Iterator[httpx.Client]:
    with service.asked_by(service.token) as client:
        yield client


def settled(client: httpx.Client, operation: str) -> dict[str, object]:
    found: dict[str, object] = client.get(f"/v1/operations/{operation}?wait=60").json()
    return found


def test_a_build_is_accepted_told_and_taken_away_again(client: httpx.Client) -> None:
    operation = operation_of(client.post("/v1/instances", json=wish(name="web")))
    with client.stream("GET", f"/v1/operations/{operation}/events") as stream:
        events = [
            (told_["kind"], told_["state"]) for _, told_ in until_over(told(stream.iter_lines()))
        ]
    assert events[-1] == ("operation", "done")
    assert ("instance", "spawning") in events
    ended = client.get(f"/v1/operations/{operation}").json()
    assert (ended["state"], ended["instance_name"], ended["host"]) == ("done", "web", "host1")
    found = client.get("/v1/instances/web").json()
    assert (found["vm_state"], found["operation_id"]) == ("active", operation)
    gone = operation_of(client.delete("/v1/instances/web"))
    assert settled(client, gone)["state"] == "done"
    assert client.get("/v1/instances/web").status_code == 404


def until_over(events: Iterator[tuple[str, dict[str, object]]]) -> Iterator[tuple[str, dict]]:
    for kind, event in events:
        yield kind, event
        if kind == "operation" and event["state"] == "done":
            return


def test_the_same_key_asks_for_the_same_build(client: httpx.Client) -> None:
    key = {"Idempotency-Key": "once"}
    first = client.post("/v1/instances", json=wish(name="once"), headers=key)
    again = client.post("/v1/instances", json=wish(name="once"), headers=key)
    assert operation_of(first) == operation_of(again)
    other = client.post("/v1/instances", json=wish(name="other"), headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "Conflict")


def test_several_requests_are_accepted_together_or_not_at_all(client: httpx.Client) -> None:
    both = {"requests": [wish(name="pair", min_count=2), wish(name="alone")]}
    accepted = client.post("/v1/reservations", json=both)
    operation_of(accepted)
    names = [[one["instance"]["name"] for one in each["instances"]] for each in accepted.json()]
    assert names == [["pair-1", "pair-2"], ["alone"]]
    bad = {"requests": [wish(name="never"), wish(name="never", image="none")]}
    assert client.post("/v1/reservations", json=bad).status_code == 404
    assert client.get("/v1/instances?text=never").json() == []


def test_pages_lead_from_one_to_the_next_until_all_was_seen(client: httpx.Client) -> None:
    several = {"requests": [wish(name=f"Page{number}") for number in range(5)]}
    for each in client.post("/v1/reservations", json=several).json():
        settled(client, each["instances"][0]["operation"]["id"])
    wanted = [f"Page{number}" for number in range(5)]
    forwards = pages(client, "/v1/instances?text=pAGE&vm_state=active&host=host1&limit=2")
    assert [one["name"] for page in forwards for one in page] == wanted
    backwards = pages(client, "/v1/operations?text=page&kind=create&host=host1&state=done&limit=2")
    assert [one["instance_name"] for page in backwards[::-1] for one in page] == wanted
    assert [len(page) for page in backwards] == [2, 2, 1]
    of_one = client.get("/v1/operations", params={"instance": "Page3"}).json()
    assert [one["instance_name"] for one in of_one] == ["Page3"]
    counts = client.get("/v1/operations/counts").json()["states"]
    assert counts["done"] >= 5


def pages(client: httpx.Client, address: str) -> list[list[dict[str, object]]]:
    found = []
    while True:
        answer = client.get(address)
        found.append(answer.json())
        if "next" not in answer.links:
            return found
        address = answer.links["next"]["url"]


def test_names_may_hold_a_slash(client: httpx.Client) -> None:
    body = {"name": "large/fast", "vcpus": 2, "ram_mib": 256, "disk_gib": 1}
    made = client.post("/v1/flavors", json=body)
    assert made.status_code == 201
    assert client.get("/v1/flavors/large%2Ffast").json() == made.json()
    assert client.delete("/v1/flavors/large%2ffast").status_code == 204


def test_errors_say_what_is_wrong_and_repeat_nothing(client: httpx.Client) -> None:
    secret = "s3cret-\u00e9"
    refused = client.post("/v1/instances", json=wish(admin_password=[secret]))
    assert refused.status_code == 400
    assert refused.headers["Content-Type"] == "application/problem+json"
    problem = refused.json()
    assert (problem["code"], problem["status"]) == ("InvalidRequest", 400)
    assert "admin_password" in problem["detail"]
    assert "s3cret" not in refused.text
    plain = client.post("/v1/instances", content=b"{}", headers={"Content-Type": "text/plain"})
    assert plain.status_code == 400
    nothing = client.put("/v1/flavors/small")
    assert (nothing.status_code, nothing.headers["Allow"]) == (405, "DELETE, GET, PATCH")


def test_foreign_host_names_and_endless_bodies_are_refused(client: httpx.Client) -> None:
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 400
    assert client.get("/healthz", headers={"Host": "localhost:80"}).status_code == 200
    longer = b"x" * (16 * 2**20 + 1)
    assert client.post("/v1/plan", content=longer).status_code == 413
    json = {"Content-Type": "application/json"}
    unknown_length = client.post("/v1/plan", content=iter([longer]), headers=json)
    assert unknown_length.status_code == 413


def test_a_console_is_shown_to_all_who_want_to_see_it(client: httpx.Client) -> None:
    settled(client, operation_of(client.post("/v1/instances", json=wish(name="seen"))))

    def read(_: int) -> bytes:
        with client.stream("GET", "/v1/instances/seen/console") as stream:
            shown = b""
            for piece in stream.iter_bytes():
                shown += piece
                if b"GUEST-READY" in shown:
                    break
        return shown

    with ThreadPoolExecutor(2) as readers:
        assert all(b"GUEST-INIT" in shown for shown in readers.map(read, range(2)))
    assert client.get("/v1/instances/nobody/console").status_code == 404


def test_who_waits_holds_no_thread_and_hears_of_what_others_run(lab: Lab) -> None:
    """Nothing runs here: another process builds what was accepted."""
    with (
        answering(lab, words=("--no-run", "--no-upkeep")) as running,
        running.asked_by(running.token, limits=httpx.Limits(max_connections=None)) as client,
        ThreadPoolExecutor(_WAITING) as pool,
    ):
        assert client.get("/v1/me").json()["runs"] is False
        operation = operation_of(client.post("/v1/instances", json=wish()))
        begun = threading.Barrier(_WAITING + 1)

        def wait(_: int) -> object:
            begun.wait()
            return settled(client, operation)["state"]

        waiting = pool.map(wait, range(_WAITING))
        begun.wait()
        assert client.get(f"/v1/operations/{operation}").json()["state"] == "queued"
        assert lab.child(labs.resume).status == 0
        assert set(waiting) == {"done"}
        assert client.get("/readyz").json() == {"status": "ok"}
        (lab.home / "store.db").rename(lab.home / "away.db")
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
        assert running.service.stop() == 0
