"""One prepared deployment per session, a copy of it per test."""

from pathlib import Path

import pytest

from tests.support.lab import Lab, copy_of, template


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    with template(tmp_path_factory.mktemp("prepared") / "lab") as directory:
        yield directory


@pytest.fixture
def lab(prepared: Path, tmp_path: Path) -> Lab:
    return copy_of(prepared, tmp_path / "lab")
