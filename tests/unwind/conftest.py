"""One prepared deployment per session, a copy of it per test."""

from pathlib import Path

import pytest

from tests.support.lab import Lab, copy_of, preload, prepare_hosts, template


@pytest.fixture(scope="session")
def preloaded(tmp_path_factory):
    """This process has loaded what its children need: else each would load it for itself."""
    preload(tmp_path_factory.mktemp("preload") / "lab")


@pytest.fixture(scope="session")
def prepared(preloaded, tmp_path_factory):
    with template(tmp_path_factory.mktemp("prepared") / "lab") as directory:
        yield directory


@pytest.fixture
def lab(prepared: Path, tmp_path: Path) -> Lab:
    return copy_of(prepared, tmp_path / "lab")


@pytest.fixture(scope="session")
def prepared_with_hosts(preloaded, tmp_path_factory):
    with template(tmp_path_factory.mktemp("hosts") / "lab", prepare_hosts) as directory:
        yield directory


@pytest.fixture
def hosts(prepared_with_hosts: Path, tmp_path: Path) -> Lab:
    """A deployment with three hosts."""
    return copy_of(prepared_with_hosts, tmp_path / "lab")
