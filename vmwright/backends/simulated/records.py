"""How marks, owners and power states lie in records."""

from typing import Any

from vmwright.backends.simulated.world import Record
from vmwright.errors import HostFault
from vmwright.ids import Mark, Whose
from vmwright.states import PowerState

_STATES = {state.name.lower(): state for state in PowerState}
"""As records say them."""

SWITCHED_OFF: Record = {"state": PowerState.SHUTDOWN.name.lower(), "off_by": "host"}
"""Of a guest that its host does not run: whoever edits the file plays the guest's part."""

SWITCHED_ON: Record = {"state": PowerState.RUNNING.name.lower(), "off_by": None}


def is_off_by_itself(record: Record) -> bool:
    return state_of(record) is PowerState.SHUTDOWN and record.get("off_by") is None


def state_of(record: Record) -> PowerState:
    """The power state; `HostFault` if a file made by hand says something else."""
    try:
        return _STATES[record["state"].lower()]
    except KeyError as error:
        raise HostFault(
            f"guest {record['uuid']} is in no known state: {record['state']!r}",
            hint=f"states are {', '.join(_STATES)}",
        ) from error


def runs(record: Record) -> bool:
    return state_of(record) is PowerState.RUNNING


def mark_of(record: Record) -> Mark | None:
    """Who made the thing; None if no flow did."""
    stored: dict[str, Any] | None = record.get("mark")
    return Mark.from_store(stored) if stored else None


def same_maker(one: Record, other: Record) -> bool:
    """Whether two things carry the same mark, or none."""
    return (one.get("mark") or None) == (other.get("mark") or None)


def covered(record: Record, whose: dict[str, Any]) -> bool:
    """Whether a removal for `whose` (as stored) may touch the thing."""
    return Whose.from_store(whose).covers(mark_of(record))
