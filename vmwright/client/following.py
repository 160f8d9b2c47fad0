"""What happens to an operation, heard from the service, however often the line breaks."""

import time
from collections.abc import Iterator

from vmwright.client.connection import Connection
from vmwright.client.messages import Message, messages
from vmwright.client.reading import read
from vmwright.errors import DeadlinePassed, StoreUnavailable, Unavailable, VmwrightError
from vmwright.resources.operation import Event

_SILENCE = 45.0
"""Seconds without a byte after which the line is taken for dead: a service sends some sooner."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0

_STILL, _LATE = "still", "late"


class Following:
    """Goes on, after a break, behind the last event that was heard for sure."""

    def __init__(
        self,
        connection: Connection,
        operation: str,
        *,
        after: int,
        timeout: float | None,
        patience: float,
    ) -> None:
        """A service that is away is waited for `patience` seconds; `timeout` is for all."""
        self._connection = connection
        self._operation = operation
        self._timeout = timeout
        self._ends = None if timeout is None else time.monotonic() + timeout
        self._patience = patience
        self._position = str(after)
        self._after = after
        self._heard: set[int] = set()
        self._away_since: float | None = None

    def events(self) -> Iterator[Event]:
        """As `Controller.watch`: until nothing more happens to it by itself."""
        pause = _FIRST_PAUSE
        while True:
            broken: VmwrightError | None = None
            try:
                for message in self._messages():
                    pause = _FIRST_PAUSE
                    if message.kind == _STILL:
                        return
                    if message.kind == _LATE:
                        raise self._too_late()
                    yield from self._new(message)
            except (Unavailable, StoreUnavailable) as error:
                broken = error
            self._wait(broken, pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _messages(self) -> Iterator[Message]:
        path = f"operations/{self._operation}/watch"
        headers = {"Last-Event-ID": self._position}
        left = self._left()
        with self._connection.stream(
            path, silence=_SILENCE, headers=headers, timeout=left
        ) as answer:
            self._away_since = None
            yield from messages(answer)

    def _new(self, message: Message) -> Iterator[Event]:
        event = read(Event, message.data)
        if message.id is not None:
            self._position = message.id
        if event.seq > self._after and event.seq not in self._heard:
            self._heard.add(event.seq)
            yield event

    def _left(self) -> float | None:
        return None if self._ends is None else max(0.0, self._ends - time.monotonic())

    def _wait(self, broken: VmwrightError | None, pause: float) -> None:
        """Before another try; raises where none is to be made."""
        if self._left() == 0.0:
            raise self._too_late() from broken
        if broken is not None:
            now = time.monotonic()
            self._away_since = self._away_since or now
            # One that was never there is named wrongly: waiting does not mend that.
            if not self._connection.was_there or now - self._away_since > self._patience:
                raise broken
        self._connection.pause(pause)

    def _too_late(self) -> DeadlinePassed:
        return DeadlinePassed(
            f"operation {self._operation} has not ended within {self._timeout:g} seconds",
            hint=f"it goes on; see: vmwright operation show {self._operation}",
        )
