"""Flows shaped like real ones, and operations on them in every state worth a picture."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from taskflow import retry, task
from taskflow.patterns import linear_flow, unordered_flow

from vmwright.flows import NO_HOOKS, RECIPES, Recipe, newest
from vmwright.progress import Progress
from vmwright.states import Direction, NodeState, OperationState
from vmwright.views.graph import Graph, OperationFacts, TaskRecord, flow_graph, operation_graph
from vmwright.views.records import records_of

if TYPE_CHECKING:
    from vmwright.tasks.task import Means

RECORDINGS = Path(__file__).with_name("recordings")
START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
NOW = START + timedelta(seconds=20)
OPERATION = "6f0c8a52-0b5c-4b0e-9a77-2f3f5d1f9a10"
INSTANCE = "b1f0a6de-8a0e-4d6f-93a5-7b6a0b0c1d2e"


class Sample(task.Task):
    """One change to the world."""

    def __init__(self, name: str, requires: str = "", provides: str = "") -> None:
        super().__init__(
            name=name,
            requires=["run", "spec", *requires.split()],
            provides=tuple(provides.split()) or None,
        )

    def execute(self, **inputs: Any) -> None:
        """The pictures need no effects."""


class CheckNotCreated(Sample):
    """Refuse if a domain with this uuid exists that is not ours.

    A second paragraph that no picture shows.
    """


class CheckImageSize(Sample):
    """See that the image is safe and fits the flavor."""


class AllocateNetwork(Sample):
    """Give the instance a MAC and a fixed address on each network."""


class ClaimHost(Sample):
    """Claim vcpus, memory and disk of a host that fits."""


class PlugNetwork(Sample):
    """Reserve the addresses on the host's networks."""


class MapBlockDevices(Sample):
    """Make or find each volume and record its attachment."""


class Spawn(Sample):
    """Define the domain, start it and see it running."""


class MarkActive(Sample):
    """Tell the world that the instance is active."""


class DestroyDomain(Sample):
    """Stop the domain and forget it."""


class UnplugNetwork(Sample):
    """Remove reservations and leases."""


class ReleaseBlockDevices(Sample):
    """Delete our volumes, release the user's."""


class ReleaseHost(Sample):
    """Give back what was claimed on the host."""


class ReleaseNetwork(Sample):
    """Give back addresses and MACs."""


class MarkDeleted(Sample):
    """Leave a tombstone."""


def create_flow() -> linear_flow.Flow:
    on_host = linear_flow.Flow("on_host", retry=retry.Times(3, "on_host_retry"))
    in_any_order = unordered_flow.Flow("prepare").add(
        PlugNetwork("plug_network", "host network_info", "interfaces"),
        MapBlockDevices("map_block_devices", "host", "block_devices"),
    )
    return linear_flow.Flow("create").add(
        CheckNotCreated("check_not_created"),
        CheckImageSize("check_image_size"),
        AllocateNetwork("allocate_network", "", "network_info"),
        on_host.add(
            ClaimHost("claim_host", "", "host"),
            in_any_order,
            Spawn("spawn", "host network_info interfaces block_devices", "power_state"),
        ),
        MarkActive("mark_active", "host power_state"),
    )


def delete_flow() -> linear_flow.Flow:
    return linear_flow.Flow("delete").add(
        DestroyDomain("destroy_domain", "", "power_state"),
        unordered_flow.Flow("release").add(
            UnplugNetwork("unplug_network"),
            ReleaseBlockDevices("release_block_devices", "", "kept_volumes"),
        ),
        ReleaseHost("release_host"),
        ReleaseNetwork("release_network"),
        MarkDeleted("mark_deleted", "kept_volumes"),
    )


def one_task_flow() -> linear_flow.Flow:
    return linear_flow.Flow("alone").add(Spawn("spawn"))


def empty_flow() -> linear_flow.Flow:
    return linear_flow.Flow("nothing")


def wide_flow() -> unordered_flow.Flow:
    """Chains of several lengths side by side, and values that cross all of them."""
    sides = [
        linear_flow.Flow(f"side_{side}").add(
            *(Sample(f"side_{side}_step_{step}", "", f"v{side}{step}") for step in range(side + 1))
        )
        for side in range(4)
    ]
    values = [f"v{side}{step}" for side in range(4) for step in range(side + 1)]
    return linear_flow.Flow("wide").add(
        Sample("before", "", "beginning"),
        unordered_flow.Flow("sides").add(*sides),
        Sample("after", " ".join(["beginning", *values]), "ending"),
    )


def done(name: str, start: float, seconds: float, **more: Any) -> TaskRecord:
    return TaskRecord(
        task=name,
        state=NodeState.SUCCESS,
        started_at=START + timedelta(seconds=start),
        finished_at=START + timedelta(seconds=start + seconds),
        **more,
    )


def under_way(name: str, start: float, fraction: float, note: str) -> TaskRecord:
    return TaskRecord(
        task=name,
        state=NodeState.RUNNING,
        started_at=START + timedelta(seconds=start),
        progress=Progress(fraction=fraction, note=note),
    )


def undone(record: TaskRecord, start: float, seconds: float) -> TaskRecord:
    return _undo(record, NodeState.REVERTED, start, START + timedelta(seconds=start + seconds))


def undoing(record: TaskRecord, start: float) -> TaskRecord:
    return _undo(record, NodeState.REVERTING, start, None)


def failed(record: TaskRecord, error: Mapping[str, Any]) -> TaskRecord:
    return TaskRecord(**{**vars(record), "state": NodeState.FAILURE, "error": error})


def _undo(record: TaskRecord, state: NodeState, start: float, end: datetime | None) -> TaskRecord:
    changes = {
        "state": state,
        "direction": Direction.REVERT,
        "revert_started_at": START + timedelta(seconds=start),
        "revert_finished_at": end,
    }
    return TaskRecord(**{**vars(record), **changes})


def facts(state: OperationState, kind: str = "create", **more: Any) -> OperationFacts:
    return OperationFacts(id=OPERATION, kind=kind, state=state, instance=INSTANCE, **more)


BEFORE_HOST = (
    done("check_not_created", 0, 0.012),
    done("check_image_size", 0.02, 1.21),
    done("allocate_network", 1.3, 0.041),
)
ON_HOST = (
    done("claim_host", 1.4, 0.009),
    done("plug_network", 1.5, 2.9),
    done("map_block_devices", 1.5, 6.2),
    done("spawn", 7.8, 4.35),
)
NO_SPACE = {
    "code": "HostFault",
    "message": "host compute-07: pool vmwright has 2 GiB left, the root disk needs 20 GiB",
    "hint": "add space to the pool, or remove hosts that are full with 'vmwright host disable'",
}


def plain_create() -> Graph:
    return flow_graph(create_flow())


def running_create() -> Graph:
    tasks = [
        *BEFORE_HOST,
        ON_HOST[0],
        ON_HOST[1],
        under_way("map_block_devices", 1.5, 0.62, "copying volume 2 of 3"),
    ]
    return operation_graph(plain_create(), tasks, facts(OperationState.RUNNING), now=NOW)


def failing_create() -> Graph:
    tasks = [
        *BEFORE_HOST,
        *(undoing(record, 13.5) if record.task == "plug_network" else record for record in ON_HOST),
    ]
    tasks[-2] = undone(tasks[-2], 13.2, 0.4)
    tasks[-1] = undone(failed(tasks[-1], NO_SPACE), 12.2, 0.9)
    debts = ("volume vmw.abcdefgh.root.qcow2 on host compute-07",)
    return operation_graph(
        plain_create(), tasks, facts(OperationState.UNDOING, owes=debts), now=NOW
    )


def second_attempt() -> Graph:
    tasks = [
        *BEFORE_HOST,
        done("claim_host", 15, 0.01, attempt=2),
        *(undone(record, 12, 0.5) for record in ON_HOST[1:]),
    ]
    operation = facts(OperationState.RUNNING, attempt=2)
    return operation_graph(plain_create(), tasks, operation, now=NOW)


def done_create() -> Graph:
    tasks = [*BEFORE_HOST, *ON_HOST, done("mark_active", 12.3, 0.02)]
    return operation_graph(plain_create(), tasks, facts(OperationState.DONE), now=NOW)


def failed_create() -> Graph:
    """The failed task is FAILURE still: its undo has not begun."""
    tasks = [*BEFORE_HOST, *ON_HOST[:3], failed(ON_HOST[3], NO_SPACE)]
    return operation_graph(plain_create(), tasks, facts(OperationState.RUNNING), now=NOW)


def running_delete() -> Graph:
    tasks = [
        done("destroy_domain", 0, 1.4),
        done("unplug_network", 1.5, 0.3),
        under_way("release_block_devices", 1.5, 0.4, "deleting volume"),
    ]
    operation = facts(OperationState.RUNNING, kind="delete")
    return operation_graph(flow_graph(delete_flow()), tasks, operation, now=NOW)


SAMPLES: dict[str, Callable[[], Graph]] = {
    "plain_create": plain_create,
    "running_create": running_create,
    "failing_create": failing_create,
    "failed_create": failed_create,
    "second_attempt": second_attempt,
    "done_create": done_create,
    "plain_delete": lambda: flow_graph(delete_flow()),
    "running_delete": running_delete,
    "wide": lambda: flow_graph(wide_flow()),
    "one_task": lambda: flow_graph(one_task_flow()),
    "empty": lambda: flow_graph(empty_flow()),
}

HOSTILE = (
    '"quotes" \'single\' `ticks` <b>&amp; ]]> --> %%{init} | {x} [y] (z) #35; \\N \\" \\ ; '
    "style x:y#z; end\nsubgraph\tclick \x1b[31mred\x07 \u202eright-to-left \ud800 \ufffe é 漢字 🚀 "
    + "unbroken"
    * 40
)
"""What no renderer may trust: metacharacters of every format, and what breaks a terminal."""


def hostile() -> Graph:
    error = {"code": "Host<Fault>", "message": HOSTILE, "hint": HOSTILE}
    spawning = under_way("spawn", 7.8, 0.5, HOSTILE)
    tasks = [
        *BEFORE_HOST,
        ON_HOST[0],
        failed(ON_HOST[1], error),
        undoing(failed(ON_HOST[2], error), 12),
        spawning,
    ]
    owes = (HOSTILE,)
    operation = OperationFacts(
        id=HOSTILE, kind=HOSTILE, state=OperationState.STUCK, instance=HOSTILE, owes=owes
    )
    return operation_graph(plain_create(), tasks, operation, now=NOW)


def hostile_names() -> Graph:
    """A flow whose names mean something to Graphviz, Mermaid or XML."""
    flow = linear_flow.Flow('flow "<&>]]>')
    names = ["end", 'say "hi"', "back\\", "<b>&amp;</b>", "a:b", "subgraph", "日本語", "x" * 90]
    values = [f'value "{name}" <&>' for name in names]
    for name in names:
        flow.add(Sample(name))
    flow.add(Named("giver", [], values), Named("taker", values, []))
    return flow_graph(flow)


class Named(task.Task):
    """A task whose values have any names."""

    def __init__(self, name: str, requires: list[str], provides: list[str]) -> None:
        super().__init__(name=name, requires=requires, provides=provides or None)

    def execute(self, **inputs: Any) -> None:
        """The pictures need no effects."""


SAMPLES |= {"hostile": hostile, "hostile_names": hostile_names}


def real(known: Recipe) -> Graph:
    """The graph of a flow that is in use. Tasks only keep their means for when they are run."""
    return flow_graph(known.make(cast("Means", None), NO_HOOKS))


SAMPLES |= {f"{known.name}_{known.version}": partial(real, known) for known in RECIPES}


def recorded_second_attempt() -> Graph:
    """A build whose first host failed at a volume, as its events told it; it spawns elsewhere."""
    events = json.loads((RECORDINGS / "second_attempt.json").read_text())
    dated = [event | {"at": START + timedelta(seconds=event["at"])} for event in events]
    operation = facts(OperationState.RUNNING, attempt=2)
    moment = dated[-1]["at"] + timedelta(seconds=1)
    return operation_graph(real(newest("create")), records_of(dated), operation, now=moment)


SAMPLES |= {"recorded_second_attempt": recorded_second_attempt}
