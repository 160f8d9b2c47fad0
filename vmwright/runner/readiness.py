"""Which atoms of a run may begin now, either way.

TaskFlow's rules, answered from what was compiled once: an atom is executed when all before it have
succeeded, and taken back when nothing after it is left.
"""

from collections.abc import Iterable, Iterator

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
        self._stands = storage.stands

    def anywhere(self) -> Iterator[Atom]:
        """Whatever may begin now."""
        yield from self._to_execute(self._compiled.atoms)
        yield from self._to_undo(self._compiled.atoms)

    def after(self, atom: Atom) -> Iterator[Atom]:
        """What may begin because this one has ended."""
        state, intention = self._stands(atom.name)
        place = self._places[atom.name]
        if state == taskflow_states.SUCCESS:
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
            place = self._places[atom.name]
            state, intention = self._stands(atom.name)
            if state not in place.runs_from or intention != taskflow_states.EXECUTE:
                continue
            for other in place.before:
                state, intention = self._stands(other)
                if state not in _PASSED or intention not in _MEANT:
                    break
            else:
                yield atom

    def _to_undo(self, atoms: Iterable[Atom]) -> Iterator[Atom]:
        for atom in atoms:
            place = self._places[atom.name]
            state, intention = self._stands(atom.name)
            if state not in place.undone_from or intention not in _TO_UNDO:
                continue
            if all(self._stands(other.name)[0] in _LEFT_NOTHING for other in place.after):
                yield atom
