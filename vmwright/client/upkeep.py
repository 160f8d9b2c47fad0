"""Audits and repairs, done by the service."""

from collections.abc import Sequence
from typing import Any

from vmwright.client.connection import Connection
from vmwright.client.reading import read
from vmwright.resources.upkeep import Finding

_QUIET = frozenset({"expiring", "foreign"})
"""Verdicts about which nothing is to be done."""
_PATIENCE = 3600.0
"""Seconds: hosts are looked at one after the other, and each has its own time."""


class Upkeep:
    """As `Controller.upkeep`. `Forbidden` to who does not operate the deployment."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def audit(self, *, everything: bool = False) -> Sequence[dict[str, Any]]:
        """What is not as it should be; with `everything` also what is not ours, and what ends by
        itself. Changes nothing."""
        query = {"everything": everything}
        answer = self._connection.ask("GET", "audit", query=query, timeout=_PATIENCE)
        return [one.model_dump(mode="json") for one in read(list[Finding], answer)]

    def needs_eyes(self, found: Sequence[dict[str, Any]]) -> bool:
        """Whether something is to be done about any of what `audit` returned."""
        return any(one["verdict"] not in _QUIET for one in found)

    def repair(self, *, adopt_unknown: bool = False) -> Sequence[dict[str, Any]]:
        """Remove what is left over, and with `adopt_unknown` also what the store does not know.

        Returns what was done, and what is still to be looked at: each with an ``outcome``,
        ``removed``, ``owed`` or ``left``.
        """
        body = {"adopt_unknown": adopt_unknown}
        # What was removed is found no more: asking again does no harm.
        answer = self._connection.ask(
            "POST", "audit/repair", body=body, again=True, timeout=_PATIENCE
        )
        return [one.model_dump(mode="json") for one in read(list[Finding], answer)]
