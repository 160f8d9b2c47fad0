"""Group commit: what several runs of this process have to say at one moment, in one transaction.

A commit costs a round trip to the disk or to the server, whatever is in it. Whoever comes while
one is under way waits for it; the first of those commits for them all.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from taskflow.persistence import models

from vmwright.errors import ClaimLost, Internal, StoreUnavailable, TransactionGivenUp, VmwrightError
from vmwright.ids import OperationId
from vmwright.persistence.database import Database
from vmwright.persistence.held_operations import Claim, Held
from vmwright.persistence.operations import OperationStore
from vmwright.persistence.records import Event
from vmwright.persistence.run_rows import AtomRows, RunRows, together
from vmwright.persistence.taking_turns import Turns

_MOST = 64
"""Runs that share a transaction."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """The rows that a run adds to the transaction: written together with those of others."""

    flow: models.FlowDetail | None
    atoms: AtomRows
    events: Sequence[Event]


@dataclass(kw_only=True)
class Entry:
    """What one run has to say."""

    operation: OperationId
    epoch: int
    claim: Claim | None = None
    """How the transaction makes the operation ours; None if it is, in this epoch."""
    write: Callable[[sa.Connection, Held], Said]
    """Writes the rest. What of ours it raises is this entry's failure, and not that of others."""
    take_back: Callable[[], None]
    """Called if what was written is not committed: it may be written again."""
    error: BaseException | None = None
    is_committed: bool = False


class _Failed(Exception):
    """An entry that cannot be committed."""

    def __init__(self, entry: Entry, error: BaseException) -> None:
        super().__init__(str(error))
        self.entry = entry
        self.error = error


class GroupCommit:
    """Of one process. Thread-safe."""

    def __init__(self, database: Database, operations: OperationStore, runs: RunRows) -> None:
        self._database = database
        self._operations = operations
        self._runs = runs
        self._turns = Turns(self._commit, most=_MOST)
        # SQLite has one writer at a time: nobody waits for a lock of somebody else's within it.
        self._takes_all = database.writer.dialect.name == "sqlite"

    def commit(self, entry: Entry, *, alone: bool) -> None:
        """Commit it, or raise why not: `ClaimLost`, `StoreUnavailable`, or what it raised itself.

        `alone` is for what may wait for rows that others hold: nobody is to wait with it.
        """
        if alone and not self._takes_all:
            self._commit([entry])
        else:
            self._turns.take(entry)
        if entry.error is not None:
            raise entry.error
        if not entry.is_committed:
            raise Internal(f"operation {entry.operation}: a commit was not made, nor refused")

    def _commit(self, entries: Sequence[Entry]) -> None:
        """What cannot be committed has its error then; the others are."""
        left = list(entries)
        while left:
            try:
                self._commit_once(left)
            except _Failed as failed:
                failed.entry.error = failed.error
                left.remove(failed.entry)
            except BaseException as error:  # noqa: BLE001 - it is raised in each one's own thread
                if len(left) > 1 and _may_be_of_one(error):
                    for entry in left:
                        self._commit([entry])
                else:
                    for entry in left:
                        entry.error = error
                return
            else:
                for entry in left:
                    entry.is_committed = True
                return

    def _commit_once(self, entries: Sequence[Entry]) -> None:
        begun: list[Entry] = []
        try:
            with self._database.write() as connection:
                said = []
                for entry, held in self._held(connection, entries):
                    begun.append(entry)
                    said.append(_written(entry, connection, held))
                self._write(connection, said)
        except BaseException:
            for entry in begun:
                entry.take_back()
            raise

    def _held(
        self, connection: sa.Connection, entries: Sequence[Entry]
    ) -> Collection[tuple[Entry, Held]]:
        claims = [entry.claim for entry in entries if entry.claim is not None]
        self._operations.claim_all(connection, claims)
        # Not claimed just now, it may be ours all the same: if the answer to a commit was lost.
        found = self._operations.held(
            connection,
            {
                entry.operation: (entry.epoch, entry.claim.owner if entry.claim else None)
                for entry in entries
            },
        )
        for entry in entries:
            if entry.operation not in found or not _has_its_turn(entry, connection):
                error = ClaimLost(f"operation {entry.operation}: another process has taken it over")
                raise _Failed(entry, error)
        return [(entry, found[entry.operation]) for entry in entries]

    def _write(self, connection: sa.Connection, said: Sequence[Said]) -> None:
        self._runs.write_flows(connection, [one.flow for one in said if one.flow is not None])
        self._runs.write_atoms(connection, together(one.atoms for one in said))
        self._operations.append(connection, [event for one in said for event in one.events])


def _has_its_turn(entry: Entry, connection: sa.Connection) -> bool:
    takes = entry.claim.takes_turn if entry.claim is not None else None
    return takes is None or takes(connection)


def _written(entry: Entry, connection: sa.Connection, held: Held) -> Said:
    try:
        return entry.write(connection, held)
    except StoreUnavailable:
        raise
    except VmwrightError as error:
        raise _Failed(entry, error) from error


def _may_be_of_one(error: BaseException) -> bool:
    """Whether the others could be committed without one of them."""
    return isinstance(error, TransactionGivenUp) or not isinstance(error, StoreUnavailable)
