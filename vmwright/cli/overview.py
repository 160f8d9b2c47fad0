"""Operations as they stand, looked at again and again: those that were named, or all."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from rich.console import RenderableType

from vmwright.errors import StoreUnavailable, Unavailable
from vmwright.states import CLAIMABLE, ENDED, HELD, OVER, STANDING_STILL, OperationState
from vmwright.terminal.board import Row, board, doing

if TYPE_CHECKING:
    from vmwright.persistence.records import Operation
    from vmwright.reader import Reader

KEPT_SECONDS = 30.0
"""How long what has ended is shown among what runs."""

_PAUSE = 0.5
_SHARE = 4.0
"""A look that takes long is taken seldom: so many times as long is waited."""

_MOST = 1000
_MOST_DESCRIBED = 200
"""More than a screen holds."""
_NEWEST_ENDED = 50


class Overview:
    """What a store, or a service, says of operations; in few questions, however many they are."""

    def __init__(self, source: "Reader", named: Collection[str] | None = None) -> None:
        """Of all operations, unless some are named by their ids."""
        self._source = source
        self._named = None if named is None else dict.fromkeys(named)
        self._rows: dict[str, Row] = {}

    def look(self) -> Sequence[Row]:
        """Each as it stands; of all, those that have ended lately. `StoreUnavailable`."""
        alive = self._source.operations(tuple(CLAIMABLE | STANDING_STILL), limit=_MOST)
        found = {one.id: one for one in alive if self._named is None or one.id in self._named}
        for one in self._ended(found):
            found[one.id] = one
        self._describe(found.values())
        if self._named is not None:
            return [self._rows[one] for one in self._named]
        self._forget(found)
        return [*self._rows.values()]

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself to those that were named."""
        return self._named is not None and all(
            one in self._rows and self._rows[one].state in OVER for one in self._named
        )

    def _ended(self, alive: Collection[str]) -> "Iterable[Operation]":
        """Those not alive whose end was not heard of yet."""
        if self._named is None:
            newest = self._source.operations(tuple(ENDED), limit=_NEWEST_ENDED)
            yield from (one for one in newest if not self._is_known_ended(one.id))
        wanted = self._rows if self._named is None else self._named
        for one in [one for one in wanted if one not in alive]:
            if not self._is_known_ended(one):
                yield self._source.operation(one)

    def _is_known_ended(self, operation: str) -> bool:
        known = self._rows.get(operation)
        return known is not None and known.state in ENDED

    def _describe(self, operations: "Iterable[Operation]") -> None:
        """What moves each time, all others once: what stands still looks as it did."""
        changed = [one for one in operations if one.state in HELD or self._is_other(one)]
        changed.sort(key=lambda one: one.state not in HELD)
        for told in self._source.describe_operations(changed[:_MOST_DESCRIBED]):
            row = Row.of(told)
            self._rows[row.id] = row
        for one in changed[_MOST_DESCRIBED:]:
            self._rows.setdefault(one.id, Row.unseen(one.id, one.kind, one.state))

    def _is_other(self, operation: "Operation") -> bool:
        known = self._rows.get(operation.id)
        return known is None or known.state != operation.state or known.is_unseen

    def _forget(self, alive: Collection[str]) -> None:
        now = datetime.now(UTC)
        for row in [*self._rows.values()]:
            old = row.ended is not None and (now - row.ended).total_seconds() > KEPT_SECONDS
            if old or (row.is_unseen and row.id not in alive):
                del self._rows[row.id]


class Seldom:
    """Looks no more often than it is worth, and shows what it last saw meanwhile."""

    def __init__(self, look: Callable[[], Sequence[Row]]) -> None:
        self._look = look
        self._rows: Sequence[Row] = ()
        self._next = 0.0

    def __call__(self, *, last: bool = False) -> Sequence[Row]:
        """A store that is away for a moment leaves what was seen: whoever waits for the
        operations finds out if it stays away."""
        begun = time.monotonic()
        if last or begun >= self._next:
            with suppress(StoreUnavailable, Unavailable):
                self._rows = self._look()
            now = time.monotonic()
            self._next = now + pause_after(now - begun)
        return self._rows


def pause_after(seconds: float) -> float:
    """How long to wait after a look that took so long."""
    return max(_PAUSE, _SHARE * seconds)


class Look(Protocol):
    """How operations stand."""

    def __call__(self, *, last: bool) -> Sequence[Row]:
        """`last` if it stays on the screen."""
        ...


class Board:
    """A picture of several operations."""

    def __init__(self, look: "Look") -> None:
        self._look = look

    def frame(self, height: int | None) -> RenderableType:
        """As `Picture.frame`."""
        rows, now = self._look(last=height is None), datetime.now(UTC)
        if height is not None:
            return board(rows, now=now, height=height)
        # What stays says what somebody has to look at: what was done is counted.
        return board(rows, now=now, hidden={OperationState.DONE})


class Lines:
    """A line whenever an operation does something else than before, with the time of day."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def of(self, rows: Sequence[Row]) -> Iterator[str]:
        """Those that are new in this look."""
        for row in rows:
            host = f" on {row.host}" if row.host else ""
            tried = f" (attempt {row.attempt})" if row.attempt > 1 else ""
            line = f"{row.kind} {row.name}: {doing(row)}{host}{tried}"
            if self._told.get(row.id) != line:
                self._told[row.id] = line
                yield f"{time.strftime('%H:%M:%S')} {line}"
