"""Asking again what the database gave up, or did not answer."""

import threading
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
import tenacity

from vmwright.errors import StoreUnavailable, TransactionGivenUp
from vmwright.persistence.database import Database
from vmwright.persistence.failures import Duplicate

T = TypeVar("T")

_PASSING = (StoreUnavailable, Duplicate)

again_if_given_up = tenacity.retry(
    retry=tenacity.retry_if_exception_type(TransactionGivenUp),
    wait=tenacity.wait_random(0.0, 0.1),
    stop=tenacity.stop_after_attempt(10),
    reraise=True,
)
"""Decorates what does nothing but one transaction: run again, at other moments than those that it
got in the way of, where the database ended it for another one's sake."""


def in_transaction(database: Database, work: Callable[[sa.Connection], T]) -> T:
    """Do it in one transaction; again if the database gave that up or did not say that it was
    stored, or if another one has just stored the answer under the same idempotency key.

    `work` must find what an earlier try has stored.
    """
    try:
        return _done(database, work)
    except _PASSING:
        done: T = _again(_done, database, work)
        return done


def is_worth_another_try(error: Exception) -> bool:
    """Whether `in_transaction` would do it again after this."""
    return isinstance(error, _PASSING)


def _done(database: Database, work: Callable[[sa.Connection], T]) -> T:
    with database.write() as connection:
        return work(connection)


# Not around the first try, which nearly always does: that would take as long as a transaction.
_again = tenacity.Retrying(
    retry=tenacity.retry_if_exception_type(_PASSING),
    wait=tenacity.wait_random(0.0, 0.1),
    stop=tenacity.stop_after_attempt(4),
    reraise=True,
)


def while_away(look: Callable[[], T], seconds: float, closed: threading.Event) -> T:
    """What the store says; asked again while it does not answer, for so many seconds, or until
    `closed` is set."""
    try:
        return look()
    except StoreUnavailable as error:
        unheard = [error]

    def again() -> T:
        # Most looks are answered at once: what counts tries is made for the others only.
        if unheard:
            raise unheard.pop()
        return look()

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(StoreUnavailable),
        wait=tenacity.wait_exponential(multiplier=0.05, max=1.0),
        sleep=tenacity.sleep_using_event(closed),
        stop=tenacity.stop_after_delay(seconds) | tenacity.stop_when_event_set(closed),
        reraise=True,
    )
    found: T = retrying(again)
    return found
