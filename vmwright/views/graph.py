"""The graph of a flow, and of an operation that runs it: order, values, states and durations."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, pairwise
from typing import Any, TypeAlias

import networkx as nx
from taskflow import engines
from taskflow.flow import Flow
from taskflow.patterns import linear_flow

from vmwright.errors import UnknownFlow
from vmwright.progress import Progress
from vmwright.states import HELD, Direction, NodeState, OperationState

Graph: TypeAlias = "nx.DiGraph[str]"

TRANSIENT = "run"
"""The name under which every task is given the run it belongs to: never a value that flows."""

_TIE = 1e-9
"""Seconds. Below the clock's resolution: of equally long paths, the one with more tasks wins."""


@dataclass(frozen=True, kw_only=True)
class TaskRecord:
    """What is known of one task of an operation: its latest attempt, and the undo of it."""

    task: str
    attempt: int = 1
    state: NodeState = NodeState.PENDING
    direction: Direction = Direction.EXECUTE
    started_at: datetime | None = None
    finished_at: datetime | None = None
    revert_started_at: datetime | None = None
    revert_finished_at: datetime | None = None
    error: Mapping[str, Any] | None = None
    """``code``, ``message`` and ``hint``, as `VmwrightError.to_store` gives them."""
    progress: Progress | None = None


@dataclass(frozen=True, kw_only=True)
class OperationFacts:
    """What is known of an operation as a whole."""

    id: str
    kind: str
    state: OperationState
    instance: str
    attempt: int = 1
    owes: Sequence[str] = ()
    """Each debt in words, as `Removal.describe` gives them."""
    instance_name: str = ""
    attempts: Sequence[Mapping[str, Any]] = ()
    """Each try on a host, as `describe_operation` tells it."""


def flow_graph(flow: Any) -> Graph:
    """The tasks of a TaskFlow flow: who runs before whom, and who hands which values to whom.

    Nodes are task names in the order of the flow, with ``layer`` (0 runs first), ``requires``,
    ``provides``, ``doc``, ``title``, ``scope`` (the part of the flow that it belongs to: a linear
    subflow of it, or ""), ``retry`` (the name of what may run it again elsewhere, or "") and
    ``gives_back`` (what its undo gives back, in words).
    Edges carry ``values`` (sorted names, () if only order) and ``order`` (False where the value
    skips tasks in between). The graph carries ``name`` and ``inputs``.
    """
    engine = engines.load(flow)
    engine.compile()
    compiled = engine.compilation
    tasks, precedence = _tasks_in_order(compiled)
    graph: Graph = nx.DiGraph(name=flow.name, inputs=_names(flow.requires))
    scopes, retries = _scopes(flow), compiled.execution_graph.nodes.data("retry")
    for task in tasks:
        retry = "" if retries[task] is None else retries[task].name
        scope = scopes.get(task.name, "")
        graph.add_node(task.name, **_facts_of(task, tasks), scope=scope, retry=retry)
    _connect(graph, precedence)
    for layer, names in enumerate(nx.topological_generations(graph)):
        for name in names:
            graph.nodes[name]["layer"] = layer
    _mark_critical(graph)
    return graph


def operation_graph(
    graph: Graph, tasks: Iterable[TaskRecord], facts: OperationFacts, *, now: datetime
) -> Graph:
    """A copy of a flow's graph with what happened to each task, as of `now`.

    Each node gains ``state``, ``direction``, ``attempt``, the four times, ``duration`` and
    ``undo_duration`` (seconds, or None if unknown), ``error`` (dict or None) and ``progress``.
    The graph gains ``operation`` (the facts) and ``elapsed`` (seconds from the first start to
    the last end). Raises `UnknownFlow` if a record names a task that the flow does not have.
    """
    drawn = graph.copy()
    alive = facts.state in HELD
    clock = now if alive else None
    latest = _latest(drawn, tasks, facts)
    for name, record in latest.items():
        drawn.nodes[name].update(_state_of(record, clock))
    drawn.graph.update(operation=facts, elapsed=_elapsed(latest.values(), clock))
    _mark_critical(drawn)
    return drawn


def critical_path(graph: Graph) -> list[str]:
    """The longest path by duration; by number of tasks where no duration is known."""
    cost = _costs(graph)
    weighted: nx.DiGraph[str | int] = nx.DiGraph()
    # An edge weighs what its target takes; the tasks that run first need an edge from somewhere.
    weighted.add_weighted_edges_from((0, name, cost[name]) for name in graph)
    weighted.add_weighted_edges_from((one, other, cost[other]) for one, other in graph.edges)
    return [name for name in nx.dag_longest_path(weighted) if isinstance(name, str)]


def undone_by(graph: Graph, task: str) -> set[str]:
    """What a failure of this task takes back: the task and all that ran before it.

    Tasks that may run beside it are not in the set; they are taken back too if they had begun.
    """
    return nx.ancestors(graph, task) | {task}


def beside(graph: Graph) -> list[tuple[str, str]]:
    """Every pair of tasks that may be under way at the same time, in the order of the graph."""
    return [
        (one, other)
        for one, other in combinations(graph, 2)
        if not nx.has_path(graph, one, other) and not nx.has_path(graph, other, one)
    ]


def _tasks_in_order(compiled: Any) -> "tuple[list[Any], nx.DiGraph[str]]":
    """The tasks as the flow names them, and which precedes which, directly or not."""
    execution: nx.DiGraph[Any] = nx.DiGraph()
    execution.add_nodes_from(compiled.execution_graph)
    execution.add_edges_from(compiled.execution_graph.edges)
    place = {node: index for index, node in enumerate(execution)}
    kinds = compiled.execution_graph.nodes.data("kind")
    tasks = [
        node
        for node in nx.lexicographical_topological_sort(execution, key=place.__getitem__)
        if kinds[node] == compiled.TASK
    ]
    between = nx.transitive_closure_dag(execution).subgraph(tasks)
    precedence: nx.DiGraph[str] = nx.DiGraph()
    precedence.add_nodes_from(task.name for task in tasks)
    precedence.add_edges_from((one.name, other.name) for one, other in between.edges)
    return tasks, precedence


def _scopes(flow: Any) -> dict[str, str]:
    """The linear subflow that each task lies in. Tasks side by side need no name for that."""
    parts = [part for part in flow if isinstance(part, linear_flow.Flow)]
    return {name: part.name for part in parts for name in _names_in(part)}


def _names_in(flow: Any) -> list[str]:
    names: list[str] = []
    for child in flow:
        names += _names_in(child) if isinstance(child, Flow) else [child.name]
    return names


def _facts_of(task: Any, tasks: Sequence[Any]) -> dict[str, Any]:
    made = {name for other in tasks for name in other.provides}
    used = set(task.requires) | (set(task.optional) & made)
    doc = inspect.cleandoc(type(task).__doc__ or "")
    return {
        "requires": _names(used),
        "provides": _names(task.provides),
        "doc": doc.partition("\n")[0],
        "title": getattr(task, "title", ""),
        "gives_back": getattr(task, "gives_back", ""),
    }


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names) - {TRANSIENT}))


def _connect(graph: Graph, precedence: "nx.DiGraph[str]") -> None:
    """Add an edge for each direct precedence, and one for each pair that a value connects."""
    direct = nx.transitive_reduction(precedence)
    for consumer in graph:
        before = [name for name in graph if precedence.has_edge(name, consumer)]
        for provider in before:
            values = [
                value
                for value in graph.nodes[consumer]["requires"]
                if provider in _providers(graph, precedence, before, value)
            ]
            order = direct.has_edge(provider, consumer)
            if order or values:
                graph.add_edge(provider, consumer, values=tuple(values), order=order)


def _providers(
    graph: Graph, precedence: "nx.DiGraph[str]", before: Sequence[str], value: str
) -> set[str]:
    """The nearest of the tasks before that provide a value: a later one hides earlier ones."""
    makers = {name for name in before if value in graph.nodes[name]["provides"]}
    return {name for name in makers if not makers & set(precedence.successors(name))}


def _latest(
    graph: Graph, tasks: Iterable[TaskRecord], facts: OperationFacts
) -> dict[str, TaskRecord]:
    """One record for each task of the graph; the highest attempt where there are several."""
    records = {name: TaskRecord(task=name) for name in graph}
    for record in sorted(tasks, key=lambda one: one.attempt):
        if record.task not in records:
            raise UnknownFlow(
                f"operation {facts.id}: flow {graph.name} has no task {record.task}",
                hint="show it with the version of vmwright that started it",
            )
        records[record.task] = record
    return {name: _begun_again(graph, records, name) for name in graph}


def _begun_again(graph: Graph, records: Mapping[str, TaskRecord], name: str) -> TaskRecord:
    """The record, or a pending one if the retry around the task has moved on without it."""
    record, retry = records[name], graph.nodes[name].get("retry")
    fellows = [one for one in graph if retry and graph.nodes[one].get("retry") == retry]
    attempt = max(records[one].attempt for one in [name, *fellows])
    return record if record.attempt == attempt else TaskRecord(task=name, attempt=attempt)


def _state_of(record: TaskRecord, clock: datetime | None) -> dict[str, Any]:
    running = clock if record.state is NodeState.RUNNING else None
    undoing = clock if record.state is NodeState.REVERTING else None
    facts = {name: value for name, value in vars(record).items() if name != "task"}
    return facts | {
        "error": None if record.error is None else dict(record.error),
        "duration": _seconds(record.started_at, record.finished_at or running),
        "undo_duration": _seconds(record.revert_started_at, record.revert_finished_at or undoing),
        "progress": None if record.progress is None else record.progress.to_users(),
    }


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds between, never negative: two processes may have written the two times."""
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())


def _elapsed(records: Iterable[TaskRecord], clock: datetime | None) -> float | None:
    times = [
        time
        for record in records
        for time in (
            record.started_at,
            record.finished_at,
            record.revert_started_at,
            record.revert_finished_at,
        )
        if time is not None
    ]
    return _seconds(min(times), clock or max(times)) if times else None


def _costs(graph: Graph) -> dict[str, float]:
    durations = {name: graph.nodes[name].get("duration") for name in graph}
    if not any(durations.values()):
        return dict.fromkeys(graph, 1.0)
    return {name: (seconds or 0.0) + _TIE for name, seconds in durations.items()}


def _mark_critical(graph: Graph) -> None:
    path = critical_path(graph)
    steps = set(pairwise(path))
    for name in graph:
        graph.nodes[name]["critical"] = name in path
    for one, other in graph.edges:
        graph.edges[one, other]["critical"] = (one, other) in steps
    graph.graph["critical_path"] = path
