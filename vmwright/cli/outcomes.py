"""What the end of an operation means for whoever asked for it: an exit code and some sentences."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vmwright.states import OperationState

if TYPE_CHECKING:
    from vmwright.cli.remote import Remote
    from vmwright.persistence.records import Operation

DONE, FAILED, OWING = 0, 1, 3

_TAKEN_BACK = (OperationState.UNDONE, OperationState.CANCELLED)
_WORDS = {
    OperationState.UNDONE: "failed",
    OperationState.CANCELLED: "was cancelled",
    OperationState.STUCK: "is stuck",
    OperationState.PARKED: "is parked: it cannot be run as it is",
}


def exit_code_of(operation: Mapping[str, Any]) -> int:
    """The exit code of a command that asked for this operation and saw it end or get stuck."""
    state = OperationState(operation["state"])
    if operation["owes"] or state not in (OperationState.DONE, *_TAKEN_BACK):
        return OWING
    return DONE if state is OperationState.DONE else FAILED


def exit_code_of_undo(operation: Mapping[str, Any]) -> int:
    """The exit code of a command that asked for an operation to be taken back."""
    code = exit_code_of(operation)
    return DONE if code == FAILED else code


def sentences(
    operation: Mapping[str, Any], name: str, fault: Mapping[str, Any] | None
) -> Iterator[str]:
    """What a person needs to know of an operation's end; nothing if all is as was asked for.

    `name` and `fault` are the instance's; a fault is about its build.
    """
    state = OperationState(operation["state"])
    abandoned = (operation["error"] or {}).get("abandoned")
    if state in _WORDS:
        word = f"was abandoned by {abandoned['by']}" if abandoned else _WORDS[state]
        yield f"vmwright: {operation['kind']} of {name!r} {word}"
        yield f"  operation: {operation['id']}"
        error = (fault if operation["kind"] == "create" else None) or operation["error"] or {}
        yield from _facts(error)
        if state is OperationState.STUCK:
            yield from _facts(error.get("blocked") or {}, prefix="blocked ")
        if state is OperationState.PARKED:
            yield from _facts((operation["error"] or {}).get("parked") or {}, prefix="parked ")
    elif operation["owes"]:
        yield f"vmwright: {operation['kind']} of {name!r} is done, but something is still owed"
        yield f"  operation: {operation['id']}"
    yield from (f"  held: {_held(remnant)}" for remnant in operation.get("held", ()))
    yield from (f"  owed: {_debt(debt)}" for debt in operation["owes"])
    yield from _next_steps(operation, state)


def ways_on(operations: Sequence["Operation"], remote: "Remote | None" = None) -> str:
    """What to type next where operations were left before their end: they stay, or a service goes
    on with them. A delete has no way back."""
    command = "vmwright" if remote is None else remote.command
    on = [f"go on: {command} resume"]
    if remote is not None:
        on = [f"wait on: {command} operation wait {operation.id}" for operation in operations]
    builds = [operation.id for operation in operations if operation.kind == "create"]
    return "; ".join([*on, *(f"take back: {command} operation cancel {one}" for one in builds)])


def _facts(error: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    facts = {
        "task": error.get("task"),
        "host": error.get("host"),
        "reason": error.get("message"),
        "hint": error.get("hint"),
        "given back": ", ".join(error.get("given_back") or ()),
        "kept": ", ".join(error.get("kept") or ()),
    }
    yield from (f"  {prefix}{name}: {value}" for name, value in facts.items() if value)
    attempts = error.get("attempts") or ()
    if len(attempts) > 1:
        yield from (f"  {prefix}attempt {_attempt(attempt)}" for attempt in attempts)


def _attempt(attempt: Mapping[str, Any]) -> str:
    where = attempt["host"] or "no host"
    return f"{attempt['number']} on {where}: {attempt['task']}: {attempt['message']}"


def _debt(debt: Mapping[str, Any]) -> str:
    return f"{debt['kind']} {debt['key']} on {debt['host']} ({debt['reason']})"


def _held(remnant: Mapping[str, Any]) -> str:
    where = f" on {remnant['host']}" if remnant["host"] else ""
    return f"{', '.join(remnant['things']) or 'nothing outside'}{where} (task {remnant['task']})"


def _next_steps(operation: Mapping[str, Any], state: OperationState) -> Iterator[str]:
    if state is OperationState.STUCK:
        yield f"  next: vmwright operation retry {operation['id']}"
        blocked = (operation["error"] or {}).get("blocked") or {}
        if blocked.get("task"):
            yield f"  or: vmwright operation skip {operation['id']} {blocked['task']} --why TEXT"
        yield f"  or: vmwright operation abandon {operation['id']} --why TEXT"
    elif state is OperationState.PARKED:
        yield f"  next: vmwright operation resume {operation['id']}, once that is mended"
        yield f"  or: vmwright operation abandon {operation['id']} --why TEXT"
    elif operation["owes"]:
        yield "  next: vmwright resume, once the host answers"
