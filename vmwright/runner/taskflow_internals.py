"""What of TaskFlow is used and is not its public interface, in one place.

`tests/unit/test_taskflow_internals.py` looks at every name here; setup.py allows the versions that
have them.
"""

from taskflow import states, storage
from taskflow.engines.action_engine import compiler, runtime, traversal
from taskflow.engines.action_engine import engine as action_engine
from taskflow.engines.action_engine import executor as action_executor
from taskflow.engines.action_engine.actions import task as task_action

RETRY = compiler.RETRY
ATOMS = compiler.ATOMS
SerialActionEngine = action_engine.SerialActionEngine
Runtime = runtime.Runtime
TaskAction = task_action.TaskAction
Storage = storage.Storage
Backward = traversal.Direction.BACKWARD
Forward = traversal.Direction.FORWARD
breadth_first = traversal.breadth_first_iterate
depth_first = traversal.depth_first_iterate

ATOM_STATES = (
    states.PENDING,
    states.RUNNING,
    states.SUCCESS,
    states.FAILURE,
    states.REVERTING,
    states.REVERTED,
    states.REVERT_FAILURE,
    states.RETRYING,
    states.IGNORE,
)
"""All that an atom may be in."""

EXECUTED = action_executor.EXECUTED
"""The word for the end of a task that was executed."""
REVERTED = action_executor.REVERTED
"""The word for the end of a task that was taken back."""

ATTRIBUTES: dict[type, frozenset[str]] = {
    SerialActionEngine: frozenset({"_runtime"}),
    Runtime: frozenset(
        {
            "_atom_cache",
            "_atom_notifier",
            "_compilation",
            "_options",
            "_retry_executor",
            "_storage",
            "_task_executor",
        }
    ),
    TaskAction: frozenset({"_notifier", "_storage", "_task_executor"}),
    Storage: frozenset(
        {
            "_atom_name_to_uuid",
            "_backend",
            "_ensure_matchers",
            "_failures",
            "_flowdetail",
            "_injected_args",
            "_lock",
            "_result_mappings",
            "_reverse_mapping",
            "_scope_fetcher",
            "_transients",
        }
    ),
}
"""What their instances hold: exactly what ours are given instead."""

METHODS: dict[type, frozenset[str]] = {
    Runtime: frozenset({"_fetch_atom_metadata_entry", "fetch_scheduler", "is_success"}),
    TaskAction: frozenset({"change_state", "schedule_execution", "schedule_reversion"}),
    Storage: frozenset(
        {
            "_check_all_results_provided",
            "_save_atom_detail",
            "_with_connection",
            "cleanup_retry_history",
            "fetch_mapped_args",
            "get_atom_intention",
            "get_atom_state",
            "get_atom_uuid",
            "get_atoms_states",
            "save",
            "set_atom_intention",
            "set_atom_state",
        }
    ),
}
"""What we call, or do in another way."""
