"""A flow, compiled once for all runs of it in this process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskflow import states as taskflow_states
from taskflow.atom import Atom
from taskflow.flow import Flow
from taskflow.persistence import models

from vmwright.errors import Damaged, Internal
from vmwright.flows import tasks_of
from vmwright.ids import new_id
from vmwright.runner import taskflow_internals as internals
from vmwright.runner.job import Way
from vmwright.states import Direction
from vmwright.tasks.task import Task

INPUTS = ("run", "spec")
"""What every flow is given."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where an atom stands in its flow."""

    runs_from: frozenset[str]
    """States from which it may be executed."""
    undone_from: frozenset[str]
    """States from which it may be taken back."""
    before: Sequence[str]
    """What must have ended before it: nearest first."""
    after: Sequence[Atom]
    """What it must have ended before: nearest first."""
    undone_next: Sequence[Atom]
    """What may be taken back once it was: up to the retry that decides about it, and this."""
    givers: Mapping[str, tuple[str, Any]]
    """For names that exactly one atom can give it: which, and under which index of its result."""


class CompiledFlow:
    """What all runs of a flow have in common. It holds nothing of any of them. Thread-safe."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.tasks: Sequence[Task] = tasks_of(flow)
        engine = internals.SerialActionEngine(
            flow, models.FlowDetail(flow.name, new_id()), None, {}
        )
        engine.compile()
        engine.storage.inject(dict.fromkeys(INPUTS), transient=True)
        engine.prepare()
        engine.validate()
        self.compilation = engine.compilation
        self.mappings = engine.storage._result_mappings, engine.storage._reverse_mapping
        self.metadata: Mapping[str, Mapping[str, Any]] = engine._runtime._atom_cache
        nodes = self.compilation.execution_graph.nodes(data=True)
        self.atoms = [atom for atom, known in nodes if known["kind"] in internals.ATOMS]
        self.places = {atom.name: self._place_of(atom) for atom in self.atoms}
        self.ways = {
            (task.name, direction): Way(task, direction)
            for task in self.tasks
            for direction in Direction
        }
        self.retries = {atom.name for atom, known in nodes if known["kind"] == internals.RETRY}
        for atom in self.atoms:
            if atom.inject or self.metadata[atom.name]["edge_deciders"]:
                raise Internal(f"flow {flow.name}: {atom.name} has inputs or a decider of its own")

    def refuse_other_kinds(self, detail: models.FlowDetail) -> None:
        """`Damaged` if a task's row is a retry's, or the other way round."""
        for atom in detail:
            if isinstance(atom, models.RetryDetail) is not (atom.name in self.retries):
                raise Damaged(f"the row of {atom.name!r} (atomdetails) is of another kind")

    def scope_of(self, atom: str) -> Any:
        """The names that it sees, level by level."""
        return self.metadata[atom]["scope_walker"] if atom in self.metadata else None

    def _place_of(self, atom: Atom) -> Place:
        graph = self.compilation.execution_graph
        before = internals.depth_first(graph, atom, internals.Backward)
        allows = self.metadata[atom.name]["check_transition_handler"]
        return Place(
            runs_from=_sources_of(taskflow_states.RUNNING, allows),
            undone_from=_sources_of(taskflow_states.REVERTING, allows),
            before=tuple(other.name for other in before),
            after=tuple(internals.breadth_first(graph, atom, internals.Forward)),
            undone_next=tuple(
                internals.breadth_first(graph, atom, internals.Backward, through_retries=False)
            ),
            givers=self._givers_of(atom),
        )

    def _givers_of(self, atom: Atom) -> dict[str, tuple[str, Any]]:
        _, providers = self.mappings
        givers = {}
        for name in {*atom.rebind.values(), *atom.revert_rebind.values()} - set(INPUTS):
            known = {provider.name: provider.index for provider in providers.get(name, ())}
            levels = [[one for one in level if one in known] for level in self.scope_of(atom.name)]
            nearest = next(filter(None, levels), [])
            if len(nearest) == 1:
                givers[name] = (nearest[0], known[nearest[0]])
        return givers


def _sources_of(state: str, allows: Callable[[str, str], bool]) -> frozenset[str]:
    """From where TaskFlow lets an atom come into this state."""
    return frozenset(old for old in internals.ATOM_STATES if allows(old, state))


class CompiledFlows:
    """Each flow of a process, compiled at most once or twice. Thread-safe."""

    def __init__(self) -> None:
        self._compiled: dict[Flow, CompiledFlow] = {}

    def of(self, flow: Flow) -> CompiledFlow:
        compiled = self._compiled.get(flow)
        if compiled is None:
            compiled = self._compiled[flow] = CompiledFlow(flow)
        return compiled
