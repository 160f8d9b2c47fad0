"""Key pairs: ssh public keys that users register once and name in requests."""

import base64
import hashlib
from collections.abc import Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from vmwright.admission import Caller
from vmwright.admission.gate import Rights
from vmwright.errors import InvalidRequest
from vmwright.ids import KeyPairId, new_id
from vmwright.inventory.limits import Limits
from vmwright.persistence.records import KeyPair
from vmwright.persistence.retrying import again_if_given_up
from vmwright.persistence.stores import Stores
from vmwright.request.fields import Name, SshKey
from vmwright.request.model import Model


class NewKeyPair(Model):
    """A public key; its private half stays with its user."""

    name: Name
    public_key: SshKey


class KeyPairs:
    """The key pairs of the caller, whatever project they work in."""

    def __init__(self, stores: Stores, limits: Limits, caller: Caller, rights: Rights) -> None:
        self._database = stores.database
        self._rows = stores.key_pairs
        self._limits = limits
        self._rights = rights
        self._caller = caller

    @again_if_given_up
    def create(self, name: str, public_key: str) -> KeyPair:
        """Register a public key, as one line of OpenSSH's ``.pub`` files.

        `InvalidRequest` if it is no key, `Conflict` if the name is taken, `QuotaExceeded` if the
        user has too many.
        """
        self._rights.change()
        wish = NewKeyPair.parse(name=name, public_key=public_key)
        pair = KeyPair(
            id=KeyPairId(new_id()),
            user_id=self._caller.user,
            name=wish.name,
            public_key=wish.public_key,
            fingerprint=fingerprint_of(wish.public_key),
        )
        with self._database.write() as connection:
            self._limits.hold(connection)
            held = self._rows.count(connection, self._caller.user)
            self._limits.refuse_excess(connection, "key_pairs", held)
            self._rows.add(connection, pair)
            return self._rows.find(connection, self._caller.user, pair.id)

    def list(self) -> Sequence[KeyPair]:
        with self._database.read() as connection:
            return self._rows.of_user(connection, self._caller.user)

    def get(self, name_or_id: str) -> KeyPair:
        with self._database.read() as connection:
            return self._rows.find(connection, self._caller.user, name_or_id)

    @again_if_given_up
    def delete(self, name_or_id: str) -> KeyPair:
        """Forget a key pair; instances keep the key that they were built with."""
        self._rights.change()
        with self._database.write() as connection:
            pair = self._rows.find(connection, self._caller.user, name_or_id)
            self._rows.remove(connection, pair.id)
        return pair


def fingerprint_of(public_key: str) -> str:
    """As ``ssh-keygen -l`` shows it: SHA256, base64 without padding."""
    kind, encoded, *_comment = public_key.split(maxsplit=2)
    try:
        load_ssh_public_key(f"{kind} {encoded}".encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidRequest(
            f"public_key: this is no ssh public key ({error})",
            hint="give the one line of a file such as ~/.ssh/id_ed25519.pub",
        ) from None
    digest = hashlib.sha256(base64.b64decode(encoded)).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"
