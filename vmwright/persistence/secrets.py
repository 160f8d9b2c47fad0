"""Secrets: kept encrypted while a build needs them, erased once it has ended."""

import hmac
import os
import stat
import tempfile
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from vmwright.errors import NotFound, Unavailable
from vmwright.ids import InstanceId
from vmwright.persistence.database import now
from vmwright.persistence.inserting import insertion
from vmwright.persistence.prepared import Prepared
from vmwright.persistence.tables import Schema
from vmwright.private_files import make_directories

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

_LONGEST_KEY = 1024
_REMEDY = "run where the key file of this deployment is, or bring it back from a backup"


@dataclass(frozen=True, kw_only=True)
class NewSecret:
    """What is to be kept for an instance."""

    id: str
    instance: InstanceId
    kind: str
    content: bytes = field(repr=False)


class SecretStore:
    """What nobody but the guest may read. The key lies in a file outside the database."""

    def __init__(self, schema: Schema, key_file: Path) -> None:
        self._table = schema.secrets
        self._adding = insertion(
            self._table, "id", "instance_id", "kind", "ciphertext", created_at=now()
        )
        self._key_file = key_file
        self._made: tuple[bytes, Fernet] | None = None

    def keep(self, connection: sa.Connection, *secrets: NewSecret) -> None:
        """Keep these, encrypted. `Unavailable` if there can be no key."""
        if not secrets:
            return
        if not self._key_file.exists():
            self._make_key()
        cipher = self._cipher()
        rows = [
            {
                "id": secret.id,
                "instance_id": secret.instance,
                "kind": secret.kind,
                "ciphertext": cipher.encrypt(secret.content).decode(),
            }
            for secret in secrets
        ]
        self._adding.many(connection, rows)

    def reveal(self, connection: sa.Connection, secret: str) -> bytes:
        """The content. `NotFound` once erased, `Unavailable` where the key file is not."""
        found = connection.execute(self._one, {"secret": secret}).scalar()
        return self.opened({secret: found})[secret]

    def sealed(self, connection: sa.Connection, instance: InstanceId) -> Mapping[str, str | None]:
        """Every secret of the instance as it is stored, by id: for `opened`."""
        return dict(self._of_instance.select(connection, {"instance": instance}))

    def opened(self, sealed: Mapping[str, str | None]) -> dict[str, bytes]:
        """The contents of these. Raises as `reveal` does."""
        whole = {}
        for secret, ciphertext in sealed.items():
            if ciphertext is None:
                raise NotFound(f"secret {secret} was erased")
            whole[secret] = ciphertext
        if not whole:
            return {}
        cipher = self._cipher()
        return {secret: self._decrypted(cipher, secret, whole[secret]) for secret in whole}

    def _decrypted(self, cipher: "Fernet", secret: str, ciphertext: str) -> bytes:
        from cryptography.fernet import InvalidToken

        try:
            return cipher.decrypt(ciphertext)
        except InvalidToken:
            raise Unavailable(
                f"secret {secret} was encrypted with another key than {self._key_file} holds",
                hint=_REMEDY,
            ) from None

    def passwords(
        self, connection: sa.Connection, instances: Collection[InstanceId]
    ) -> dict[InstanceId, str]:
        """The administrators' passwords of these instances, as far as they are not erased."""
        column = self._table.c
        rows = connection.execute(
            sa.select(column.id, column.instance_id).where(
                column.instance_id.in_(instances),
                column.kind == "admin_password",
                column.erased_at.is_(None),
            )
        ).all()
        return {row.instance_id: self.reveal(connection, row.id).decode() for row in rows}

    def digest(self, content: bytes) -> str:
        """Tells contents apart without saying anything of them to who has not the key."""
        if not self._key_file.exists():
            self._make_key()
        return hmac.digest(self._key(), content, "sha256").hex()

    def erase(self, connection: sa.Connection, instance: InstanceId) -> None:
        """Forget every secret of the instance."""
        self._erase.one(connection, {"whose": instance})

    @cached_property
    def _one(self) -> sa.Select[Any]:
        column = self._table.c
        return sa.select(column.ciphertext).where(column.id == sa.bindparam("secret"))

    @cached_property
    def _of_instance(self) -> Prepared:
        column = self._table.c
        whose = column.instance_id == sa.bindparam("instance")
        return Prepared(sa.select(column.id, column.ciphertext).where(whose))

    @cached_property
    def _erase(self) -> Prepared:
        column = self._table.c
        return Prepared(
            sa.update(self._table)
            .where(column.instance_id == sa.bindparam("whose"), column.erased_at.is_(None))
            .values(ciphertext=None, erased_at=now())
        )

    def _cipher(self) -> "Fernet":
        # Loaded by those only who have a secret: nobody who looks at a store has.
        from cryptography.fernet import Fernet

        key, made = self._key(), self._made
        if made is None or made[0] != key:
            try:
                made = self._made = key, Fernet(key)
            except ValueError as error:
                raise self._no_key() from error
        return made[1]

    def _key(self) -> bytes:
        try:
            descriptor = os.open(self._key_file, os.O_RDONLY | os.O_CLOEXEC)
            try:
                mode = os.fstat(descriptor).st_mode
                key = os.read(descriptor, _LONGEST_KEY)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._no_key() from error
        if mode & stat.S_IRWXO:
            raise Unavailable(
                f"everybody may use the key file {self._key_file}",
                hint=f"if nobody has it yet: chmod 600 {self._key_file}",
            )
        return key

    def _no_key(self) -> Unavailable:
        return Unavailable(
            f"the key file {self._key_file} holds no key that can be read", hint=_REMEDY
        )

    def _make_key(self) -> None:
        """Make the key, durable and whole. Of several that make it at once, one wins."""
        from cryptography.fernet import Fernet

        directory = self._key_file.parent
        try:
            make_directories(directory)
            with tempfile.NamedTemporaryFile(dir=directory, prefix=".key-") as draft:
                draft.write(Fernet.generate_key())
                draft.flush()
                os.fsync(draft.fileno())
                with suppress(FileExistsError):
                    os.link(draft.name, self._key_file)
            _make_durable(directory)
        except OSError as error:
            raise Unavailable(
                f"the key file {self._key_file} cannot be made: {error.strerror}",
                hint="state_dir must be a directory that this user may write",
            ) from error


def _make_durable(directory: Path) -> None:
    """A key that a power cut takes back would take every secret with it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
