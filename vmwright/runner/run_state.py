"""TaskFlow's storage and runtime of one run: its rows in memory, and nothing that waits.

Only the thread of the run's engine uses them: they lock nothing, and copy nothing before they
change it. Writes go to the unit of work, which never fails and is never asked again.
"""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from functools import cached_property
from typing import Any

from taskflow import states as taskflow_states
from taskflow.atom import Atom
from taskflow.persistence import models

from vmwright.persistence.unit_of_work import UnitOfWork
from vmwright.runner import taskflow_internals as internals
from vmwright.runner.compiled import CompiledFlow

_FAILED = (taskflow_states.FAILURE, taskflow_states.REVERT_FAILURE)


class _Unlocked:
    """Stands where TaskFlow expects a lock."""

    def __init__(self) -> None:
        self.read_lock = self.write_lock = nullcontext


class _Unheard:
    """Stands where TaskFlow expects somebody who is told of changes."""

    def notify(self, *_: object) -> None:
        """Nobody listens: what happens is in the events."""


class RunStorage(internals.Storage):  # type: ignore[misc]  # TaskFlow is untyped
    """States, results and arguments of one run's atoms."""

    def __init__(
        self,
        detail: models.FlowDetail,
        work: UnitOfWork,
        compiled: CompiledFlow,
        inputs: Mapping[str, Any],
    ) -> None:
        # TaskFlow's own constructor would make a lock that nobody needs, and mappings anew.
        self._flowdetail = detail
        self._backend = work
        self._lock = _Unlocked()
        self._transients = inputs
        self._injected_args: dict[str, Any] = {}
        self._result_mappings, self._reverse_mapping = compiled.mappings
        self._scope_fetcher = compiled.scope_of
        self._ensure_matchers: list[Any] = []
        self.atoms: Mapping[str, models.AtomDetail] = work.atoms
        self._atom_name_to_uuid = work.uuids
        self._failures = {
            name: {} if atom.failure is None and atom.revert_failure is None else _failures_of(atom)
            for name, atom in self.atoms.items()
        }
        self._places = compiled.places

    def get_atom_state(self, name: str) -> str:
        return str(self.atoms[name].state)

    def get_atom_intention(self, name: str) -> str:
        return str(self.atoms[name].intention)

    def get_atoms_states(self, names: Iterable[str]) -> dict[str, tuple[str, str]]:
        return {name: (self.atoms[name].state, self.atoms[name].intention) for name in names}

    def begins(self, atom: Atom) -> dict[str, Any]:
        """It is under way from now on; the arguments that it is executed with."""
        self.set_atom_state(atom.name, taskflow_states.RUNNING)
        return self.fetch_mapped_args(atom.rebind, atom.name, optional_args=atom.optional)

    def set_atom_state(self, name: str, state: str) -> None:
        atom = self.atoms[name]
        if atom.state != state:
            atom.state = state
            self._backend.changed(name, atom)

    def set_atom_intention(self, name: str, intention: str) -> None:
        atom = self.atoms[name]
        if atom.intention != intention:
            atom.intention = intention
            self._backend.changed(name, atom)

    def save(self, name: str, result: Any, state: str = taskflow_states.SUCCESS) -> None:
        atom = self.atoms[name]
        if atom.put(state, result):
            self._backend.changed(name, atom)
        if state in _FAILED:
            # What is read back from a row has lost its exception.
            self._failures[name][atom.intention] = result
        elif state == taskflow_states.SUCCESS and name in self._result_mappings:
            self._check_all_results_provided(name, result)

    def fetch_mapped_args(
        self,
        args_mapping: Mapping[str, str],
        atom_name: str | None = None,
        scope_walker: Any = None,
        optional_args: Any = None,
    ) -> dict[str, Any]:
        """As TaskFlow's, with a short way for what the inputs or exactly one task can give."""
        assert atom_name is not None, "arguments are those of an atom"
        found: dict[str, Any] = {}
        givers = self._places[atom_name].givers
        for bound, name in args_mapping.items():
            if name in self._transients:
                found[bound] = self._transients[name]
                continue
            giver, index = givers.get(name, (None, None))
            if giver is None or self.atoms[giver].state != taskflow_states.SUCCESS:
                return self._fetched(args_mapping, atom_name, scope_walker, optional_args)
            result = self.atoms[giver].last_results
            found[bound] = result if index is None else result[index]
        return found

    def _fetched(self, *arguments: Any) -> dict[str, Any]:
        fetched: dict[str, Any] = super().fetch_mapped_args(*arguments)
        return fetched


def _failures_of(atom: models.AtomDetail) -> dict[str, Any]:
    known = {
        taskflow_states.EXECUTE: atom.failure,
        taskflow_states.REVERT: atom.revert_failure,
    }
    return {way: failure for way, failure in known.items() if failure is not None}


class _TaskAction(internals.TaskAction):  # type: ignore[misc]  # TaskFlow is untyped
    """Changes the states of tasks, and nothing else: progress and listeners have no use here."""

    def change_state(
        self,
        task: Atom,
        state: str,
        progress: float | None = None,
        result: Any = internals.TaskAction.NO_RESULT,
    ) -> None:
        del progress
        if state in self.SAVE_RESULT_STATES:
            self._storage.save(task.name, None if result is self.NO_RESULT else result, state)
        else:
            self._storage.set_atom_state(task.name, state)

    def schedule_execution(self, task: Atom) -> Any:
        return self._task_executor.execute_task(task, self._storage.begins(task))

    def schedule_reversion(self, task: Atom) -> Any:
        self._storage.set_atom_state(task.name, taskflow_states.REVERTING)
        arguments = self._storage.fetch_mapped_args(
            task.revert_rebind, atom_name=task.name, optional_args=task.revert_optional
        )
        return self._task_executor.revert_task(task, arguments)


class RunRuntime(internals.Runtime):  # type: ignore[misc]  # TaskFlow is untyped
    """TaskFlow's decisions for one run: what is scheduled how, and what a failure leads to."""

    def __init__(self, compiled: CompiledFlow, storage: RunStorage, executor: Any) -> None:
        super().__init__(compiled.compilation, storage, _Unheard(), executor, executor)
        for name, shared in compiled.metadata.items():
            is_retry = not isinstance(shared["action"], internals.TaskAction)
            action = self.retry_action if is_retry else self.task_action
            self._atom_cache[name] = {
                **shared,
                "action": action,
                "change_state_handler": action.change_state,
                "scheduler": self.retry_scheduler if is_retry else self.task_scheduler,
            }

    @cached_property
    def task_action(self) -> _TaskAction:
        return _TaskAction(self._storage, self._atom_notifier, self._task_executor)
