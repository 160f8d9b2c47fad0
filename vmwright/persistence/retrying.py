"""Doing work again that the database gave up."""

import tenacity

from vmwright.errors import TransactionGivenUp

again_if_given_up = tenacity.retry(
    retry=tenacity.retry_if_exception_type(TransactionGivenUp),
    wait=tenacity.wait_random(0.0, 0.1),
    stop=tenacity.stop_after_attempt(10),
    reraise=True,
)
"""Decorates what does nothing but one transaction: run again, at other moments than those that it
got in the way of, where the database ended it for another one's sake."""
