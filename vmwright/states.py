"""States of instances and operations, and the moves between them. Pure."""

from enum import IntEnum, StrEnum


class VmState(StrEnum):
    """What an instance is, in Nova's words."""

    BUILDING = "building"
    ACTIVE = "active"
    STOPPED = "stopped"
    ERROR = "error"
    DELETED = "deleted"


class TaskState(StrEnum):
    """What is being done to an instance, in Nova's words; absent when nothing is."""

    SCHEDULING = "scheduling"
    NETWORKING = "networking"
    BLOCK_DEVICE_MAPPING = "block_device_mapping"
    SPAWNING = "spawning"
    DELETING = "deleting"


class PowerState(IntEnum):
    """What the hypervisor says, in Nova's numbers."""

    NOSTATE = 0
    RUNNING = 1
    PAUSED = 3
    SHUTDOWN = 4
    CRASHED = 6
    SUSPENDED = 7


class OperationState(StrEnum):
    """Where an operation stands."""

    QUEUED = "queued"
    RUNNING = "running"
    UNDOING = "undoing"
    INTERRUPTED = "interrupted"
    DONE = "done"
    UNDONE = "undone"
    CANCELLED = "cancelled"
    STUCK = "stuck"
    PARKED = "parked"


class AttemptOutcome(StrEnum):
    """How a try on one host ended."""

    DONE = "done"
    FAILED = "failed"
    """By the host's fault, or without its answer: another host may do."""
    REFUSED = "refused"
    """For a reason that would be the same on any host."""
    CANCELLED = "cancelled"


class Direction(StrEnum):
    """Which way a task was run."""

    EXECUTE = "execute"
    REVERT = "revert"


class NodeState(StrEnum):
    """Where a task of an operation stands, in TaskFlow's words."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    REVERTING = "REVERTING"
    REVERTED = "REVERTED"
    IGNORE = "IGNORE"


ENDED = frozenset({OperationState.DONE, OperationState.UNDONE, OperationState.CANCELLED})
"""No run of these operations will ever follow."""

HELD = frozenset({OperationState.RUNNING, OperationState.UNDOING})
"""Some process has, or had, these operations in hand."""

CLAIMABLE = frozenset({OperationState.QUEUED, OperationState.INTERRUPTED}) | HELD
"""What a process may take up: those in `HELD` only once their owner is dead."""

STANDING_STILL = frozenset({OperationState.STUCK, OperationState.PARKED})
"""These wait for a person."""

OVER = ENDED | STANDING_STILL
"""Nothing more happens to these by itself."""

_MOVES: dict[OperationState, frozenset[OperationState]] = {
    OperationState.QUEUED: frozenset(
        {OperationState.RUNNING, OperationState.PARKED, OperationState.CANCELLED}
    ),
    OperationState.RUNNING: frozenset(
        {
            OperationState.RUNNING,
            OperationState.UNDOING,
            OperationState.INTERRUPTED,
            OperationState.DONE,
            OperationState.UNDONE,
            OperationState.CANCELLED,
            OperationState.STUCK,
            OperationState.PARKED,
        }
    ),
    OperationState.UNDOING: frozenset(
        {
            OperationState.UNDOING,
            OperationState.INTERRUPTED,
            OperationState.UNDONE,
            OperationState.CANCELLED,
            OperationState.STUCK,
            OperationState.PARKED,
        }
    ),
    OperationState.INTERRUPTED: frozenset(
        {
            OperationState.RUNNING,
            OperationState.UNDOING,
            OperationState.UNDONE,
            OperationState.PARKED,
        }
    ),
    OperationState.STUCK: frozenset({OperationState.INTERRUPTED, OperationState.UNDONE}),
    OperationState.PARKED: frozenset({OperationState.INTERRUPTED, OperationState.UNDONE}),
    OperationState.DONE: frozenset(),
    OperationState.UNDONE: frozenset(),
    OperationState.CANCELLED: frozenset(),
}


def may_move(old: OperationState, new: OperationState) -> bool:
    """Whether an operation may go from `old` to `new`."""
    return new in _MOVES[old]


def sources_of(new: OperationState) -> frozenset[OperationState]:
    """Every state from which `new` may be reached: the left side of a compare-and-swap."""
    return frozenset(old for old, targets in _MOVES.items() if new in targets)
