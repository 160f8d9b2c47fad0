"""What was found after a flow was broken: sentences, and the error that carries them."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from vmwright.errors import VmwrightError
from vmwright.testing.stage import Stage
from vmwright.testing.worlds import World

Snapshot = Mapping[str, str]

Shape: TypeAlias = Counter[tuple[str, ...]]
"""World, name and content of things, as far as they are the same in every run."""

_IDS = re.compile(
    r"(?P<uuid>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"|(?P<mac>[0-9a-f]{2}([:-][0-9a-f]{2}){5})"
    r"|(?P<address>\b[0-9]{1,3}(\.[0-9]{1,3}){3}\b)"
    r"|(?P<id>\b[a-z2-7]{26}\b)"
)
"""What one run has otherwise than another: ids, written out or as in names, and addresses."""

_NOTES = {"addresses", "names", "opened"}
"""Where a simulated host notes how to find things. A note that outlives its thing is harmless."""

_SHOWN = 300
"""Characters of a thing that a message shows."""

_HELD = (
    "SELECT instance_id, host_id FROM vmwright_claims",
    "SELECT instance_id, volume_id FROM vmwright_attachments",
    "SELECT host_id, kind, key, reason FROM vmwright_debts",
    "SELECT id, mac, ip, instance_id, operation_id FROM vmwright_ports",
    "SELECT id, location, host_id, made_by FROM vmwright_volumes WHERE deleted_at IS NULL",
)
"""What the store says that anybody has."""

_TAKEN_BACK = {"REVERTED", "PENDING", "IGNORE"}


class Caught(AssertionError):
    """A task broke a rule. The message says which task, how it was broken, and what was found."""


class NotShown(VmwrightError):
    """This breakage cannot be tried on this subject. The message says what it would take."""


@dataclass(frozen=True)
class Sight:
    """All that an outsider sees at one moment."""

    worlds: Mapping[str, Snapshot]
    """The worlds of the caller by name."""
    simulated: Snapshot
    held: tuple[str, ...]

    @classmethod
    def of(cls, stage: Stage, worlds: Mapping[str, World]) -> "Sight":
        return cls(
            worlds={name: dict(world.snapshot()) for name, world in worlds.items()},
            simulated={
                path: text
                for path, text in stage.world().items()
                if not _NOTES & {*path.split("/")}
            },
            held=tuple(f"{row}" for query in _HELD for row in stage.rows(query)),
        )

    def things(self) -> dict[tuple[str, str], str]:
        """Everything outside: the world that it is in and its name, and what it is."""
        outside = {**self.worlds, "simulated": self.simulated}
        return {(world, key): outside[world][key] for world in outside for key in outside[world]}

    def shape(self, before: "Sight") -> Shape:
        """What has come since, without what differs from run to run. Contents are compared in
        the caller's worlds only: seeds and disks hold random things."""
        old = before.things()
        return Counter(
            (world, _plain(key), "" if world == "simulated" else _plain(value))
            for (world, key), value in self.things().items()
            if (world, key) not in old
        )


def _plain(text: str) -> str:
    return _IDS.sub(lambda found: f"<{found.lastgroup}>", text)


def what_is_left(before: Sight, after: Sight) -> list[str]:
    """Everything that is not as it was, outside and in the store; empty if nothing is."""
    return [*_changes(before, after), *_differences("store", before.held, after.held)]


def what_others_lost(before: Sight, after: Sight) -> list[str]:
    """What was there before and is not, or not as it was."""
    return [line for line in _changes(before, after) if not line.startswith("left")]


def what_is_wrong(expected: Shape, found: Shape) -> list[str]:
    """How what a run made differs from what an undisturbed run makes."""
    more, less = found - expected, expected - found
    return [
        *(f"too much in {world}: {_shown(key, value)}" for world, key, value in more.elements()),
        *(f"missing in {world}: {_shown(key, value)}" for world, key, value in less.elements()),
    ]


def untrue_ends(stage: Stage) -> list[str]:
    """Operations that ended and whose flow says something else."""
    found = []
    for operation in stage.rows("SELECT id, state, flow_detail_id FROM vmwright_operations"):
        detail = operation["flow_detail_id"]
        (flow,) = stage.rows("SELECT state FROM flowdetails WHERE uuid = ?", detail)
        atoms = stage.rows("SELECT name, state FROM atomdetails WHERE parent_uuid = ?", detail)
        done = operation["state"] == "done"
        right, able = ("SUCCESS", {"SUCCESS"}) if done else ("REVERTED", _TAKEN_BACK)
        odd = [f"{row['name']} {row['state']}" for row in atoms if row["state"] not in able]
        if flow["state"] != right or odd:
            told = ", ".join([f"flow {flow['state']}", *sorted(odd)])
            found.append(f"untrue: operation {operation['state']}, {told}")
    return found


def told(stored: Any) -> dict[str, Any]:
    """What lies in a column of JSON: some databases read it, some do not."""
    known: dict[str, Any] = json.loads(stored) if isinstance(stored, str) else stored or {}
    return known


def _changes(before: Sight, after: Sight) -> list[str]:
    old, new = before.things(), after.things()
    return [
        *(f"left in {at}: {_shown(key, new[at, key])}" for at, key in new if (at, key) not in old),
        *(
            f"gone from {at}: {_shown(key, old[at, key])}"
            for at, key in old
            if (at, key) not in new
        ),
        *(
            f"changed in {at}: {_shown(key, old[at, key])} is now {_shown(key, new[at, key])}"
            for at, key in old
            if new.get((at, key), old[at, key]) != old[at, key]
        ),
    ]


def _differences(where: str, before: tuple[str, ...], after: tuple[str, ...]) -> list[str]:
    more, less = Counter(after) - Counter(before), Counter(before) - Counter(after)
    return [
        *(f"left in {where}: {line}" for line in more.elements()),
        *(f"gone from {where}: {line}" for line in less.elements()),
    ]


def _shown(key: str, value: str) -> str:
    text = f"{key} = {value.strip()}" if value.strip() else key
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
