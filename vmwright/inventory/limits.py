"""How much of a thing a project may register."""

import sqlalchemy as sa

from vmwright.errors import QuotaExceeded
from vmwright.limits import QuotaSettings
from vmwright.persistence.stores import Stores


class Limits:
    """The limits of one project: those that were set for it, else the configured ones."""

    def __init__(self, stores: Stores, project: str, configured: QuotaSettings) -> None:
        self._quotas = stores.quotas
        self._project = project
        self._configured = configured

    def hold(self, connection: sa.Connection) -> None:
        """Nobody else registers what is counted before this transaction has ended."""
        self._quotas.hold(connection, self._project)

    def refuse_excess(
        self, connection: sa.Connection, resource: str, held: int, wanted: int = 1
    ) -> None:
        """`QuotaExceeded` if so many more than are held already would be too many."""
        limits = self._configured.overridden(self._quotas.limits(connection, self._project))
        limit: int = getattr(limits, resource)
        if 0 <= limit < held + wanted:
            raise QuotaExceeded(
                f"Quota exceeded for {resource}: Requested {wanted}, but already used {held} of "
                f"{limit}",
                hint="delete what is not needed, or see: vmwright quota show",
            )

    def refuse_more(self, connection: sa.Connection, **wanted: int) -> None:
        """The same, holding the project, for what instances use too: by resource, how much more."""
        self.hold(connection)
        used = self._quotas.usage(connection, self._project)
        for resource, more in wanted.items():
            self.refuse_excess(connection, resource, getattr(used, resource), more)
