"""Pictures that change in place on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from rich.console import Console, RenderableType
from rich.live import Live

if TYPE_CHECKING:
    from vmwright.cli.session import Session

_FRAMES_PER_SECOND = 8.0


class Picture(Protocol):
    """Something that looks different from moment to moment."""

    def frame(self, height: int | None) -> RenderableType:
        """How it looks now, in at most so many lines; None: the last one, which stays."""
        ...


def can_draw(stream: TextIO) -> bool:
    """Whether a person can see a picture there that changes: else there are lines to be told."""
    return stream.isatty() and not Console(file=stream).is_dumb_terminal


@contextmanager
def displayed(
    session: "Session", picture: Picture, stream: TextIO, *, alone: bool = False
) -> Iterator[None]:
    """Draw it there while this lasts, and leave its last frame.

    `alone` takes the whole screen meanwhile, as a pager does.
    """
    console = Console(file=stream)
    drawn = _Drawn(console, picture)
    live = Live(
        get_renderable=drawn.frame,
        console=console,
        refresh_per_second=_FRAMES_PER_SECOND,
        screen=alone,
    )

    def stop() -> None:
        drawn.is_last = not alone
        live.stop()

    # An interruption closes the session from another thread: the cursor must come back.
    session.at_end(stop)
    live.start(refresh=not alone)
    try:
        yield
    finally:
        stop()
    if alone:
        console.print(picture.frame(None))


class _Drawn:
    """A picture that fits its terminal, also one whose size changes."""

    def __init__(self, console: Console, picture: Picture) -> None:
        self._console = console
        self._picture = picture
        self._width = console.width
        self.is_last = False

    def frame(self) -> RenderableType:
        if self._console.width < self._width:
            # The terminal has wrapped what was drawn: where it begins, nobody knows.
            self._console.clear()
        self._width = self._console.width
        # One line less than there is: the cursor stands below it.
        height = None if self.is_last else max(1, self._console.height - 1)
        return self._picture.frame(height)
