"""Whose CPU time it is: that of libraries without a layer of their own is their callers'."""

from collections.abc import Mapping
from functools import cache
from typing import Any

Function = tuple[str, int, str]
"""File, line and name, as in `pstats`."""

Stats = Mapping[Function, tuple[int, int, float, float, Mapping[Function, Any]]]
"""Calls twice, seconds in it, seconds in it and below, and the same by caller."""

OTHER = "other"

_PARTS = {
    "admission": (
        "vmwright/admission/",
        "vmwright/request/",
        "vmwright/controller",
        "vmwright/spec",
    ),
    "stores": ("vmwright/persistence/",),
    "database": ("/sqlalchemy/", "/oslo_db/", "/psycopg", "/pymysql/", "sqlite3"),
    "TaskFlow": ("/taskflow/", "/automaton/", "/futurist/", "/fasteners/", "/networkx/"),
    "tasks": ("vmwright/tasks/", "vmwright/scheduler/", "vmwright/networks"),
    "backend": ("vmwright/backends/",),
    "runner": ("vmwright/",),
}
"""Layers by what is in a file's path, or in the name of what is written in C; the first counts."""

LAYERS = (*_PARTS, OTHER)

_DEEPEST = 12
"""Frames of libraries that are followed up to a layer."""


def layer_of(function: Function) -> str | None:
    """None for what has none of its own."""
    file, _, name = function
    where = f"{file} {name}"
    for layer, parts in _PARTS.items():
        if any(part in where for part in parts):
            return layer
    return None


def seconds_by_layer(stats: Stats) -> dict[str, float]:
    """The time of every function, by layer."""

    @cache
    def whose(function: Function) -> tuple[tuple[str, float], ...]:
        return tuple((_shares(stats, function, frozenset()) or {OTHER: 1.0}).items())

    total = dict.fromkeys(LAYERS, 0.0)
    for function, (_, _, own, _, _) in stats.items():
        for name, share in whose(function):
            total[name] += own * share
    return total


def _shares(stats: Stats, function: Function, below: frozenset[Function]) -> dict[str, float]:
    """Whose a function's time is; of several callers' by the time that it took them.

    Nothing for one that leads only back to what it was reached from, `below`.
    """
    layer = layer_of(function)
    if layer is not None:
        return {layer: 1.0}
    callers = stats[function][4] if function in stats else {}
    if not callers or len(below) > _DEEPEST:
        return {OTHER: 1.0}
    found: dict[str, float] = {}
    for caller, numbers in callers.items():
        if caller not in below | {function}:
            for name, share in _shares(stats, caller, below | {function}).items():
                found[name] = found.get(name, 0.0) + share * numbers[3]
    whole = sum(found.values())
    return {name: share / whole for name, share in found.items()} if whole else {}
