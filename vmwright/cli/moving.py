"""How far something is that this process does itself, such as taking in a file."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import RenderableType

from vmwright.cli.display import can_draw, displayed
from vmwright.progress import Progress, Speedometer
from vmwright.terminal.bars import Bar
from vmwright.terminal.words import moved_words
from vmwright.waiting import Report

if TYPE_CHECKING:
    from vmwright.cli.session import Session

_LINE_SECONDS = 2.0
"""Between two lines, where there is no terminal to draw on; what is sooner done has none."""


@contextmanager
def moving(session: "Session") -> Iterator[Report]:
    """Show what the returned one is told: as a bar, or as a line now and then."""
    if session.quiet:
        yield lambda _progress: None
    elif can_draw(session.stderr):
        picture = _Moving()
        with displayed(session, picture, session.stderr):
            yield picture.hear
    else:
        yield _Lines(session).hear


class _Moving:
    """A bar."""

    def __init__(self) -> None:
        self._speed = Speedometer()
        self._latest: Progress | None = None

    def hear(self, progress: Progress) -> None:
        """As `Report`."""
        self._latest = self._speed.read(progress)

    def frame(self, height: int | None) -> RenderableType:
        """As `Picture.frame`."""
        del height
        return "" if self._latest is None else Bar(self._latest.to_users())


class _Lines:
    def __init__(self, session: "Session") -> None:
        self._session = session
        self._speed = Speedometer()
        self._next = time.monotonic() + _LINE_SECONDS

    def hear(self, progress: Progress) -> None:
        """As `Report`."""
        latest = self._speed.read(progress)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LINE_SECONDS
            words = f"{latest.note}: {latest.fraction:.0%} {moved_words(latest.to_users())}"
            self._session.tell(words.rstrip())
