"""The same work on engines in turn, and what makes it durable counted by who keeps it."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.deployment import of_sqlalchemy
from benchmarks.meter import Figures
from benchmarks.postgresql import PostgreSQL
from benchmarks.processes import Failed, directory, module, run
from benchmarks.results import Results
from benchmarks.syncs import traced

_MORE = 3
"""Counted with so many times as much again; the difference has neither start nor end in it."""

_UNHURRIED = 5
"""PostgreSQL counts without slowing anybody down: the more, the less rounding in its CPU time."""

Command = Callable[[str, int, int], list[str]]
"""What runs so many workflows one at a time, and so many 50 at once, in the store at a URL."""


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """Who does the work, and how much of it in one round."""

    name: str
    command: Command
    alone: int
    crowd: int
    crowds: int = sys.maxsize
    """In how many rounds there is a crowd: some take minutes for theirs."""

    def run(self, url: str, number: int) -> Iterator[tuple[str, Figures]]:
        """Its figures of a round, by mode."""
        crowd = self.crowd if number < self.crowds else 0
        for line in run(*self.command(url, self.alone, crowd)).lines:
            yield "alone" if line["threads"] == 1 else "crowd", line


class Stores:
    """Fresh stores of one kind."""

    def __init__(self, server: PostgreSQL | None) -> None:
        """SQLite files, unless there is a server."""
        self._server = server
        self.kind = "sqlite" if server is None else "postgresql"

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The URL of a store that is empty, and gone afterwards."""
        if self._server is None:
            with directory() as place:
                yield f"sqlite:///{place / 'store.db'}"
            return
        url = self._server.database()
        try:
            yield url
        finally:
            self._server.drop(url)

    def counted(self, command: Command, count: int) -> Figures:
        """What is made durable for one workflow, one at a time."""
        if self._server is None:
            return _difference(count, lambda number: self._traced(command, number))
        many, server = count * _UNHURRIED, self._server
        return _difference(many, lambda number: self._told(server, command, number))

    def _traced(self, command: Command, count: int) -> Figures:
        with self.fresh() as url:
            child, syncs = traced(*_counting(command(url, count, 0)))
        return {"commits": syncs.commits, "other_syncs": syncs.others, **child.lines[-1]}

    def _told(self, server: PostgreSQL, command: Command, count: int) -> Figures:
        with self.fresh() as url:
            before = server.counters(url)
            child = run(*_counting(command(url, count, 0)))
            after = server.counters(url)
        return {
            **child.lines[-1],
            "commits": after.syncs - before.syncs,
            "server_transactions": after.commits - before.commits,
            "server_cpu_ms": 1000 * (after.cpu_seconds - before.cpu_seconds),
        }


def _counting(words: list[str]) -> list[str]:
    """The same module, and what it says to its store counted."""
    place = words.index("-m") + 1
    return [*words[:place], "benchmarks.counting", *words[place:]]


def _difference(count: int, counted: Callable[[int], Figures]) -> Figures:
    few, many = counted(count), counted(_MORE * count)
    more = (_MORE - 1) * count
    return {what: round((many[what] - few[what]) / more, 2) for what in few}


def alternate(
    results: Results,
    prefix: str,
    stores: Stores,
    contestants: Sequence[Contestant],
    rounds: int,
) -> None:
    """Each in turn, in a fresh store; every other round the other way round."""
    for number in range(rounds):
        for one in contestants if number % 2 == 0 else reversed(contestants):
            where = f"{prefix}/{stores.kind}/{one.name}"
            with goes_on(results, where), stores.fresh() as url:
                for mode, figures in one.run(url, number):
                    results.add(f"{where}/{mode}", figures)


@contextmanager
def goes_on(results: Results, name: str) -> Iterator[None]:
    """Note that somebody could not do the work; the others do."""
    try:
        yield
    except Failed as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        results.missing[name] = error.last_line


def of_ours(name: str) -> Command:
    """A module here that takes a URL of SQLAlchemy."""
    return lambda url, alone, crowd: module(name, of_sqlalchemy(url), alone, crowd)


def of_peer(name: str, python: str) -> Command:
    return lambda url, alone, crowd: module("peers", name, url, alone, crowd, python=python)
