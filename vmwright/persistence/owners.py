"""Processes that run operations, and how long their word is good."""

from collections.abc import Sequence, Set

import sqlalchemy as sa

from vmwright.ids import OwnerId
from vmwright.persistence.database import now
from vmwright.persistence.records import Owner
from vmwright.persistence.tables import Schema
from vmwright.states import HELD


class OwnerStore:
    """Owner rows. Expiry is on the database's clock: no two machines need agree on the time."""

    def __init__(self, schema: Schema) -> None:
        self._owners = schema.owners
        self._operations = schema.operations

    def add(
        self,
        connection: sa.Connection,
        owner: OwnerId,
        *,
        machine: str,
        lock_path: str,
        lease: float,
        flows: Set[tuple[str, int]],
    ) -> None:
        """`flows` are the names and versions of those that it can run."""
        connection.execute(
            sa.insert(self._owners).values(
                id=owner,
                machine=machine,
                lock_path=lock_path,
                started_at=now(),
                expires_at=now() + lease,
                flows=sorted(flows),
            )
        )

    def renew(self, connection: sa.Connection, owner: OwnerId, lease: float) -> bool:
        """Good for another `lease` seconds. False if the row is gone: then we own nothing."""
        renewed = connection.execute(
            sa.update(self._owners)
            .where(self._owners.c.id == owner)
            .values(expires_at=now() + lease)
        )
        return renewed.rowcount == 1

    def all(self, connection: sa.Connection) -> Sequence[tuple[Owner, bool]]:
        """Every owner, and whether its word has expired."""
        rows = connection.execute(
            sa.select(self._owners, (self._owners.c.expires_at < now()).label("expired"))
        )
        return [(Owner.of(row), bool(row.expired)) for row in rows]

    def remove(self, connection: sa.Connection, owner: OwnerId) -> bool:
        """Forget an owner that has gone; False if operations still name it as theirs."""
        held = sa.exists().where(
            self._operations.c.owner_id == owner, self._operations.c.state.in_(HELD)
        )
        connection.execute(sa.delete(self._owners).where(self._owners.c.id == owner, ~held))
        left = sa.select(self._owners.c.seq).where(self._owners.c.id == owner)
        return connection.execute(left).first() is None
