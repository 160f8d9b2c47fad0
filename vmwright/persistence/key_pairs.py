"""Key pairs: the ssh public keys that users have registered."""

from collections.abc import Sequence

import sqlalchemy as sa

from vmwright.persistence.owned import OwnedStore
from vmwright.persistence.records import KeyPair
from vmwright.persistence.tables import Schema


class KeyPairStore(OwnedStore[KeyPair]):
    """Key pairs belong to users, whatever project they work in."""

    def __init__(self, schema: Schema) -> None:
        super().__init__(schema.key_pairs, KeyPair, "keypair", "user_id")

    def of_user(self, connection: sa.Connection, user: str) -> Sequence[KeyPair]:
        """Every key pair of a user, oldest first."""
        return self._all(connection, user)
