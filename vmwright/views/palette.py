"""The colours of states, for light and for dark paper."""

from dataclasses import dataclass

from vmwright.states import NodeState


@dataclass(frozen=True, kw_only=True)
class Tone:
    """Colours of one state: `fill` of the box, `line` around it and for marks, `text` on it."""

    fill: str
    line: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Paper:
    """Colours that do not depend on a state."""

    canvas: str
    text: str
    muted: str
    edge: str
    faint: str
    accent: str


LIGHT = Paper(
    canvas="#ffffff",
    text="#1b1f24",
    muted="#5c6570",
    edge="#7d8793",
    faint="#c4cad1",
    accent="#1b1f24",
)
DARK = Paper(
    canvas="#0f1318",
    text="#e7eaee",
    muted="#98a2ae",
    edge="#76818d",
    faint="#3a424c",
    accent="#e7eaee",
)

LIGHT_TONES: dict[NodeState | None, Tone] = {
    None: Tone(fill="#f7f8fa", line="#8b95a1", text="#1b1f24"),
    NodeState.PENDING: Tone(fill="#fafbfc", line="#c4cad1", text="#5c6570"),
    NodeState.RUNNING: Tone(fill="#eef5ff", line="#1f6feb", text="#1752b8"),
    NodeState.SUCCESS: Tone(fill="#effaf2", line="#2da04c", text="#1a7033"),
    NodeState.FAILURE: Tone(fill="#fff1f0", line="#d1313a", text="#b01c26"),
    NodeState.REVERTING: Tone(fill="#fff6e5", line="#d9860b", text="#915700"),
    NodeState.REVERTED: Tone(fill="#f6f1fc", line="#8a63d2", text="#6639ba"),
    NodeState.IGNORE: Tone(fill="#fafbfc", line="#c4cad1", text="#5c6570"),
}
DARK_TONES: dict[NodeState | None, Tone] = {
    None: Tone(fill="#181d23", line="#5e6873", text="#e7eaee"),
    NodeState.PENDING: Tone(fill="#14191e", line="#3a424c", text="#98a2ae"),
    NodeState.RUNNING: Tone(fill="#0f2240", line="#4a93ff", text="#86b7ff"),
    NodeState.SUCCESS: Tone(fill="#0f2618", line="#3fb35f", text="#6fd18a"),
    NodeState.FAILURE: Tone(fill="#321416", line="#f0565d", text="#ff9096"),
    NodeState.REVERTING: Tone(fill="#2f2109", line="#e59a26", text="#f3bd68"),
    NodeState.REVERTED: Tone(fill="#221736", line="#a37ee8", text="#c4a8f5"),
    NodeState.IGNORE: Tone(fill="#14191e", line="#3a424c", text="#98a2ae"),
}
