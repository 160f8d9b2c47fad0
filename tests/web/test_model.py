"""A graph that goes on in the browser is the server's: the same states after the same events."""

import json
import random
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.sample_graphs import INSTANCE, OPERATION, RECORDINGS, START, real
from vmwright.flows import newest
from vmwright.states import OperationState
from vmwright.views.as_json import document
from vmwright.views.graph import Graph, OperationFacts, operation_graph
from vmwright.views.records import records_of

FLOW = real(newest("create"))
TASKS = list(FLOW)
NOW = START + timedelta(seconds=600)
ERROR = {"code": "Refused", "message": "no", "hint": "", "host": "host1"}
NAMES = {
    "startedAt": "started_at",
    "finishedAt": "finished_at",
    "revertStartedAt": "revert_started_at",
    "revertFinishedAt": "revert_finished_at",
}

Events = list[dict[str, Any]]


def recorded() -> Events:
    events = json.loads((RECORDINGS / "second_attempt.json").read_text())
    return [{**event, "at": later(event["at"])} for event in events]


def later(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def made_up(seed: int) -> Iterator[dict[str, Any]]:
    """Anything that could be told of tasks, also in orders in which no run tells it."""
    chosen = random.Random(seed)
    for number in range(1, chosen.randint(2, 40)):
        kind = chosen.choice(["task"] * 5 + ["progress", "owner", "instance"])
        direction = chosen.choice(["execute", "execute", "revert"])
        words = ["RUNNING", "SUCCESS", "FAILURE"] + ["REVERTING", "REVERTED"] * (
            direction == "revert"
        )
        yield {
            "seq": number,
            "kind": kind,
            "task": chosen.choice(TASKS[:4]) if kind in ("task", "progress") else None,
            "attempt": chosen.choice([1, 1, 1, 2]),
            "direction": direction if kind == "task" else None,
            "state": chosen.choice(words) if kind == "task" else kind,
            "at": later(number * 1.25),
            "error": ERROR if kind == "task" and chosen.random() < 0.2 else None,
            "detail": {"fraction": chosen.random(), "note": "x"} if kind == "progress" else None,
        }


def histories() -> list[Events]:
    told = recorded()
    prefixes = [told[:end] for end in range(len(told) + 1)]
    return prefixes + [list(made_up(seed)) for seed in range(80)]


def server_says(events: Events, state: OperationState) -> dict[str, Any]:
    rows = [{**event, "at": datetime.fromisoformat(event["at"])} for event in events]
    facts = OperationFacts(id=OPERATION, kind="create", state=state, instance=INSTANCE)
    return document(operation_graph(FLOW, records_of(rows), facts, now=NOW))


def page_says(graph: Graph, cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    drawn = document(graph)
    known = {"nodes": drawn["nodes"], "edges": drawn["edges"], "cases": cases}
    answer = subprocess.run(
        ["node", Path(__file__).with_name("model.mjs")],
        input=json.dumps(known),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    said: list[dict[str, Any]] = json.loads(answer.stdout)
    return said


def as_page(node: dict[str, Any]) -> dict[str, Any]:
    """A node of the server's JSON in the page's words."""
    facts = {name: node[name] for name in ("state", "direction", "attempt", "duration")}
    facts["error"] = json.dumps(node["error"])
    times = {ours: milliseconds(node[theirs]) for ours, theirs in NAMES.items()}
    share = node["progress"] and node["progress"]["fraction"]
    return {**facts, **times, "undoDuration": node["undo_duration"], "share": share}


def milliseconds(text: str | None) -> int | None:
    return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.fixture(scope="module")
def said() -> list[tuple[Events, OperationState, dict[str, Any]]]:
    """Each history with what the page makes of it, as of a run and of one that has ended."""
    told = [
        (events, state)
        for events in histories()
        for state in (OperationState.RUNNING, OperationState.UNDONE)
    ]
    now = round(NOW.timestamp() * 1000)
    cases = [{"events": events, "state": state, "now": now} for events, state in told]
    answers = page_says(FLOW, cases)
    return [(*case, answer) for case, answer in zip(told, answers, strict=True)]


def test_page_says_of_each_task_what_the_server_says(said: Any) -> None:
    for events, state, answer in said:
        server = server_says(events, state)
        for node, task in zip(server["nodes"], answer["tasks"], strict=True):
            share = task["progress"] and task["progress"]["fraction"]
            shown = task | {"share": share, "error": json.dumps(task["error"])}
            wanted = as_page(node)
            assert {name: shown[name] for name in wanted} == pytest.approx(wanted), events
        assert answer["elapsed"] == pytest.approx(server["elapsed"])


def test_timeline_holds_every_span_in_order_and_within_its_axis(said: Any) -> None:
    for _events, _state, answer in said:
        first, last = answer["extent"]
        for row in answer["rows"]:
            times = [time for span in row["spans"] for time in (span["start"], span["end"])]
            known = [time for time in times if time is not None]
            assert known == sorted(known)
            assert all(first <= time <= last for time in known)


def test_timeline_shows_each_attempt_and_the_undo_between(said: Any) -> None:
    whole = next(answer for events, _, answer in said if len(events) == len(recorded()))
    spans = {row["id"]: row["spans"] for row in whole["rows"]}
    done = [(one["kind"], one["attempt"], one["state"]) for one in spans["map_block_devices"]]
    assert [one for one in done if one[0] != "wait"] == [
        ("run", 1, "FAILURE"),
        ("undo", 1, "REVERTED"),
        ("run", 2, "SUCCESS"),
    ]
    as_a_whole = [one["state"] for one in spans[None]]
    assert as_a_whole == ["queued", "running", "undoing", "running"]
