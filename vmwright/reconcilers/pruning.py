"""Removes the history of what was deleted long ago, little by little, while builds go on."""

import logging
import threading
import time
from collections.abc import Sequence

import sqlalchemy as sa

from vmwright.errors import Cancelled
from vmwright.persistence.database import now
from vmwright.persistence.pruning import BEFORE_ALL, Grave
from vmwright.persistence.stores import Stores

LOG = logging.getLogger(__name__)

_DAY = 86400.0
_PAGE = 500
_AT_ONCE = 20
"""Things in one transaction: whoever builds meanwhile waits that long for SQLite's writer."""
_SHARE = 4.0
"""Pauses are so many times as long as what was done before them."""


def prune(stores: Stores, *, days: float, stopping: threading.Event) -> int:
    """Remove what was deleted more than so many days ago, with its operations; 0 removes nothing.

    Returns how many instances, volumes and snapshots went. `Cancelled` once `stopping` is set.
    """
    if not days:
        return 0
    with stores.database.read() as connection:
        clock = connection.execute(sa.select(now())).scalar_one()
    until = clock - days * _DAY
    # Instances first: a volume goes after the instance that it was made for.
    removed = {noun: _prune(stores, noun, until, stopping) for noun in stores.pruning.nouns}
    if any(removed.values()):
        told = ", ".join(f"{count} {noun}s" for noun, count in removed.items())
        LOG.info("the history of what was deleted more than %g days ago is removed: %s", days, told)
    return sum(removed.values())


def _prune(stores: Stores, noun: str, until: float, stopping: threading.Event) -> int:
    removed, after = 0, BEFORE_ALL
    while True:
        with stores.database.read() as connection:
            page = stores.pruning.page(connection, noun, until=until, after=after, limit=_PAGE)
        for first in range(0, len(page), _AT_ONCE):
            removed += _prune_some(stores, noun, page[first : first + _AT_ONCE], until, stopping)
        if len(page) < _PAGE:
            return removed
        after = page[-1]


def _prune_some(
    stores: Stores, noun: str, graves: Sequence[Grave], until: float, stopping: threading.Event
) -> int:
    began = time.monotonic()
    with stores.database.write() as connection:
        removed = stores.pruning.prune(connection, noun, graves, until=until)
    if stopping.wait(_SHARE * (time.monotonic() - began)):
        raise Cancelled("history is not removed any further: this controller was closed")
    return removed
