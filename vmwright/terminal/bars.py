"""How far something is, as a bar with numbers, for a terminal of any width."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vmwright.terminal.words import Glyphs, moved_words, printable, size_words

_WIDE = 56
"""Columns from which on the numbers stand beside the bar, and not below it."""


@dataclass(frozen=True)
class Bar:
    """A bar, its percentage, and where bytes move, how many, how fast and for how long still.

    What moves, if it is said, is the last line. The numbers tell it without any colour.
    """

    progress: Mapping[str, Any]
    """``fraction``, ``note``, and where they are known ``done_bytes``, ``total_bytes``, ``rate``
    and ``seconds_left``."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Group(*self._lines(options))

    def _lines(self, options: ConsoleOptions) -> Iterator[RenderableType]:
        glyphs = Glyphs.for_encoding(options.encoding)
        if float(self.progress["fraction"]) >= 1.0:
            # Something else goes on, of which nothing was said yet.
            yield one_line(glyphs.fitted(_finished(self.progress)), "dim", glyphs)
            return
        words = glyphs.fitted(moved_words(self.progress))
        beside = words if options.max_width >= _WIDE else ""
        row = Table.grid(padding=(0, 1, 0, 0), expand=True)
        row.add_column(ratio=1)
        row.add_column(width=4, justify="right")
        row.add_column(no_wrap=True)
        fraction = min(1.0, max(0.0, float(self.progress["fraction"])))
        percentage = Text(f"{int(fraction * 100)}%")
        row.add_row(bar(fraction), percentage, Text(beside))
        yield row
        note = printable(self.progress["note"])
        if words and not beside:
            yield Text(words, style="dim")
        if note:
            yield one_line(glyphs.fitted(note), "dim", glyphs)


def bar(fraction: float, width: int | None = None) -> ProgressBar:
    """Nothing but the bar: the number has to stand beside it."""
    return ProgressBar(
        total=1.0, completed=fraction, width=width, complete_style="cyan", finished_style="green"
    )


def _finished(progress: Mapping[str, Any]) -> str:
    total = progress.get("total_bytes")
    size = "" if total is None else f"{size_words(total)} "
    return f"100% {size}{printable(progress['note'])}".rstrip()


def one_line(text: str, style: str, glyphs: Glyphs) -> Text:
    """Text that is cut where the line ends."""
    return Text(
        text,
        style=style,
        no_wrap=True,
        overflow="ellipsis" if glyphs is Glyphs.UNICODE else "crop",
    )
