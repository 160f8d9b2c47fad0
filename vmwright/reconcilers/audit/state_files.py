"""Files that processes of this deployment keep on this machine, beside images."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import sqlalchemy as sa

from vmwright.errors import NotFound, Unavailable
from vmwright.persistence.census import Held, Holding
from vmwright.persistence.stores import Stores
from vmwright.private_files import is_unlocked
from vmwright.reconcilers.audit.verdicts import Finding, Verdict, missing

_YOUNG = 3600.0
"""Seconds in which a process may be between making its lock's file and locking it."""


def judge_state_files(
    stores: Stores, connection: sa.Connection, state_dir: Path, holdings: Sequence[Holding]
) -> Iterator[Finding]:
    """Locks of owners that the store does not know, and a key file that does not fit."""
    owners = stores.census.owners(connection)
    for path in sorted((state_dir / "owners").glob("*.lock")):
        if path.stem not in owners and is_abandoned(path):
            why = "no owner of the store has it, and nobody holds it"
            yield Finding(kind="lock", key=path.name, verdict=Verdict.LEFTOVER, why=why)
    secret = next((held for held in holdings if held.kind is Held.SECRET), None)
    if secret is not None:
        try:
            stores.secrets.reveal(connection, secret.key)
        except NotFound:
            return  # erased meanwhile
        except Unavailable as error:
            remedy = "bring the key file back from its backup"
            yield missing("key", str(state_dir / "key"), error.message, remedy=remedy)


def is_abandoned(path: Path) -> bool:
    """Whether the file of a lock is old, and nobody holds the lock."""
    try:
        young = path.lstat().st_mtime + _YOUNG > time.time()
    except OSError:
        return False
    return not young and is_unlocked(path)
