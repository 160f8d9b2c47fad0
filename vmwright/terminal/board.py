"""Many operations at a glance, for live display in a terminal: one line each."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from vmwright.states import ENDED, HELD, OperationState
from vmwright.terminal.bars import bar, one_line
from vmwright.terminal.styles import OPERATION_STYLES, spinner
from vmwright.terminal.words import (
    Glyphs,
    clipped,
    duration_words,
    operation_mark,
    printable,
    rough_words,
    size_words,
)

_WIDE, _MEDIUM = 92, 56
"""Columns from which on there is room for bars and for hosts."""

_NOTHING = "nothing runs: what begins is shown here"

_LONGEST_NAME = 30

_ORDER = (
    *(OperationState.UNDOING, OperationState.RUNNING, OperationState.INTERRUPTED),
    *(OperationState.STUCK, OperationState.PARKED, OperationState.UNDONE),
    *(OperationState.CANCELLED, OperationState.DONE, OperationState.QUEUED),
)
"""What moves comes first, then what somebody must look at, and last what waits."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One operation as the board shows it."""

    id: str
    kind: str
    name: str
    state: OperationState
    began: datetime | None
    ended: datetime | None
    host: str = ""
    attempt: int = 1
    tasks: Sequence[Mapping[str, Any]] = ()
    """Those under way, as `describe_operation` tells them."""
    why: str = ""
    """What it failed of, or is stuck in."""
    owes: int = 0
    is_unseen: bool = False
    """Whether nothing but its state was asked for: there are too many."""

    @classmethod
    def unseen(cls, operation: str, kind: str, state: OperationState) -> Self:
        """One of more than anybody looks at."""
        return cls(
            id=operation,
            kind=kind,
            name=operation,
            state=state,
            began=None,
            ended=None,
            is_unseen=True,
        )

    @classmethod
    def of(cls, operation: Mapping[str, Any]) -> Self:
        """From what `describe_operation` returns."""
        latest = (operation["attempts"] or [{}])[-1]
        error = operation["error"] or {}
        blocked = error.get("blocked") or error.get("parked") or error
        return cls(
            id=operation["id"],
            kind=operation["kind"],
            name=operation["instance_name"] or operation["instance_id"],
            state=OperationState(operation["state"]),
            began=_moment(operation["started_at"] or operation["created_at"]),
            ended=_moment(operation["finished_at"]),
            host=latest.get("host") or "",
            attempt=operation["attempt"],
            tasks=operation["under_way"],
            why=_why(blocked),
            owes=len(operation["owes"]),
        )

    def seconds(self, now: datetime) -> float | None:
        """Since it began, up to its end."""
        if self.began is None or self.state is OperationState.QUEUED:
            return None
        return max(0.0, ((self.ended or now) - self.began).total_seconds())


def _moment(told: str | datetime | None) -> datetime | None:
    return datetime.fromisoformat(told) if isinstance(told, str) else told


def _why(error: Mapping[str, Any]) -> str:
    parts = (error.get("task"), error.get("message") or error.get("code"))
    return ": ".join(str(part) for part in parts if part)


def board(
    rows: Iterable[Row],
    *,
    now: datetime,
    height: int | None = None,
    hidden: Collection[OperationState] = (),
) -> RenderableType:
    """A headline with counts, and a line for each operation: what moves, then what failed.

    Those in states that are `hidden` are counted only.
    In `height` lines at most, if it is given: what does not fit is counted in the last one.
    """
    return _Board(sorted(rows, key=_place), now, height, hidden)


def _place(row: Row) -> tuple[int, float]:
    """By state; of what has ended, the latest first."""
    return _ORDER.index(row.state), -row.ended.timestamp() if row.ended else 0.0


@dataclass(frozen=True)
class _Board:
    rows: Sequence[Row]
    now: datetime
    height: int | None
    hidden: Collection[OperationState]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        glyphs = Glyphs.for_encoding(options.encoding)
        if not self.rows:
            yield one_line(_NOTHING, "dim", glyphs)
            return
        head = Text(glyphs.fitted(headline(self.rows)), style="bold")
        taken = len(console.render_lines(head, options))
        yield head
        room = None if self.height is None else max(1, self.height - taken)
        rows = [row for row in self.rows if row.state not in self.hidden]
        shown = rows if room is None or len(rows) <= room else rows[: room - 1]
        if shown:
            yield self._table(shown, options.max_width, glyphs)
        rest = rows[len(shown) :]
        if rest:
            text = f"{len(rest)} more: {_counts(rest)}"
            yield one_line(f"{glyphs.fitted('…')} {text}", "dim", glyphs)

    def _table(self, rows: Sequence[Row], width: int, glyphs: Glyphs) -> Table:
        table = Table.grid(padding=(0, 1, 0, 0), expand=True)
        table.add_column(width=1, no_wrap=True)
        longest = max(len(printable(row.name)) for row in rows)
        names = min(longest, _LONGEST_NAME, max(6, width // 3))
        table.add_column(width=names, no_wrap=True, overflow="ellipsis")
        table.add_column(ratio=1, no_wrap=True)
        if width >= _MEDIUM:
            table.add_column(no_wrap=True, max_width=24, overflow="ellipsis")
        table.add_column(justify="right", no_wrap=True)
        for row in rows:
            table.add_row(*self._cells(row, width, glyphs))
        return table

    def _cells(self, row: Row, width: int, glyphs: Glyphs) -> Iterator[RenderableType]:
        style = OPERATION_STYLES[row.state]
        moves = row.state in HELD
        mark = operation_mark(row.state, glyphs)
        yield spinner(style, glyphs) if moves else Text(mark, style=style)
        yield Text(glyphs.fitted(printable(row.name)))
        words = one_line(glyphs.fitted(doing(row)), style, glyphs)
        yield _beside_bar(words, row) if width >= _WIDE else words
        if width >= _MEDIUM:
            tried = f" attempt {row.attempt}" if row.attempt > 1 else ""
            yield Text(glyphs.fitted(printable(row.host) + tried), style="dim")
        yield Text(duration_words(row.seconds(self.now)), style="dim")


def headline(rows: Sequence[Row]) -> str:
    """How many there are, and how they stand."""
    return f"{len(rows)} operation{'' if len(rows) == 1 else 's'}: {_counts(rows)}"


def _counts(rows: Sequence[Row]) -> str:
    counted = Counter(row.state for row in rows)
    return " · ".join(f"{counted[state]} {_WORDS[state]}" for state in _ORDER if counted[state])


_WORDS = {state: str(state) for state in OperationState} | {OperationState.UNDONE: "failed"}
"""What is undone was not done: to whoever asked for it, it has failed."""


def doing(row: Row) -> str:
    """What it does just now, or how it ended, in a few words."""
    owed = f", {row.owes} owed" if row.owes else ""
    if row.state in ENDED or not row.tasks:
        why = f": {clipped(printable(row.why), 200)}" if row.why else ""
        return f"{row.kind} {_WORDS[row.state]}{owed}{why}"
    tasks = ", ".join(_task(task) for task in row.tasks)
    return f"{row.kind}: {tasks}{owed}"


def _task(task: Mapping[str, Any]) -> str:
    name = f"{'undo ' if task['direction'] == 'revert' else ''}{printable(task['task'])}"
    fraction = _fraction(task)
    if fraction is None:
        return name
    words, progress = [f"{name} {int(fraction * 100)}%"], task["progress"]
    if progress.get("rate"):
        words.append(f"{size_words(progress['rate'])}/s")
    if progress.get("seconds_left"):
        words.append(f"{rough_words(progress['seconds_left'])} left")
    return " · ".join(words)


def _fraction(task: Mapping[str, Any]) -> float | None:
    """How far a call of the task is; None once it is through: another may go on."""
    progress = task["progress"]
    return progress["fraction"] if progress and progress["fraction"] < 1.0 else None


def _beside_bar(words: Text, row: Row) -> RenderableType:
    told = [fraction for task in row.tasks if (fraction := _fraction(task)) is not None]
    if not told:
        return words
    both = Table.grid(padding=(0, 1, 0, 0), expand=True)
    both.add_column(ratio=1, no_wrap=True)
    both.add_column(width=16)
    both.add_row(words, bar(min(told)))
    return both
