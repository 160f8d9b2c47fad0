"""The words, marks and numbers that all pictures share."""

import unicodedata
from enum import Enum

from vmwright.views.elements import Edge, Node, nodes_of, operation_of
from vmwright.views.graph import Graph, NodeState

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


def status_words(node: Node) -> list[str]:
    """State, durations and attempt; nothing for a task that nobody runs."""
    if node.state is None:
        return []
    words = [WORDS[node.state], time_words(node), attempt_words(node)]
    return [word for word in words if word]


def time_words(node: Node) -> str:
    """How long the task took; how long its undo took, if it is taken back."""
    return duration_words(node.undo_duration if node.taken_back else node.duration)


def attempt_words(node: Node) -> str:
    """Which try it is, if not the first."""
    return f"attempt {node.attempt}" if node.attempt is not None and node.attempt > 1 else ""


def progress_words(node: Node) -> str:
    """How far the task is, in percent and with its note; "" if it does not say."""
    if node.progress is None:
        return ""
    return printable(f"{node.progress['fraction']:.0%} {node.progress['note']}")


def error_words(node: Node) -> str:
    """Why the task failed; "" if it did not."""
    if node.error is None:
        return ""
    message = printable(node.error.get("message") or "")
    return message or printable(node.error.get("code") or "failed")


def hint_words(node: Node) -> str:
    """What a person can do about the error; "" if nothing is known."""
    return printable((node.error or {}).get("hint") or "")


def value_words(edge: Edge) -> str:
    """What is handed over."""
    return ", ".join(map(printable, edge.values))


def heading(graph: Graph) -> str:
    """What the picture shows, in a few words."""
    facts = operation_of(graph)
    if facts is None:
        return printable(graph.graph.get("name") or "flow")
    words = [printable(facts.kind), facts.state.value]
    if graph.graph.get("elapsed") is not None:
        words.append(duration_words(graph.graph["elapsed"]))
    return " · ".join(words)


def particulars(graph: Graph) -> list[str]:
    """What else is known of the flow or operation as a whole, one fact each."""
    facts = operation_of(graph)
    if facts is None:
        inputs = ", ".join(map(printable, graph.graph.get("inputs", ())))
        return [f"inputs: {inputs}"] if inputs else []
    lines = [f"operation {printable(facts.id)}", f"instance {printable(facts.instance)}"]
    if facts.attempt > 1:
        lines.append(f"attempt {facts.attempt}")
    return lines


def debts(graph: Graph) -> list[str]:
    """What is still owed, one line each."""
    facts = operation_of(graph)
    return [] if facts is None else [f"owes {printable(debt)}" for debt in facts.owes]


def summary(graph: Graph) -> str:
    """The picture in one sentence, for those who cannot see it."""
    nodes = nodes_of(graph)
    parts = [f"{len(nodes)} task" + ("" if len(nodes) == 1 else "s")]
    for state, word in WORDS.items():
        named = [printable(node.name) for node in nodes if state and node.state is state]
        if named:
            parts.append(f"{word}: {', '.join(named)}")
    return "; ".join(parts)
