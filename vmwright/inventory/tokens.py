"""Tokens: what callers of a service show to be known. Only their digests are kept."""

import hashlib
import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import AwareDatetime, Field

from vmwright.admission.caller import ADMIN, Caller
from vmwright.admission.gate import Rights
from vmwright.errors import Forbidden, InvalidRequest
from vmwright.ids import new_id
from vmwright.persistence.retrying import again_if_given_up
from vmwright.persistence.stores import Stores
from vmwright.persistence.tokens import TokenRecord
from vmwright.request.fields import Name
from vmwright.request.model import Model

_BYTES = 32


class NewToken(Model):
    """Whom a token speaks for, and until when. What is not given is as it is with whoever asks;
    without an end it is known until it is deleted."""

    name: Name
    project: Name | None = None
    user: Name | None = None
    roles: Annotated[tuple[Name, ...], Field(max_length=64)] | None = None
    expires_at: AwareDatetime | None = None


class Tokens:
    """The tokens of a deployment, for those who operate it."""

    def __init__(self, stores: Stores, caller: Caller, rights: Rights) -> None:
        self._database = stores.database
        self._rows = stores.tokens
        self._caller = caller
        self._rights = rights

    @again_if_given_up
    def create(
        self,
        name: str,
        *,
        project: str | None = None,
        user: str | None = None,
        roles: Iterable[str] | None = None,
        expires_at: object = None,
    ) -> tuple[TokenRecord, str]:
        """Make a token, and tell it: never again. `expires_at` is a time with its zone.

        `Conflict` if the name is taken, `InvalidRequest` if it were over already. Only who is an
        administrator makes one of an administrator.
        """
        self._rights.operate()
        wish = NewToken.parse(
            name=name,
            project=project,
            user=user,
            roles=None if roles is None else tuple(roles),
            expires_at=expires_at,
        )
        known = sorted(self._caller.roles if wish.roles is None else set(wish.roles))
        self._refuse(wish, known)
        token = secrets.token_urlsafe(_BYTES)
        record = TokenRecord(
            id=new_id(),
            name=wish.name,
            digest=digest(token),
            project_id=wish.project or self._caller.project,
            user_id=wish.user or self._caller.user,
            roles=known,
            expires_at=None if wish.expires_at is None else wish.expires_at.timestamp(),
        )
        with self._database.write() as connection:
            self._rows.add(connection, record)
            return self._rows.find(connection, record.id), token

    def list(self) -> Sequence[TokenRecord]:
        """Every one, oldest first; also those that are known no more."""
        self._rights.operate()
        with self._database.read() as connection:
            return self._rows.all(connection)

    def get(self, name_or_id: str) -> TokenRecord:
        self._rights.operate()
        with self._database.read() as connection:
            return self._rows.find(connection, name_or_id)

    @again_if_given_up
    def delete(self, name_or_id: str) -> TokenRecord:
        """Know a token no more, from now on."""
        self._rights.operate()
        with self._database.write() as connection:
            token = self._rows.find(connection, name_or_id)
            self._rows.remove(connection, token.id)
        return token

    def caller_of(self, token_digest: str) -> Caller | None:
        """Whom the token with this digest speaks for; None if it is not known, or no more."""
        with self._database.read() as connection:
            known = self._rows.living(connection, token_digest)
        if known is None:
            return None
        return Caller(project=known.project_id, user=known.user_id, roles=frozenset(known.roles))

    def _refuse(self, wish: NewToken, roles: Sequence[str]) -> None:
        if wish.expires_at is not None and wish.expires_at.timestamp() <= time.time():
            raise InvalidRequest("expires_at: this time is over")
        if ADMIN in roles and ADMIN not in self._caller.roles:
            raise Forbidden(
                f"user {self._caller.user!r} is no administrator, and makes no token of one",
                hint="name other roles",
            )


def digest(token: str) -> str:
    """What is kept of a token. It is random and long: there is nothing to guess."""
    return hashlib.sha256(token.encode()).hexdigest()
