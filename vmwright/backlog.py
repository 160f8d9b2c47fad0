"""What waits in the store to be run: read a page at a time, so that its length costs nothing."""

from collections import deque
from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import Any

from vmwright.ids import OperationId, OwnerId
from vmwright.persistence.records import Operation
from vmwright.persistence.stores import Stores
from vmwright.recovery import Candidate
from vmwright.states import CLAIMABLE, HELD, OperationState

_PAGE = 64
"""Ids of one state that are read at once, and all that is kept of them."""

# What others have left comes before what has not begun: it may hold things on hosts.
_ORDER = (*sorted(HELD), OperationState.INTERRUPTED, OperationState.QUEUED)
assert set(_ORDER) == CLAIMABLE, "every claimable state is gone over"

_KNOWN_STATES = frozenset(OperationState)


class Sweep:
    """Goes over all that may be run, oldest first, again and again. Not thread-safe.

    It holds a page of ids of each state and where it has come to, however much there is.
    """

    def __init__(self, stores: Stores, me: OwnerId | None = None) -> None:
        """Of what has not begun, `me` and the others that live come to different ones first: two
        that begin the same have one of them load it for nothing."""
        self._stores = stores
        self._me = me
        self._after = dict.fromkeys(_ORDER, 0)
        self._read: deque[OperationId] = deque()
        self._seen = 0
        """How many of those that come next were looked at."""
        self._left: list[OperationId] = []
        """What others come to first, of the page that was read."""

    def take(
        self,
        most: int,
        *,
        left_to: Callable[[], Collection[OwnerId]],
        active: Collection[OperationId],
    ) -> list[OperationId]:
        """The next ones, `most` at most; none once nothing is left of a page of each state.

        `left_to` says which owners live; what they hold, and what is `active`, is left out.
        """
        if not self._read:
            self._read_on(left_to())
        taken: list[OperationId] = []
        while self._read and len(taken) < most:
            found = self._read.popleft()
            self._seen = max(0, self._seen - 1)
            if found not in active:
                taken.append(found)
        return taken

    def ahead(self, most: int) -> list[OperationId]:
        """Those that come next, without taking them, of the page that was read; none until the
        ones before are taken."""
        if self._seen:
            return []
        coming = list(islice(self._read, most))
        self._seen = len(coming)
        return coming

    @property
    def has_more(self) -> bool:
        """Whether the next ones need not be read first."""
        return bool(self._read)

    def _read_on(self, left_to: Collection[OwnerId]) -> None:
        operations = self._stores.operations
        with self._stores.database.read() as connection:
            if self._left:
                states, left = operations.states(connection, self._left), self._left
                self._left = []
                self._read.extend(one for one in left if states.get(one) == OperationState.QUEUED)
                if self._read:
                    return
            for state, after in self._after.items():
                page = operations.waiting(
                    connection, state, left_to=left_to, after=after, limit=_PAGE
                )
                if state is OperationState.QUEUED:
                    ours, self._left = self._dealt(page, left_to)
                    self._read.extend(ours)
                else:
                    self._read.extend(operation for _, operation in page)
                self._after[state] = page[-1][0] if len(page) == _PAGE else 0

    def _dealt(
        self, page: Sequence[tuple[int, OperationId]], others: Collection[OwnerId]
    ) -> tuple[list[OperationId], list[OperationId]]:
        """What this one comes to first, and what is for later: by turns, as if cards were dealt,
        in the same way whatever page they are on. Those that others come to last are the first
        for later: what is known ahead of those that come next would be known for nothing."""
        if self._me is None or not others:
            return [operation for _, operation in page], []
        players = sorted([self._me, *others])
        place, count = players.index(self._me), len(players)
        ours = [operation for seq, operation in page if seq % count == place]
        theirs = [operation for seq, operation in page if seq % count != place]
        return ours, theirs[::-1]


def candidates(connection: Any, stores: Stores, wanted: Sequence[OperationId]) -> list[Candidate]:
    """These operations, as what is to become of them is decided from. One that the store does
    not have, or that is in a state that is not known here, is left out."""
    known = stores.operations.several(connection, wanted)
    before = {one.after_id for one in known.values() if one.after_id is not None}
    states = stores.operations.states(connection, before)
    instances = stores.instances.present(connection, {one.instance_id for one in known.values()})
    return [
        _candidate(known[one], states, has_instance=known[one].instance_id in instances)
        for one in wanted
        if one in known
    ]


def _candidate(
    operation: Operation, states: dict[OperationId, str], *, has_instance: bool
) -> Candidate:
    missing = None if has_instance else f"instance {operation.instance_id} is missing"
    predecessor = None
    if operation.after_id is not None:
        state = states.get(operation.after_id)
        if state is None:
            missing = f"the operation that it follows, {operation.after_id}, is missing"
        elif state in _KNOWN_STATES:
            predecessor = OperationState(state)
        else:
            # A newer vmwright's: whether more happens to it is not for us to say.
            predecessor = OperationState.RUNNING
    return Candidate(operation=operation, predecessor=predecessor, missing=missing)
