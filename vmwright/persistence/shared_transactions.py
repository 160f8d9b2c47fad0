"""Transactions of one kind that several threads share, when they come at one moment."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import sqlalchemy as sa

from vmwright.persistence.database import Database
from vmwright.persistence.retrying import in_transaction, is_worth_another_try
from vmwright.persistence.taking_turns import Turns

Q = TypeVar("Q")
A = TypeVar("A")

_MOST = 64
"""Those who share a transaction."""


class SharedTransactions(Generic[Q, A]):
    """Stores what each of several threads asks for, all of it in one transaction, or each in one
    of its own where that cannot be. Thread-safe."""

    def __init__(
        self,
        database: Database,
        work: Callable[[sa.Connection, Sequence[Q], bool], Sequence[A]],
    ) -> None:
        """`work` stores all of what it is given, and returns an answer to each; or it raises. It
        is told whether a try before may have stored it: then it must find that."""
        self._database = database
        self._work = work
        self._turns = Turns(self._store, most=_MOST)

    def store(self, asked: Q) -> A:
        """As `in_transaction`, whose errors it raises: those of `asked`, and not of others."""
        one: _Asked[Q, A] = _Asked(asked)
        self._turns.take(one)
        if one.answer:
            return one.answer[0]
        if one.error is not None and not is_worth_another_try(one.error):
            raise one.error
        # Also where it is another one of them that cannot be stored: who it is shows then.
        return in_transaction(self._database, lambda connection: self._alone(connection, asked))

    def _alone(self, connection: sa.Connection, asked: Q) -> A:
        (answer,) = self._work(connection, [asked], True)
        return answer

    def _store(self, together: "Sequence[_Asked[Q, A]]") -> None:
        """Once: who has no answer then tries again in a thread of its own."""
        try:
            with self._database.write() as connection:
                answers = self._work(connection, [one.asked for one in together], False)
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked for
            if len(together) == 1:
                together[0].error = error
            return
        for one, answer in zip(together, answers, strict=True):
            one.answer = [answer]


class _Asked(Generic[Q, A]):
    """What one thread asks for, and what became of it."""

    def __init__(self, asked: Q) -> None:
        self.asked = asked
        self.answer: list[A] = []
        self.error: Exception | None = None
        """Its own; None if it shared the transaction that failed."""
