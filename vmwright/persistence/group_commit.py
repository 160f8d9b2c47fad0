"""Group commit: what several runs of this process have to say at one moment, in one transaction.

A commit costs a round trip to the disk or to the server, whatever is in it. Whoever comes while
one is under way waits for it; the first of those commits for them all.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from vmwright.errors import ClaimLost, Internal, StoreUnavailable, TransactionGivenUp, VmwrightError
from vmwright.ids import OperationId, OwnerId
from vmwright.persistence.database import Database
from vmwright.persistence.held_operations import Claim, Held
from vmwright.persistence.operations import OperationStore
from vmwright.persistence.run_rows import Rows, RunRows
from vmwright.persistence.taking_turns import Turns

_MOST = 64
"""Runs that share a transaction."""


class Entry(ABC):
    """What one run has to say."""

    def __init__(self, operation: OperationId, epoch: int, claim: Claim | None = None) -> None:
        """`claim` is how the transaction makes the operation ours; None if it is, in this
        epoch."""
        self.operation = operation
        self.epoch = epoch
        self.claim = claim
        self.error: BaseException | None = None
        self.is_committed = False

    @abstractmethod
    def write(self, connection: sa.Connection, held: Held, rows: Rows) -> None:
        """Write it, and add to the rows what is written together with those of others. What of
        ours it raises is this entry's failure, and not that of others."""

    @abstractmethod
    def take_back(self) -> None:
        """Called if what was written is not committed: it may be written again."""


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
                held, rows = self._held(connection, entries), Rows()
                for entry in entries:
                    begun.append(entry)
                    _write(entry, connection, held[entry.operation], rows)
                self._runs.write(connection, rows)
                self._operations.append(connection, rows.events)
        except BaseException:
            for entry in begun:
                entry.take_back()
            raise

    def _held(
        self, connection: sa.Connection, entries: Sequence[Entry]
    ) -> Mapping[OperationId, Held]:
        ours: dict[OperationId, tuple[int, OwnerId | None]] = {}
        claims = []
        for entry in entries:
            claim = entry.claim
            if claim is not None:
                claims.append(claim)
            # Not claimed just now, it may be ours all the same: if the answer to a commit was lost.
            ours[entry.operation] = entry.epoch, None if claim is None else claim.owner
        if claims:
            self._operations.claim_all(connection, claims)
        held = self._operations.held(connection, ours)
        for entry in entries:
            takes = None if entry.claim is None else entry.claim.takes_turn
            if entry.operation not in held or (takes is not None and not takes(connection)):
                error = ClaimLost(f"operation {entry.operation}: another process has taken it over")
                raise _Failed(entry, error)
        return held


def _write(entry: Entry, connection: sa.Connection, held: Held, rows: Rows) -> None:
    try:
        entry.write(connection, held, rows)
    except StoreUnavailable:
        raise
    except VmwrightError as error:
        raise _Failed(entry, error) from error


def _may_be_of_one(error: BaseException) -> bool:
    """Whether the others could be committed without one of them."""
    return isinstance(error, TransactionGivenUp) or not isinstance(error, StoreUnavailable)
