"""The colours of states as custom properties of CSS: the page has no other."""

from collections.abc import Iterator, Mapping

from vmwright.states import NodeState
from vmwright.views.palette import DARK, DARK_TONES, LIGHT, LIGHT_TONES, Paper, Tone


def style_sheet() -> str:
    """`--canvas`, `--text`, ... and for each state `--STATE-fill`, `--STATE-line`, `--STATE-text`;
    a flow that nobody runs is `planned`."""
    light, dark = _rules(LIGHT, LIGHT_TONES), _rules(DARK, DARK_TONES)
    return f":root {{{light}}}\n@media (prefers-color-scheme: dark) {{ :root {{{dark}}} }}\n"


def _rules(paper: Paper, tones: Mapping[NodeState | None, Tone]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in _colours(paper, tones))


def _colours(paper: Paper, tones: Mapping[NodeState | None, Tone]) -> Iterator[tuple[str, str]]:
    yield from vars(paper).items()
    for state, tone in tones.items():
        word = "planned" if state is None else state.lower()
        yield from ((f"{word}-{part}", colour) for part, colour in vars(tone).items())
