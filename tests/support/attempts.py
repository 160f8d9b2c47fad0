"""Builds that are tried on several hosts: how they go wrong there, and what is seen of it."""

import threading
from collections.abc import Callable
from typing import Any

from tests.support import lab as labs
from tests.support.breaking import Break, execute, meet, on_hosts
from tests.support.lab import Lab
from tests.support.oracle import assert_one_guest
from vmwright.states import Direction
from vmwright.tasks.try_hosts import TryHosts

TASKS = on_hosts()

OUTSIDE = [name for name in TASKS if name != "claim_host"]
"""What is done on the host itself, between two transactions."""

FAILS_ON_FIRST = execute("spawn", Break.FAIL_AFTER).on_attempts(1)
"""The first host makes everything, and then fails."""


def attempts(lab: Lab) -> list[tuple[str | None, str | None]]:
    """Host and outcome of each attempt of the build, in order."""
    rows = lab.rows(
        "SELECT number, hosts.name, outcome, ended_at FROM vmwright_attempts AS attempts"
        " LEFT JOIN vmwright_hosts AS hosts ON hosts.id = attempts.host_id"
        " WHERE operation_id IN (SELECT id FROM vmwright_operations WHERE kind = 'create')"
        " ORDER BY number"
    )
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    assert all((row["outcome"] is None) == (row["ended_at"] is None) for row in rows)
    operations = lab.rows("SELECT attempt FROM vmwright_operations WHERE kind = 'create'")
    assert operations == [{"attempt": len(rows)}]
    return [(row["name"], row["outcome"]) for row in rows]


def owing(lab: Lab) -> set[tuple[str, str]]:
    """Which hosts owe something, and why."""
    debts = lab.rows(
        "SELECT hosts.name, reason FROM vmwright_debts AS debts"
        " JOIN vmwright_hosts AS hosts ON hosts.id = debts.host_id"
    )
    return {(debt["name"], debt["reason"]) for debt in debts}


def pay_now(lab: Lab) -> None:
    """Pay all debts, whatever they were put off to."""
    lab.execute("UPDATE vmwright_debts SET not_before = 0")
    assert lab.child(labs.pay).status == 0


def assert_one_guest_after_debts(lab: Lab) -> None:
    """A call that was cut off may leave a debt, which is due at once in a lab."""
    assert lab.child(labs.pay).status == 0
    assert_one_guest(lab)


def between_attempts(call: Callable[[], None]) -> None:
    """Have `call` made when the next attempt is about to begin, and nothing of it is written."""
    count = TryHosts.execute

    def counting(self: TryHosts, history: Any, **arguments: Any) -> int:
        if len(history):
            call()
        return count(self, history=history, **arguments)

    TryHosts.execute = counting  # type: ignore[method-assign]


def on_attempt(number: int, name: str, call: Callable[[], None]) -> None:
    """Have `call` made at the beginning of this task, once: when it runs for this attempt."""
    turns = [call if turn == number else lambda: None for turn in range(number, 0, -1)]
    meet(name, Direction.EXECUTE, lambda: turns.pop()() if turns else None, after=False)


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread or process; a test that hangs is ended by its time limit."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.01)
