"""Secrets: kept encrypted while a build needs them, erased once it has ended."""

import os
from pathlib import Path

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken

from vmwright.errors import NotFound, Unavailable
from vmwright.ids import InstanceId
from vmwright.persistence.database import now
from vmwright.persistence.tables import Schema


class SecretStore:
    """What nobody but the guest may read. The key lies in a file outside the database."""

    def __init__(self, schema: Schema, key_file: Path) -> None:
        self._table = schema.secrets
        self._key_file = key_file

    def keep(
        self,
        connection: sa.Connection,
        secret: str,
        *,
        instance: InstanceId,
        kind: str,
        content: bytes,
    ) -> None:
        """Keep `content` under the id `secret`."""
        connection.execute(
            sa.insert(self._table).values(
                id=secret,
                instance_id=instance,
                kind=kind,
                ciphertext=Fernet(self._key()).encrypt(content).decode(),
                created_at=now(),
            )
        )

    def reveal(self, connection: sa.Connection, secret: str) -> bytes:
        """The content. `NotFound` once erased, `Unavailable` where the key file is not."""
        ciphertext = connection.execute(
            sa.select(self._table.c.ciphertext).where(self._table.c.id == secret)
        ).scalar()
        if ciphertext is None:
            raise NotFound(f"secret {secret} was erased")
        try:
            return Fernet(self._key()).decrypt(ciphertext)
        except InvalidToken:
            raise Unavailable(
                f"secret {secret} was encrypted with another key than {self._key_file} holds",
                hint="run where the key file of this deployment is",
            ) from None

    def erase(self, connection: sa.Connection, instance: InstanceId) -> None:
        """Forget every secret of the instance."""
        connection.execute(
            sa.update(self._table)
            .where(self._table.c.instance_id == instance, self._table.c.erased_at.is_(None))
            .values(ciphertext=None, erased_at=now())
        )

    def _key(self) -> bytes:
        """The key; made on first use. Of several processes that make it, one wins."""
        if not self._key_file.exists():
            self._key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = self._key_file.with_name(f".{self._key_file.name}.{os.getpid()}")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
                f.write(Fernet.generate_key())
                f.flush()
                os.fsync(f.fileno())
            try:
                os.link(draft, self._key_file)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return self._key_file.read_bytes()
