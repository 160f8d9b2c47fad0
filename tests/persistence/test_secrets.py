"""Secrets lie encrypted, their key elsewhere, and are gone once nobody needs them."""

import json
import stat
import subprocess
import sys
from dataclasses import asdict

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from tests.support import foreign_sql
from tests.support.crowds import all_at_once
from tests.support.rows import stored_instance
from vmwright.errors import NotFound, Unavailable
from vmwright.ids import new_id
from vmwright.persistence.secrets import NewSecret, SecretStore

MARKER = b"marker-of-a-secret-7d1f\x00\xff"


@pytest.fixture
def instance(stores):
    with stores.database.write() as connection:
        return stored_instance(stores, connection)


def keep(stores, instance, content=MARKER):
    secret = new_id()
    with stores.database.write() as connection:
        stores.secrets.keep(
            connection, NewSecret(id=secret, instance=instance, kind="user_data", content=content)
        )
    return secret


def reveal(stores, secret):
    with stores.database.read() as connection:
        return stores.secrets.reveal(connection, secret)


def everything_stored(dialect, ready, tmp_path) -> bytes:
    """Every byte that the database has on disk, or would hand out."""
    if dialect == "sqlite":
        return b"".join(path.read_bytes() for path in tmp_path.glob("store.db*"))
    dump = b""
    tables = "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ?"
    schema = "public" if dialect == "postgresql" else sa.make_url(ready.connection).database
    for table in foreign_sql.rows(ready.connection, tables, schema):
        found = foreign_sql.rows(ready.connection, f'SELECT * FROM "{table["name"]}"')
        dump += repr(found).encode()
    assert dump, "there is no table"
    return dump


def test_secret_is_revealed_as_it_was(stores, instance):
    assert reveal(stores, keep(stores, instance)) == MARKER


def test_secret_of_no_bytes_and_one_of_many_are_kept(stores, instance):
    assert reveal(stores, keep(stores, instance, b"")) == b""
    assert reveal(stores, keep(stores, instance, bytes(65536))) == bytes(65536)


def test_secret_lies_nowhere_in_clear(stores, instance, dialect, ready, tmp_path):
    keep(stores, instance, b"marker-of-a-secret")
    stored = everything_stored(dialect, ready, tmp_path)
    assert instance.encode() in stored
    assert b"marker-of-a-secret" not in stored


def test_key_is_for_its_owner_alone_and_made_once(stores, instance, tmp_path):
    keep(stores, instance)
    key = tmp_path / "key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    first = key.read_bytes()
    keep(stores, instance)
    assert key.read_bytes() == first
    assert [path.name for path in tmp_path.iterdir() if "key" in path.name] == ["key"]


def test_erased_secrets_are_gone_for_good(stores, instance, dialect, ready, tmp_path):
    secret = keep(stores, instance)
    with stores.database.write() as connection:
        other = stored_instance(stores, connection)
    kept = keep(stores, other)
    with stores.database.write() as connection:
        stores.secrets.erase(connection, instance)
        stores.secrets.erase(connection, instance)
    with pytest.raises(NotFound, match="erased"):
        reveal(stores, secret)
    assert reveal(stores, kept) == MARKER


def test_unknown_secret_is_not_found(stores):
    with pytest.raises(NotFound):
        reveal(stores, new_id())


def test_another_key_is_unavailable_with_a_hint_and_without_the_content(
    stores, database, instance, tmp_path
):
    secret = keep(stores, instance)
    (tmp_path / "other").write_bytes(Fernet.generate_key())
    elsewhere = SecretStore(database.schema, tmp_path / "other")
    with pytest.raises(Unavailable) as refused, database.read() as connection:
        elsewhere.reveal(connection, secret)
    assert refused.value.hint
    assert "marker" not in str(refused.value)


def test_missing_key_of_a_kept_secret_is_unavailable_and_not_made_anew(stores, instance, tmp_path):
    secret = keep(stores, instance)
    (tmp_path / "key").unlink()
    with pytest.raises(Unavailable):
        reveal(stores, secret)
    assert not (tmp_path / "key").exists()


def test_damaged_key_is_unavailable(stores, instance, tmp_path):
    secret = keep(stores, instance)
    (tmp_path / "key").write_bytes(b"not a key")
    with pytest.raises(Unavailable) as refused:
        reveal(stores, secret)
    assert str(tmp_path / "key") in refused.value.message


def test_key_that_cannot_be_made_is_unavailable(stores, database, instance, tmp_path):
    (tmp_path / "in the way").touch()
    nowhere = SecretStore(database.schema, tmp_path / "in the way" / "key")
    with pytest.raises(Unavailable) as refused, database.write() as connection:
        nowhere.keep(
            connection,
            NewSecret(id=new_id(), instance=instance, kind="user_data", content=MARKER),
        )
    assert refused.value.hint


def test_threads_that_need_a_key_at_once_make_one(stores, instance, tmp_path):
    kept = all_at_once([lambda: keep(stores, instance)] * 8)
    assert [reveal(stores, secret) for secret in kept] == [MARKER] * 8
    assert [path.name for path in tmp_path.iterdir() if "key" in path.name] == ["key"]


def test_processes_that_need_a_key_at_once_make_one(stores, ready, tmp_path):
    program = f"""
import json
from pathlib import Path
from tests.support import foreign_sql
from tests.support.crowds import all_at_once
from tests.support.rows import stored_instance
from vmwright.ids import new_id
from vmwright.persistence.database import Database
from vmwright.persistence.secrets import NewSecret
from vmwright.persistence.stores import Stores
from vmwright.settings import DatabaseSettings
settings = DatabaseSettings(**json.loads({json.dumps(asdict(ready))!r}))
stores = Stores.of(Database.open(settings), Path({str(tmp_path / "key")!r}))
secret = new_id()
with stores.database.write() as connection:
    instance = stored_instance(stores, connection)
    stores.secrets.keep(
        connection, NewSecret(id=secret, instance=instance, kind="user_data", content=b"x")
    )
print(secret)
"""
    children = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    kept = [child.communicate()[0].strip() for child in children]
    assert [child.returncode for child in children] == [0] * 4
    assert [reveal(stores, secret) for secret in kept] == [b"x"] * 4
