"""How marks, owners and power states lie in records."""

from typing import Any

from vmwright.backends.simulated.world import Record
from vmwright.errors import HostFault
from vmwright.ids import Mark, Whose
from vmwright.states import PowerState


def stored_state(state: PowerState) -> str:
    return state.name.lower()


def switched_off() -> Record:
    """Of a guest that its host does not run: whoever edits the file plays the guest's part."""
    return {"state": stored_state(PowerState.SHUTDOWN), "off_by": "host"}


def switched_on() -> Record:
    return {"state": stored_state(PowerState.RUNNING), "off_by": None}


def is_off_by_itself(record: Record) -> bool:
    return state_of(record) is PowerState.SHUTDOWN and record.get("off_by") is None


def state_of(record: Record) -> PowerState:
    """The power state; `HostFault` if a file made by hand says something else."""
    try:
        return PowerState[record["state"].upper()]
    except KeyError as error:
        raise HostFault(
            f"guest {record['uuid']} is in no known state: {record['state']!r}",
            hint=f"states are {', '.join(stored_state(state) for state in PowerState)}",
        ) from error


def runs(record: Record) -> bool:
    return state_of(record) is PowerState.RUNNING


def mark_of(record: Record) -> Mark | None:
    """Who made the thing; None if no flow did."""
    stored: dict[str, Any] | None = record.get("mark")
    return Mark.from_store(stored) if stored else None


def covered(record: Record, whose: dict[str, Any]) -> bool:
    """Whether a removal for `whose` (as stored) may touch the thing."""
    return Whose.from_store(whose).covers(mark_of(record))
