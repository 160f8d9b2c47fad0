"""The graph of a flow is what TaskFlow will run, and that of an operation what it has run."""

from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from taskflow import engines, task
from taskflow.patterns import graph_flow, linear_flow, unordered_flow

from tests.support.random_flows import UNHURRIED, RandomFlow, random_flows
from tests.support.sample_graphs import (
    BEFORE_HOST,
    NO_SPACE,
    NOW,
    ON_HOST,
    START,
    Sample,
    delete_flow,
    done,
    done_create,
    empty_flow,
    facts,
    failed,
    plain_create,
    running_create,
    second_attempt,
    undoing,
    undone,
)
from vmwright.errors import UnknownFlow
from vmwright.states import Direction, NodeState, OperationState
from vmwright.views.graph import TaskRecord, critical_path, flow_graph, operation_graph, undone_by

CREATE_EDGES = {
    ("check_not_created", "check_image_size"): ((), True),
    ("check_image_size", "allocate_network"): ((), True),
    ("allocate_network", "claim_host"): ((), True),
    ("allocate_network", "plug_network"): (("network_info",), False),
    ("allocate_network", "spawn"): (("network_info",), False),
    ("claim_host", "plug_network"): (("host",), True),
    ("claim_host", "map_block_devices"): (("host",), True),
    ("claim_host", "spawn"): (("host",), False),
    ("claim_host", "mark_active"): (("host",), False),
    ("plug_network", "spawn"): (("interfaces",), True),
    ("map_block_devices", "spawn"): (("block_devices",), True),
    ("spawn", "mark_active"): (("power_state",), True),
}


def edges(graph: Any) -> dict[tuple[str, str], tuple[tuple[str, ...], bool]]:
    return {
        (one, other): (data["values"], data["order"]) for one, other, data in graph.edges.data()
    }


def test_tasks_are_nodes_in_the_order_of_the_flow():
    assert list(plain_create()) == [
        "check_not_created",
        "check_image_size",
        "allocate_network",
        "claim_host",
        "plug_network",
        "map_block_devices",
        "spawn",
        "mark_active",
    ]


def test_edges_are_direct_order_and_values():
    assert edges(plain_create()) == CREATE_EDGES


def test_layers_hold_what_may_run_side_by_side():
    layers = dict(plain_create().nodes.data("layer"))
    assert list(layers.values()) == [0, 1, 2, 3, 4, 4, 5, 6]


def test_node_says_what_its_task_needs_gives_and_does():
    node = plain_create().nodes["check_not_created"]
    assert node["requires"] == ("spec",)
    assert node["provides"] == ()
    assert node["doc"] == "Refuse if a domain with this uuid exists that is not ours."
    assert plain_create().nodes["spawn"]["provides"] == ("power_state",)


def test_inputs_are_those_of_the_flow_without_the_run():
    graph = plain_create()
    assert graph.name == "create"
    assert graph.graph["inputs"] == ("spec",)
    assert not any("run" in data["values"] for _, _, data in graph.edges.data())


def test_tasks_of_a_linear_subflow_share_its_scope():
    scopes = dict(plain_create().nodes.data("scope"))
    on_host = ["claim_host", "plug_network", "map_block_devices", "spawn"]
    assert [name for name, scope in scopes.items() if scope == "on_host"] == on_host
    assert {scope for name, scope in scopes.items() if name not in on_host} == {""}


def test_tasks_side_by_side_are_no_scope():
    assert set(dict(flow_graph(delete_flow()).nodes.data("scope")).values()) == {""}


def test_tasks_under_a_retry_carry_its_name():
    retries = dict(plain_create().nodes.data("retry"))
    assert retries["claim_host"] == retries["plug_network"] == "on_host_retry"
    assert retries["allocate_network"] == retries["mark_active"] == ""


def test_empty_flow_is_an_empty_graph():
    graph = flow_graph(empty_flow())
    assert list(graph) == []
    assert critical_path(graph) == []


def test_later_provider_hides_an_earlier_one():
    flow = linear_flow.Flow("f").add(
        Sample("first", "", "value"), Sample("second", "", "value"), Sample("third", "value")
    )
    assert edges(flow_graph(flow)) == {
        ("first", "second"): ((), True),
        ("second", "third"): (("value",), True),
    }


def test_value_of_either_of_two_siblings_comes_from_both():
    siblings = unordered_flow.Flow("s").add(Sample("a", "", "value"), Sample("b", "", "value"))
    graph = flow_graph(linear_flow.Flow("f").add(siblings, Sample("c", "value")))
    assert edges(graph) == {("a", "c"): (("value",), True), ("b", "c"): (("value",), True)}


def test_value_that_only_a_later_task_provides_is_no_edge_backwards():
    class Optional(task.Task):
        def execute(self, later: str = "") -> None: ...

    flow = linear_flow.Flow("f").add(Optional(name="early"), Sample("late", "", "later"))
    graph = flow_graph(flow)
    assert edges(graph) == {("early", "late"): ((), True)}
    assert graph.nodes["early"]["doc"] == ""


def test_optional_value_that_flows_is_an_edge():
    class Optional(task.Task):
        title = "Use it if it is there"

        def execute(self, value: str = "") -> None: ...

    graph = flow_graph(linear_flow.Flow("f").add(Sample("a", "", "value"), Optional(name="b")))
    assert edges(graph) == {("a", "b"): (("value",), True)}
    assert graph.nodes["b"]["title"] == "Use it if it is there"


def test_graph_flow_is_ordered_by_its_values():
    flow = graph_flow.Flow("f").add(Sample("last", "x"), Sample("first", "", "x"))
    assert list(flow_graph(flow)) == ["first", "last"]


@UNHURRIED
@given(random_flows())
def test_order_is_that_of_taskflow(sample: RandomFlow):
    graph = flow_graph(sample.flow)
    order = nx.DiGraph()
    order.add_nodes_from(graph)
    order.add_edges_from(pair for pair, (_, ordered) in edges(graph).items() if ordered)
    assert set(nx.transitive_closure_dag(order).edges) == sample.precedence
    assert set(nx.transitive_reduction(order).edges) == set(order.edges)
    for one, other in sample.precedence:
        assert graph.nodes[one]["layer"] < graph.nodes[other]["layer"]


@UNHURRIED
@given(random_flows())
def test_values_are_those_that_tasks_require_and_provide(sample: RandomFlow):
    found = {
        (one, other, value)
        for (one, other), (values, _) in edges(flow_graph(sample.flow)).items()
        for value in values
    }
    assert found == sample.values


@UNHURRIED
@given(random_flows())
def test_graph_agrees_with_the_compiled_flow(sample: RandomFlow):
    engine = engines.load(sample.flow)
    engine.compile()
    compiled = engine.compilation.execution_graph
    tasks = [node for node, kind in compiled.nodes.data("kind") if kind == "task"]
    assert set(flow_graph(sample.flow)) == {node.name for node in tasks}
    paths = {
        (one.name, other.name)
        for one in tasks
        for other in tasks
        if one is not other and nx.has_path(compiled, one, other)
    }
    assert paths == sample.precedence


def test_failure_undoes_all_that_ran_before():
    graph = plain_create()
    assert undone_by(graph, "check_not_created") == {"check_not_created"}
    assert undone_by(graph, "plug_network") == {
        "check_not_created",
        "check_image_size",
        "allocate_network",
        "claim_host",
        "plug_network",
    }
    assert undone_by(graph, "mark_active") == set(graph)


def test_critical_path_of_a_flow_is_the_one_with_most_tasks():
    chain = linear_flow.Flow("chain").add(Sample("a"), Sample("b"))
    graph = flow_graph(unordered_flow.Flow("f").add(Sample("alone"), chain))
    assert critical_path(graph) == ["a", "b"]
    assert dict(graph.nodes.data("critical")) == {"alone": False, "a": True, "b": True}
    assert graph.edges["a", "b"]["critical"]


def test_critical_path_of_an_operation_is_the_one_that_took_longest():
    graph = done_create()
    assert critical_path(graph) == [name for name in graph if name != "plug_network"]
    assert graph.edges["claim_host", "map_block_devices"]["critical"]
    assert not graph.edges["claim_host", "plug_network"]["critical"]
    assert not graph.edges["claim_host", "spawn"]["critical"]


def test_operation_leaves_the_graph_of_the_flow_alone():
    graph = plain_create()
    operation_graph(graph, ON_HOST, facts(OperationState.RUNNING), now=NOW)
    assert edges(graph) == CREATE_EDGES
    assert "state" not in graph.nodes["spawn"]
    assert "operation" not in graph.graph


def test_task_without_a_record_is_pending():
    node = running_create().nodes["spawn"]
    assert node["state"] is NodeState.PENDING
    assert (node["started_at"], node["duration"], node["error"]) == (None, None, None)


def test_running_task_has_taken_the_time_so_far():
    node = running_create().nodes["map_block_devices"]
    assert node["duration"] == 18.5
    assert node["progress"]["fraction"] == 0.62
    assert node["progress"]["note"] == "copying volume 2 of 3"


def test_task_of_an_operation_in_nobodys_hands_takes_no_time():
    tasks = [TaskRecord(task="spawn", state=NodeState.RUNNING, started_at=START)]
    graph = operation_graph(plain_create(), tasks, facts(OperationState.INTERRUPTED), now=NOW)
    assert graph.nodes["spawn"]["duration"] is None


def test_undo_has_a_time_of_its_own():
    tasks = [undone(ON_HOST[1], 13, 0.4), undoing(ON_HOST[2], 14)]
    graph = operation_graph(plain_create(), tasks, facts(OperationState.UNDOING), now=NOW)
    plugged, mapped = graph.nodes["plug_network"], graph.nodes["map_block_devices"]
    assert (plugged["duration"], plugged["undo_duration"]) == (2.9, 0.4)
    assert (mapped["duration"], mapped["undo_duration"]) == (6.2, 6.0)
    assert mapped["direction"] is Direction.REVERT


def test_error_is_on_the_node():
    record = failed(ON_HOST[3], NO_SPACE)
    graph = operation_graph(plain_create(), [record], facts(OperationState.RUNNING), now=NOW)
    assert graph.nodes["spawn"]["error"] == NO_SPACE


def test_clock_that_went_back_gives_no_negative_time():
    record = done("spawn", 10, -3)
    graph = operation_graph(plain_create(), [record], facts(OperationState.DONE), now=NOW)
    assert graph.nodes["spawn"]["duration"] == 0.0


def test_elapsed_is_from_the_first_start_to_the_last_end():
    assert done_create().graph["elapsed"] == pytest.approx(12.32)
    assert running_create().graph["elapsed"] == 20.0


def test_tasks_that_the_next_attempt_has_not_reached_are_pending():
    graph = second_attempt()
    assert graph.nodes["claim_host"]["attempt"] == 2
    assert graph.nodes["spawn"]["state"] is NodeState.PENDING
    assert graph.nodes["spawn"]["attempt"] == 2
    assert graph.nodes["allocate_network"]["state"] is NodeState.SUCCESS


def test_highest_attempt_of_a_task_counts():
    tasks = [done("spawn", 9, 1, attempt=2), failed(done("spawn", 1, 1), NO_SPACE)]
    graph = operation_graph(plain_create(), tasks, facts(OperationState.DONE), now=NOW)
    assert graph.nodes["spawn"]["state"] is NodeState.SUCCESS


def test_record_of_an_unknown_task_is_refused():
    graph = flow_graph(delete_flow())
    with pytest.raises(UnknownFlow, match="check_not_created"):
        operation_graph(graph, BEFORE_HOST, facts(OperationState.DONE), now=NOW)
