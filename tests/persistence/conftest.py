"""Every test of the store runs on an SQLite file, on a real PostgreSQL and on a real MariaDB."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import databases
from tests.support.dialects import IN_TURN
from tests.support.servers import Server
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.persistence.stores import Stores
from vmwright.settings import DatabaseSettings


@pytest.fixture(params=IN_TURN)
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseSettings:
    """A database without tables."""
    if dialect == "sqlite":
        return databases.sqlite(tmp_path)
    server: Server = request.getfixturevalue(dialect)
    return server.fresh()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that holds an SQLite file with the newest schema."""
    directory = tmp_path_factory.mktemp("template")
    database = Database.open(databases.sqlite(directory))
    schema_version.upgrade(database)
    database.close()
    return directory


@pytest.fixture
def ready(
    dialect: str, request: pytest.FixtureRequest, tmp_path: Path, sqlite_template: Path
) -> DatabaseSettings:
    """A database with the newest schema."""
    if dialect != "sqlite":
        server: Server = request.getfixturevalue(dialect)
        return server.ready()
    for path in sqlite_template.iterdir():
        shutil.copy2(path, tmp_path)
    return databases.sqlite(tmp_path)


@pytest.fixture
def database(ready: DatabaseSettings) -> Iterator[Database]:
    database = Database.open(ready)
    yield database
    database.close()


@pytest.fixture
def stores(database: Database, tmp_path: Path) -> Stores:
    return Stores.of(database, tmp_path / "key")
