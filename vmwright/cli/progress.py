"""Waiting for operations, and showing how far they are, whoever runs them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.live import Live

from vmwright.cli.outcomes import exit_code_of, sentences, ways_on
from vmwright.errors import DeadlinePassed, StoreUnavailable
from vmwright.persistence.records import Event, Operation
from vmwright.views.tree import tree

if TYPE_CHECKING:
    from vmwright.cli.session import Session
    from vmwright.controller import Controller

_REFRESHES_PER_SECOND = 4.0
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
        raise _too_late(operation, timeout) from error


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
    for operation in operations:
        left = None if ends is None else max(0.0, ends - time.monotonic())
        try:
            code = max(code, exit_code_of(_followed(session, operation, left)))
        except DeadlinePassed:
            late = _too_late(operation, timeout)
            session.complain(late)
            code = late.exit_code
    return [
        controller.describe_operation(controller.operation(operation.id))
        for operation in operations
    ], code


def _followed(session: "Session", operation: Operation, timeout: float | None) -> dict[str, Any]:
    controller = session.controller
    session.in_hand.setdefault(operation.id, operation)
    with _shown(session, operation) as note:
        for event in controller.watch(operation.id, timeout=timeout):
            note(event)
    del session.in_hand[operation.id]
    ended = controller.operation(operation.id)
    description, instance = controller.describe_operation(ended), controller.instance_of(ended)
    for line in sentences(description, instance.name, instance.fault):
        session.tell(line)
    return description


def _too_late(operation: Operation, timeout: float | None) -> DeadlinePassed:
    return DeadlinePassed(
        f"operation {operation.id} has not ended within {timeout:g} seconds: "
        "nothing was taken back",
        hint=ways_on([operation]),
    )


@contextmanager
def _shown(session: "Session", operation: Operation) -> Iterator[Callable[[Event], None]]:
    """A live picture on a terminal, else a line for each event; nothing if all is quiet."""
    console = Console(file=session.stderr)
    if session.quiet:
        yield lambda _event: None
    elif session.stderr.isatty() and not console.is_dumb_terminal:
        picture = _Picture(session.controller, operation.id)
        live = Live(
            get_renderable=picture.render,
            console=console,
            refresh_per_second=_REFRESHES_PER_SECOND,
        )
        # An interruption closes the session from another thread: the cursor must come back.
        session.at_end(live.stop)
        with live:
            yield lambda _event: None
    else:
        lines = _Lines(session.tell)
        yield lines.note


class _Picture:
    """The latest picture of an operation."""

    def __init__(self, controller: "Controller", operation: str) -> None:
        self._controller = controller
        self._operation = operation
        self._latest: RenderableType = ""

    def render(self) -> RenderableType:
        # A store that is away for a moment leaves the picture as it was: whoever waits for the
        # operation finds out if it stays away.
        try:
            self._latest = tree(self._controller.graph(self._operation))
        except StoreUnavailable:
            return self._latest
        return self._latest


class _Lines:
    """One plain line for each event, with the seconds since the first."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._began: float | None = None

    def note(self, event: Event) -> None:
        if self._began is None:
            self._began = event.at
        words = [f"+{max(0.0, event.at - self._began):.2f}s", event.task or event.kind]
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
    detail = event.detail or {}
    return f"{float(detail.get('fraction') or 0.0):.0%} {detail.get('note') or ''}".rstrip()
