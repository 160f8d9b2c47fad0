"""The implementations that every contract test runs on. Add one: add a line and a place."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import databases
from tests.support.marks import Marks
from tests.support.places import Place, SimulatedPlace
from tests.support.private_host import PrivateHost, missing, private_host
from vmwright.backends.host import Host
from vmwright.persistence import schema_version
from vmwright.persistence.database import Database
from vmwright.persistence.stores import Stores
from vmwright.waiting import Wait

IMPLEMENTATIONS = [
    pytest.param("simulated"),
    pytest.param("libvirt", marks=pytest.mark.libvirt),
]


@pytest.fixture(scope="session")
def libvirt_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateHost]:
    """One private libvirt host for the whole session."""
    if reason := missing():
        pytest.skip(reason)
    with private_host(tmp_path_factory.mktemp("host")) as host:
        yield host


@pytest.fixture
def libvirt_place(libvirt_host: PrivateHost) -> Iterator[Place]:
    from tests.support.libvirt_place import LibvirtPlace

    with LibvirtPlace.at(libvirt_host) as place:
        yield place


@pytest.fixture
def simulated_place(tmp_path: Path) -> Place:
    return SimulatedPlace.at(tmp_path / "world")


@pytest.fixture(params=IMPLEMENTATIONS)
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found


@pytest.fixture
def host(place: Place) -> Host:
    return place.host


@pytest.fixture
def marks(place: Place) -> Marks:
    return Marks(place.backend.deployment)


@pytest.fixture
def wait() -> Wait:
    """More patience than any promise needs: only a defect makes it end."""
    return Wait(120)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """A store for runs of flows."""
    home: Path = tmp_path_factory.mktemp("runs")
    database = Database.open(databases.sqlite(home))
    schema_version.upgrade(database)
    yield Stores.of(database, home / "key")
    database.close()
