"""What this machine has seen of the store: a store that has forgotten some of it was restored."""

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from vmwright.errors import StoreRestored, Unavailable
from vmwright.ids import DeploymentId
from vmwright.persistence.tables import Schema

Seen = dict[str, Any]
"""The latest event that was seen, and when a restored store was accepted, if one was."""

_NAMES = ("seq", "operation", "at")
_SAME_TIME = 0.001
"""Seconds by which databases may round what is one and the same time."""


def may_have_gone_well(operation_error: object) -> bool:
    """Of an operation's `error`: whether it was parked because its store came from a backup. It
    may have gone well since, in a history that the store has forgotten."""
    parked = operation_error.get("parked") if isinstance(operation_error, dict) else None
    return isinstance(parked, dict) and parked.get("code") == StoreRestored.__name__


class History:
    """Remembers the latest event in a file outside the database, which no backup of that takes
    back. Events are only ever added, and those of what is long gone removed, in an order that the
    store remembers: each other one that was seen once is there for ever."""

    def __init__(self, schema: Schema, path: Path) -> None:
        self._events = schema.events
        self._deployment = schema.deployment
        self._path = path
        self._checked = False
        self.is_kept = True
        """Whether the store still had, when it was last looked at, what was seen of it."""

    @classmethod
    def of(cls, schema: Schema, state_dir: Path, deployment: DeploymentId) -> "History":
        """What is remembered of this deployment under `state_dir`."""
        return cls(schema, state_dir / "history" / f"{deployment}.json")

    def forgotten_until(self, connection: sa.Connection) -> float | None:
        """What was made before this time, in seconds since the epoch, the store may have
        forgotten; None if it was never restored."""
        try:
            self.check(connection)
        except StoreRestored:
            return time.time()
        seen = self._seen()
        return None if seen is None else seen["restored_at"]

    def check(self, connection: sa.Connection) -> None:
        """`StoreRestored` if the store has not, or not so, what was seen of it. Looks once, and
        each time after `remember` has missed something."""
        if not self._checked:
            self._look(connection)

    def remember(self, connection: sa.Connection) -> None:
        """Write down the latest event. What is known to be later is kept; `StoreRestored` if the
        store does not have it any more, as after its server fell back to an older replica."""
        self._look(connection)
        latest, seen = self._latest(connection), self._seen()
        if latest is not None and (seen is None or latest["seq"] > seen["seq"]):
            self._write({**(seen or {}), **latest})

    def accept(self, connection: sa.Connection, at: float) -> None:
        """From now on what the store says counts, whatever was seen of it before."""
        latest = self._latest(connection) or {"seq": 0, "operation": "", "at": 0.0}
        self._write({**latest, "restored_at": at})
        self._checked = self.is_kept = True

    def _look(self, connection: sa.Connection) -> None:
        try:
            self._check(connection)
        except StoreRestored:
            self._checked = self.is_kept = False
            raise
        self._checked = self.is_kept = True

    def _check(self, connection: sa.Connection) -> None:
        seen = self._seen()
        if seen is None or not seen["seq"]:
            return
        column = self._events.c
        row = connection.execute(
            sa.select(column.operation_id, column.at).where(column.seq == seen["seq"])
        ).one_or_none()
        known = row is not None and row.operation_id == seen["operation"]
        if row is not None and known and abs(row.at - seen["at"]) < _SAME_TIME:
            return
        if row is None and seen["seq"] <= self._pruned_to(connection):
            # A store that knows of later ones has known this one.
            return
        raise StoreRestored(
            f"the database does not know event {seen['seq']}, which {self._path} has seen: it was "
            "restored from an older backup, and may not know of all that runs",
            hint="look with: vmwright audit; then go on with: vmwright db restored",
        )

    def _pruned_to(self, connection: sa.Connection) -> int:
        """The latest event of those that were removed with the history of what is gone."""
        return connection.execute(sa.select(self._deployment.c.pruned_to)).scalar() or 0

    def _latest(self, connection: sa.Connection) -> Seen | None:
        column = self._events.c
        row = connection.execute(
            sa.select(column.seq, column.operation_id, column.at)
            .order_by(column.seq.desc())
            .limit(1)
        ).one_or_none()
        return row and {"seq": row.seq, "operation": row.operation_id, "at": row.at}

    def _seen(self) -> Seen | None:
        try:
            found = json.loads(self._path.read_text())
            seen: Seen = {name: found[name] for name in _NAMES}
            return {"restored_at": None, **found, **seen}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Unavailable(
                f"{self._path}, which says what was seen of the database, cannot be read",
                hint="if the database is not from a backup, remove the file",
            ) from error

    def _write(self, seen: Seen) -> None:
        """In one step: whoever dies meanwhile leaves what was there."""
        directory = self._path.parent
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, name = tempfile.mkstemp(dir=directory, prefix=".seen-")
            with os.fdopen(descriptor, "w") as draft:
                json.dump(seen, draft)
                draft.flush()
                os.fsync(descriptor)
            Path(name).replace(self._path)
        except OSError as error:
            raise Unavailable(
                f"{self._path} cannot be written: {error.strerror}",
                hint="state_dir must be a directory that this user may write",
            ) from error
