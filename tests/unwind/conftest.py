"""One prepared deployment per session, a copy of it per test."""

import functools
from pathlib import Path

import pytest

from tests.support.lab import Lab, copy_of, prepare_hosts, template
from vmwright.testing import Matrix
from vmwright.testing.trial import prepare_stage


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    with template(tmp_path_factory.mktemp("prepared") / "lab") as directory:
        yield directory


@pytest.fixture
def lab(prepared: Path, tmp_path: Path) -> Lab:
    return copy_of(prepared, tmp_path / "lab")


@pytest.fixture(scope="session")
def stages(tmp_path_factory):
    """Makes what a matrix of ours needs, once."""
    return functools.cache(lambda matrix: _stage(tmp_path_factory.mktemp("stage"), matrix))


def _stage(home: Path, matrix: Matrix) -> Lab:
    return prepare_stage(Lab(home), matrix.subject)


@pytest.fixture(scope="session")
def prepared_with_hosts(tmp_path_factory):
    with template(tmp_path_factory.mktemp("hosts") / "lab", prepare_hosts) as directory:
        yield directory


@pytest.fixture
def hosts(prepared_with_hosts: Path, tmp_path: Path) -> Lab:
    """A deployment with three hosts."""
    return copy_of(prepared_with_hosts, tmp_path / "lab")
