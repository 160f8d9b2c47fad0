"""Which atoms of a run may begin now, either way.

TaskFlow's rules, answered from what was compiled once: an atom is executed when all before it have
succeeded, and taken back when nothing after it is left.
"""

from collections.abc import Iterable, Iterator

from taskflow import states as taskflow_states
from taskflow.atom import Atom

from vmwright.runner.compiled import CompiledFlow
from vmwright.runner.run_state import RunRuntime, RunStorage

_PASSED = frozenset({taskflow_states.SUCCESS, taskflow_states.IGNORE})
_MEANT = frozenset({taskflow_states.EXECUTE, taskflow_states.IGNORE})
_LEFT_NOTHING = frozenset(
    {taskflow_states.PENDING, taskflow_states.REVERTED, taskflow_states.IGNORE}
)
_TO_UNDO = frozenset({taskflow_states.REVERT, taskflow_states.RETRY})


class Readiness:
    """Of one run."""

    def __init__(self, compiled: CompiledFlow, storage: RunStorage, runtime: RunRuntime) -> None:
        self._compiled = compiled
        self._storage = storage
        self._runtime = runtime

    def anywhere(self) -> Iterator[Atom]:
        """Whatever may begin now."""
        yield from self._to_execute(self._compiled.atoms)
        yield from self._to_undo(self._compiled.atoms)

    def after(self, atom: Atom) -> Iterator[Atom]:
        """What may begin because this one has ended."""
        state = self._storage.get_atom_state(atom.name)
        place = self._compiled.places[atom.name]
        if state == taskflow_states.SUCCESS:
            intention = self._storage.get_atom_intention(atom.name)
            if intention == taskflow_states.REVERT:
                yield atom
            elif intention == taskflow_states.EXECUTE:
                yield from self._to_execute(place.after)
        elif state == taskflow_states.REVERTED:
            yield from self._to_undo(place.undone_next)
        elif state == taskflow_states.FAILURE:
            yield from self._to_undo(self._compiled.atoms)

    def _to_execute(self, atoms: Iterable[Atom]) -> Iterator[Atom]:
        for atom in atoms:
            if self._may(atom, taskflow_states.RUNNING, {taskflow_states.EXECUTE}) and all(
                state in _PASSED and intention in _MEANT
                for state, intention in self._stand(self._compiled.places[atom.name].before)
            ):
                yield atom

    def _to_undo(self, atoms: Iterable[Atom]) -> Iterator[Atom]:
        for atom in atoms:
            after = (other.name for other in self._compiled.places[atom.name].after)
            if self._may(atom, taskflow_states.REVERTING, _TO_UNDO) and all(
                state in _LEFT_NOTHING for state, _ in self._stand(after)
            ):
                yield atom

    def _may(self, atom: Atom, state: str, intentions: Iterable[str]) -> bool:
        now, intention = self._storage.stands(atom.name)
        return intention in intentions and bool(
            self._runtime.check_atom_transition(atom, now, state)
        )

    def _stand(self, atoms: Iterable[str]) -> Iterator[tuple[str, str]]:
        return map(self._storage.stands, atoms)
