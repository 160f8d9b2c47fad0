"""Waiting for operations, and showing how far they are, whoever runs them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import RenderableType

from vmwright.cli.display import can_draw, displayed
from vmwright.cli.outcomes import exit_code_of, sentences
from vmwright.cli.overview import Board, Overview, Seldom
from vmwright.cli.values import seconds_of
from vmwright.errors import DeadlinePassed, StoreUnavailable, Unavailable
from vmwright.persistence.records import Event, Operation
from vmwright.progress import Progress
from vmwright.terminal.words import moved_words
from vmwright.views.tree import tree

if TYPE_CHECKING:
    from vmwright.cli.session import Session
    from vmwright.controller import Controller
    from vmwright.views.graph import Graph

_LOOK_SECONDS = 0.4
"""Between two looks at an operation whose picture changes more often than that."""
_WORDS = {
    "RUNNING": "running",
    "SUCCESS": "done",
    "FAILURE": "failed",
    "REVERTING": "undoing",
    "REVERTED": "undone",
}


def follow(session: "Session", operation: Operation, timeout: float | None) -> dict[str, Any]:
    """Wait until nothing more happens to it by itself; returns it as users see it.

    What went wrong is told on standard error. Raises `DeadlinePassed` after `timeout` seconds:
    nothing is taken back then.
    """
    try:
        return _followed(session, operation, timeout)
    except DeadlinePassed as error:
        raise _too_late(session, operation, timeout) from error


def follow_all(
    session: "Session", operations: Sequence[Operation], timeout: float | None
) -> tuple[list[dict[str, Any]], int]:
    """Wait for several, `timeout` seconds in all; returns how they stand and the worst exit code.

    What has not ended by then is told on standard error, and its exit code is that of
    `DeadlinePassed`.
    """
    controller, code = session.controller, 0
    session.in_hand.update({operation.id: operation for operation in operations})
    ends = None if timeout is None else time.monotonic() + timeout
    late: list[DeadlinePassed] = []
    with _shown(session, operations) as note:
        for operation in operations:
            left = None if ends is None else max(0.0, ends - time.monotonic())
            try:
                _wait(session, operation, left, note)
                del session.in_hand[operation.id]
            except DeadlinePassed:
                late.append(_too_late(session, operation, timeout))
    for operation in operations:
        if operation.id not in session.in_hand:
            code = max(code, exit_code_of(_told(session, operation)))
    for error in late:
        session.complain(error)
        code = error.exit_code
    return [
        controller.describe_operation(controller.operation(operation.id))
        for operation in operations
    ], code


def show(session: "Session", operation: Operation) -> None:
    """Show it as data, until nothing more happens to it by itself."""
    with _drawn(session, [operation], session.stdout, session.show) as note:
        _wait(session, operation, None, note)


def _followed(session: "Session", operation: Operation, timeout: float | None) -> dict[str, Any]:
    session.in_hand.setdefault(operation.id, operation)
    with _shown(session, [operation]) as note:
        _wait(session, operation, timeout, note)
    del session.in_hand[operation.id]
    return _told(session, operation)


def _wait(
    session: "Session", operation: Operation, timeout: float | None, note: "Note | None"
) -> None:
    if note is None:
        session.controller.wait(operation.id, timeout=timeout)
    else:
        for event in session.controller.watch(operation.id, timeout=timeout):
            note(event)


def _told(session: "Session", operation: Operation) -> dict[str, Any]:
    """How it ended; what went wrong is told."""
    controller = session.controller
    ended = controller.operation(operation.id)
    description, instance = controller.describe_operation(ended), controller.instance_of(ended)
    for line in sentences(description, instance.name, instance.fault):
        session.tell(line)
    return description


def _too_late(session: "Session", operation: Operation, timeout: float | None) -> DeadlinePassed:
    return DeadlinePassed(
        f"operation {operation.id} has not ended within {timeout:g} seconds: "
        "nothing was taken back",
        hint=session.ways_on([operation]),
    )


Note = Callable[[Event], None]


@contextmanager
def _shown(session: "Session", operations: Sequence[Operation]) -> Iterator[Note | None]:
    """Show them on standard error, if anybody wants to see them."""
    if session.quiet or not operations:
        yield None
        return
    with _drawn(session, operations, session.stderr, session.tell) as note:
        yield note


@contextmanager
def _drawn(
    session: "Session",
    operations: Sequence[Operation],
    stream: TextIO,
    tell: Callable[[str], None],
) -> Iterator[Note | None]:
    """A live picture on a terminal, else a line for each event that is handed on."""
    if can_draw(stream):
        picture = (
            _Tree(session.controller, operations[0].id)
            if len(operations) == 1
            else Board(Seldom(Overview(session.controller, [one.id for one in operations]).look))
        )
        with displayed(session, picture, stream):
            yield None
    elif len(operations) == 1:
        yield _Lines(tell).note
    else:
        yield _Columns(session, operations).note


class _Tree:
    """A picture of one operation."""

    def __init__(self, controller: "Controller", operation: str) -> None:
        self._controller = controller
        self._operation = operation
        self._latest: Graph | None = None
        self._next = 0.0

    def frame(self, height: int | None) -> RenderableType:
        """As `Picture.frame`."""
        if height is None or time.monotonic() >= self._next:
            # A store, or a service, that is away for a moment leaves the picture as it was:
            # whoever waits for the operation finds out if it stays away.
            with suppress(StoreUnavailable, Unavailable):
                self._latest = self._controller.graph(self._operation)
            self._next = time.monotonic() + _LOOK_SECONDS
        return "" if self._latest is None else tree(self._latest, height)


class _Columns:
    """The lines of several operations, each with the name of its instance."""

    def __init__(self, session: "Session", operations: Sequence[Operation]) -> None:
        self._lines: dict[str, Note] = {}
        described = session.controller.describe_operations(operations)
        for one in described:
            name = one["instance_name"] or one["instance_id"]
            self._lines[one["id"]] = _Lines(partial(self._tell, session, name)).note

    def _tell(self, session: "Session", name: str, text: str) -> None:
        session.tell(f"{name} {text}")

    def note(self, event: Event) -> None:
        self._lines[event.operation_id](event)


class _Lines:
    """One plain line for each event, with the seconds since the first."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._began: float | None = None

    def note(self, event: Event) -> None:
        at = seconds_of(event.at)
        if self._began is None:
            self._began = at
        words = [f"+{max(0.0, at - self._began):.2f}s", event.task or event.kind]
        words.append(_progress(event) if event.kind == "progress" else _state(event))
        if event.attempt > 1:
            words.append(f"(attempt {event.attempt})")
        self._tell(" ".join(words))


def _state(event: Event) -> str:
    word = _WORDS.get(event.state, event.state)
    if event.error is None or event.kind != "task":
        return word
    return f"{word}: {event.error.get('message')}"


def _progress(event: Event) -> str:
    told = Progress.from_store(event.detail or {})
    return " ".join(f"{told.fraction:.0%} {moved_words(told.to_users())} {told.note}".split())
