"""Tokens of a service's callers: whom each speaks for, by its digest."""

from dataclasses import dataclass
from functools import cached_property

import sqlalchemy as sa

from vmwright.persistence.database import now
from vmwright.persistence.reading import Reading
from vmwright.persistence.records import Record
from vmwright.persistence.registries import Registry
from vmwright.persistence.tables import Schema


@dataclass(frozen=True, kw_only=True)
class TokenRecord(Record):
    """Whom a token speaks for. The token itself is nowhere."""

    id: str
    name: str
    digest: str
    project_id: str
    user_id: str
    roles: list[str]
    expires_at: float | None = None
    created_at: float = 0.0


class TokenStore(Registry[TokenRecord]):
    """Tokens, by their digests."""

    def __init__(self, schema: Schema) -> None:
        super().__init__(schema.tokens, TokenRecord, "token")

    def living(self, connection: sa.Connection, digest: str) -> TokenRecord | None:
        """The one with this digest, unless it is over by the database's clock."""
        found = self._living.all(connection, {"digest": digest})
        return found[0] if found else None

    @cached_property
    def _living(self) -> Reading[TokenRecord]:
        column = self._table.c
        shown = column.digest == sa.bindparam("digest", type_=sa.String)
        lasts = sa.or_(column.expires_at.is_(None), column.expires_at > now())
        query = sa.select(self._table).where(shown, lasts)
        return Reading(self._table, self._record, query)
