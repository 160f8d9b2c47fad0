"""One prepared deployment per session, a copy of it per test."""

from pathlib import Path

import pytest

from tests.support.lab import Lab, copy_of, prepare_hosts, template
from tests.support.matrices import CREATE_AMONG_OTHERS
from vmwright.testing.trial import prepare_stage


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    with template(tmp_path_factory.mktemp("prepared") / "lab") as directory:
        yield directory


@pytest.fixture
def lab(prepared: Path, tmp_path: Path) -> Lab:
    return copy_of(prepared, tmp_path / "lab")


@pytest.fixture(scope="session")
def prepared_among_others(tmp_path_factory):
    home = tmp_path_factory.mktemp("among-others") / "lab"
    home.mkdir()
    return prepare_stage(Lab(home), CREATE_AMONG_OTHERS.subject)


@pytest.fixture
def among_others(prepared_among_others: Lab, tmp_path: Path) -> Lab:
    """A deployment in whose world another one lives."""
    return prepared_among_others.copied_to(tmp_path / "lab")


@pytest.fixture(scope="session")
def prepared_with_hosts(tmp_path_factory):
    with template(tmp_path_factory.mktemp("hosts") / "lab", prepare_hosts) as directory:
        yield directory


@pytest.fixture
def hosts(prepared_with_hosts: Path, tmp_path: Path) -> Lab:
    """A deployment with three hosts."""
    return copy_of(prepared_with_hosts, tmp_path / "lab")
