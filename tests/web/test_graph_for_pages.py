"""What the page draws a graph from: where its parts lie, and what has happened so far."""

from datetime import UTC, datetime

from tests.support.sample_graphs import real
from vmwright.flows import newest
from vmwright.ids import InstanceId, OperationId
from vmwright.persistence.records import Event
from vmwright.views.as_page import CARD, document
from vmwright.views.graph import Graph


def told(*kinds: str) -> list[Event]:
    return [
        Event(
            seq=seq,
            operation_id=OperationId("o"),
            instance_id=InstanceId("i"),
            kind=kind,
            task="spawn",
            state=kind,
            at=float(seq),
        )
        for seq, kind in enumerate(kinds, 1)
    ]


def drawn(*kinds: str) -> Graph:
    graph = real(newest("create"))
    graph.graph.update(events=told(*kinds), now=datetime(2026, 3, 1, tzinfo=UTC))
    return graph


def test_where_things_lie_depends_on_the_flow_only() -> None:
    before, after = document(drawn()), document(drawn("task", "progress"))
    assert before["layout"] is after["layout"]
    boxes = before["layout"]["boxes"]
    assert list(boxes) == [node["id"] for node in before["nodes"]]
    assert {(box["width"], box["height"]) for box in boxes.values()} == {CARD}


def test_arrows_can_be_drawn_backwards() -> None:
    layout = document(drawn())["layout"]
    for route in layout["routes"]:
        source, target = layout["boxes"][route["source"]], layout["boxes"][route["target"]]
        ends = [route[way]["head"].split(" ")[0].split(",") for way in ("forwards", "backwards")]
        forwards, backwards = [float(y) for _, y in ends]
        assert target["top"] <= forwards <= target["top"] + target["height"]
        assert source["top"] <= backwards <= source["top"] + source["height"]


def test_only_the_latest_progress_is_among_the_events() -> None:
    page = document(drawn("task", "progress", "progress", "instance", "progress", "unheard"))
    assert [event["seq"] for event in page["events"]] == [1, 4, 5]
    assert page["position"] == 6
