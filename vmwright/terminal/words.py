"""Characters, words and numbers that a terminal and all pictures share; of values alone."""

import unicodedata
from collections.abc import Mapping
from enum import Enum
from typing import Any

from vmwright.states import NodeState, OperationState

WORDS = {
    None: "",
    NodeState.PENDING: "pending",
    NodeState.RUNNING: "running",
    NodeState.SUCCESS: "done",
    NodeState.FAILURE: "failed",
    NodeState.REVERTING: "undoing",
    NodeState.REVERTED: "undone",
    NodeState.IGNORE: "ignored",
}
"""What a state is called in a picture."""


class Glyphs(Enum):
    """The characters that a terminal can show."""

    UNICODE = "unicode"
    ASCII = "ascii"

    @classmethod
    def for_encoding(cls, encoding: str) -> "Glyphs":
        """The richest characters that a stream of this encoding can carry."""
        try:
            "".join([*_MARKS[cls.UNICODE].values(), "→┌├└│·"]).encode(encoding)
        except (UnicodeEncodeError, LookupError):
            return cls.ASCII
        return cls.UNICODE

    def fitted(self, text: str) -> str:
        """The text with what cannot be shown written as escapes."""
        if self is Glyphs.UNICODE:
            return text
        return text.replace(" · ", ", ").encode("ascii", "backslashreplace").decode("ascii")

    def mark(self, state: NodeState | None) -> str:
        """One column that stands for a state."""
        return _MARKS[self][state]

    @property
    def arrow(self) -> str:
        return {Glyphs.UNICODE: "→", Glyphs.ASCII: "->"}[self]

    def sibling(self, place: int, among: int) -> str:
        """One column that ties tasks of one layer together: `place` counts from 0."""
        if among == 1:
            return " "
        corners = {Glyphs.UNICODE: "┌├└", Glyphs.ASCII: "/|\\"}[self]
        return corners[0 if place == 0 else 2 if place == among - 1 else 1]

    def continuation(self, place: int, among: int) -> str:
        """The column below `sibling`, in further lines of the same task."""
        bar = {Glyphs.UNICODE: "│", Glyphs.ASCII: "|"}[self]
        return bar if place < among - 1 else " "


_STATES = (None, *NodeState)
_MARKS: dict[Glyphs, dict[NodeState | None, str]] = {
    Glyphs.UNICODE: dict(zip(_STATES, "○·▶✓✗↶↺-", strict=True)),
    Glyphs.ASCII: dict(zip(_STATES, "o.>+x~<-", strict=True)),
}


_OPERATION_MARKS = {
    Glyphs.UNICODE: dict(zip(OperationState, "·▶↶!✓↺↺✗✗", strict=True)),
    Glyphs.ASCII: dict(zip(OperationState, ".>~!+<<xx", strict=True)),
}


def operation_mark(state: OperationState, glyphs: Glyphs) -> str:
    """One column that stands for the state of an operation."""
    return _OPERATION_MARKS[glyphs][state]


def printable(text: object) -> str:
    """Foreign text on one line: no control, no format and no unpaired characters.

    What is left may go into a terminal or an XML document; it is not yet escaped.
    """
    return " ".join("".join(map(_printable, str(text))).split())


def _printable(char: str) -> str:
    category = unicodedata.category(char)
    if category in {"Cc", "Zl", "Zp"}:
        return " "
    if category == "Cf":
        return ""
    return "\N{REPLACEMENT CHARACTER}" if category in {"Cs", "Cn", "Co"} else char


def clipped(text: str, most: int) -> str:
    """The text, or as much of it as `most` characters hold, with an ellipsis."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def duration_words(seconds: float | None) -> str:
    """Seconds in the unit that a person would choose; "" if unknown."""
    if seconds is None:
        return ""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def moved_words(progress: Mapping[str, Any]) -> str:
    """How many bytes of how many, how fast, and how long the rest takes; "" if none move."""
    done, total = progress.get("done_bytes"), progress.get("total_bytes")
    if done is None or total is None:
        return ""
    rate, left = progress.get("rate"), progress.get("seconds_left")
    words = [f"{_size(done, of=total)} of {size_words(total)}"]
    if rate is not None and done < total:
        words.append(f"{size_words(rate)}/s")
    if left is not None and done < total:
        words.append(f"{rough_words(left)} left")
    return " · ".join(words)


def size_words(size: float) -> str:
    """Bytes in the unit that a person would choose."""
    return f"{_size(size, of=size)} {_UNITS[_power(size)]}"


_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def _size(size: float, *, of: float) -> str:
    power = _power(of)
    count = size / 1024**power
    return f"{count:.1f}" if power > 1 and 0 < count < 10 else f"{count:.0f}"


def _power(size: float) -> int:
    power = 0
    while size >= 1024 and power < len(_UNITS) - 1:
        size, power = size / 1024, power + 1
    return power


def rough_words(seconds: float) -> str:
    """Seconds as far as an estimate is worth them."""
    return duration_words(seconds) if seconds >= 59.5 else f"{seconds:.0f} s"
