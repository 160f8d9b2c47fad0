"""Which atoms of a run may begin now, either way.

TaskFlow's rules, answered from what was compiled once: an atom is executed when all before it have
succeeded, and taken back when nothing after it is left.
"""

from collections.abc import Iterable, Sequence

from taskflow import states as taskflow_states
from taskflow.atom import Atom

from vmwright.runner.compiled import CompiledFlow
from vmwright.runner.run_state import RunStorage

_PASSED = frozenset({taskflow_states.SUCCESS, taskflow_states.IGNORE})
_MEANT = frozenset({taskflow_states.EXECUTE, taskflow_states.IGNORE})
_LEFT_NOTHING = frozenset(
    {taskflow_states.PENDING, taskflow_states.REVERTED, taskflow_states.IGNORE}
)
_TO_UNDO = frozenset({taskflow_states.REVERT, taskflow_states.RETRY})


class Readiness:
    """Of one run."""

    def __init__(self, compiled: CompiledFlow, storage: RunStorage) -> None:
        self._compiled = compiled
        self._places = compiled.places
        self._atoms = storage.atoms

    def anywhere(self) -> list[Atom]:
        """Whatever may begin now."""
        return self._to_execute(self._compiled.atoms) + self._to_undo(self._compiled.atoms)

    def after(self, atom: Atom) -> Sequence[Atom]:
        """What may begin because this one has ended."""
        name = atom.name
        stands, place = self._atoms[name], self._places[name]
        if stands.state == taskflow_states.SUCCESS:
            if stands.intention == taskflow_states.REVERT:
                return [atom]
            if stands.intention == taskflow_states.EXECUTE:
                return self._to_execute(place.after)
        elif stands.state == taskflow_states.REVERTED:
            return self._to_undo(place.undone_next)
        elif stands.state == taskflow_states.FAILURE:
            return self._to_undo(self._compiled.atoms)
        return []

    def _to_execute(self, atoms: Iterable[Atom]) -> list[Atom]:
        found = []
        for atom in atoms:
            name = atom.name
            stands, place = self._atoms[name], self._places[name]
            if stands.state not in place.runs_from or stands.intention != taskflow_states.EXECUTE:
                continue
            for before in place.before:
                other = self._atoms[before]
                if other.state not in _PASSED or other.intention not in _MEANT:
                    break
            else:
                found.append(atom)
        return found

    def _to_undo(self, atoms: Iterable[Atom]) -> list[Atom]:
        found = []
        for atom in atoms:
            name = atom.name
            stands, place = self._atoms[name], self._places[name]
            if stands.state not in place.undone_from or stands.intention not in _TO_UNDO:
                continue
            if all(self._atoms[other.name].state in _LEFT_NOTHING for other in place.after):
                found.append(atom)
        return found
