"""A store that does not answer for a while: told once when it begins, and once when it ends."""

import logging

from vmwright.errors import StoreUnavailable

LOG = logging.getLogger(__name__)


class Outage:
    """What one thread that keeps asking the store tells of its silence."""

    def __init__(self, what: str) -> None:
        """`what` is not done meanwhile, as the beginning of a sentence."""
        self._what = what
        self._goes_on = False

    def noticed(self, error: StoreUnavailable) -> None:
        """It did not answer, once more."""
        LOG.log(logging.DEBUG if self._goes_on else logging.WARNING, "%s: %s", self._what, error)
        self._goes_on = True

    def over(self) -> None:
        """It has answered."""
        if self._goes_on:
            LOG.warning("the store answers again (before: %s)", self._what)
        self._goes_on = False
