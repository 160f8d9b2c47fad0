"""How wide text is, for boxes that must never be too small for it."""

import unicodedata

_CLASSES = (
    (0.30, "ijlI'"),
    (0.42, " .,:;!/\\|()[]frt"),
    (0.57, '"*-`J?cs_z'),
    (0.86, "#+<=>^~&ABCDEFGHKLNOPQRSTUVXYZ"),
    (1.03, "mMwW%@"),
)
_WIDTHS = {char: width for width, chars in _CLASSES for char in chars}
"""Ems: upper bounds over the usual sans-serif faces, of which DejaVu Sans is the widest."""

_USUAL, _FOREIGN, _WIDE = 0.65, 0.95, 1.3
_BOLD = 1.14
_ELLIPSIS = "…"
_SLACK = 0.01
"""Room that was made for a text must not be found too small for it by rounding."""


def text_width(text: str, size: float, weight: float = 1.0) -> float:
    """An upper bound of the width of a line, in the unit of `size`."""
    return sum(map(_em, text)) * size * weight


def bold_width(text: str, size: float) -> float:
    """The same for semi-bold and bold faces."""
    return text_width(text, size, _BOLD)


def shortened(text: str, size: float, room: float, weight: float = 1.0) -> str:
    """The text, or as much of it as fits into `room` with an ellipsis after it."""
    if text_width(text, size, weight) <= room + _SLACK:
        return text
    while text and text_width(text + _ELLIPSIS, size, weight) > room:
        text = text[:-1]
    return text.rstrip() + _ELLIPSIS


def shortened_bold(text: str, size: float, room: float) -> str:
    """The same for semi-bold and bold faces."""
    return shortened(text, size, room, _BOLD)


def wrapped(text: str, size: float, room: float, lines: int) -> list[str]:
    """At most so many lines, none wider than `room`; an ellipsis where text was left out."""
    done: list[str] = []
    rest = text.split()
    while rest and len(done) < lines - 1:
        line, rest = _first_line(rest, size, room)
        done.append(line)
    return [*done, _last_line(rest, size, room)] if rest else done


def _last_line(words: list[str], size: float, room: float) -> str:
    """All words, or as many as fit with an ellipsis; the first one is cut if it does not."""
    if text_width(" ".join(words), size) <= room:
        return " ".join(words)
    while len(words) > 1 and text_width(" ".join(words) + _ELLIPSIS, size) > room:
        words = words[:-1]
    whole = " ".join(words).rstrip(".,:;") + _ELLIPSIS
    return whole if text_width(whole, size) <= room else shortened(words[0], size, room)


def _first_line(words: list[str], size: float, room: float) -> tuple[str, list[str]]:
    """As many words as fit, and the rest; a word that is too long is cut."""
    count = 0
    while count < len(words) and text_width(" ".join(words[: count + 1]), size) <= room:
        count += 1
    if count:
        return " ".join(words[:count]), words[count:]
    head = words[0]
    while len(head) > 1 and text_width(head, size) > room:
        head = head[:-1]
    return head, [words[0][len(head) :], *words[1:]]


def _em(char: str) -> float:
    if char in _WIDTHS:
        return _WIDTHS[char]
    if char.isascii():
        return _USUAL
    if unicodedata.category(char) in {"Mn", "Me"}:
        return 0.0
    return _WIDE if unicodedata.east_asian_width(char) in "WF" else _FOREIGN
