"""What all pictures say of a graph, its tasks and its arrows."""

from vmwright.terminal.words import WORDS, duration_words, moved_words, printable
from vmwright.views.elements import Edge, Node, nodes_of, operation_of
from vmwright.views.graph import Graph


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
    told = moved_words(node.progress) or node.progress["note"]
    return printable(f"{node.progress['fraction']:.0%} {told}")


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
