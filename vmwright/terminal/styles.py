"""Colours of states in a terminal. None of them says what no mark or word says as well."""

from rich.spinner import Spinner

from vmwright.states import NodeState, OperationState
from vmwright.terminal.words import Glyphs

STYLES = {
    None: "",
    NodeState.PENDING: "bright_black",
    NodeState.RUNNING: "cyan",
    NodeState.SUCCESS: "green",
    NodeState.FAILURE: "red",
    NodeState.REVERTING: "yellow",
    NodeState.REVERTED: "magenta",
    NodeState.IGNORE: "bright_black",
}
OPERATION_STYLES = {
    OperationState.QUEUED: "bright_black",
    OperationState.RUNNING: "cyan",
    OperationState.UNDOING: "yellow",
    OperationState.INTERRUPTED: "yellow",
    OperationState.DONE: "green",
    OperationState.UNDONE: "magenta",
    OperationState.CANCELLED: "magenta",
    OperationState.STUCK: "red",
    OperationState.PARKED: "red",
}


def spinner(style: str, glyphs: Glyphs) -> Spinner:
    """A mark that turns with the console's clock, whoever draws it."""
    turning = Spinner({Glyphs.UNICODE: "dots", Glyphs.ASCII: "line"}[glyphs], style=style)
    turning.start_time = 0.0
    return turning
