"""A service whose database server goes away for a while."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import lab as labs
from tests.support.databases import PostgreSQL
from tests.support.lab import Lab
from tests.support.serving import Service, serving

pytestmark = pytest.mark.postgresql


@pytest.fixture
def lab(postgresql: PostgreSQL, tmp_path: Path) -> Lab:
    return Lab(tmp_path, url=postgresql.ready().connection).prepared()


def test_service_goes_on_once_its_store_is_back(lab: Lab, postgresql: PostgreSQL) -> None:
    with serving(lab) as service:
        postgresql.stop()
        _until(service, lambda: "the store is not asked for work" in service.log.read_text())
        _until(service, lambda: "cannot be renewed" in service.log.read_text())
        postgresql.start_again()
        assert lab.child(lambda controller: controller.submit(labs.request())).status == 0
        states = "SELECT state FROM vmwright_operations"
        _until(service, lambda: lab.rows(states) == [{"state": "done"}])
        assert service.stop() == 0
    told = service.log.read_text()
    # Once when it begins and once when it ends, however long it took.
    assert told.count("WARNING vmwright.persistence.outage: the store is not asked for work") == 1
    assert told.count("the store answers again (before: the store is not asked for work)") == 1
    assert lab.rows("SELECT * FROM vmwright_owners") == []


def _until(service: Service, condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    while not condition():
        assert service.process.poll() is None, service.log.read_text()
        pause.wait(0.05)
