"""A process that has loaded all that its children need, and databases to be killed on."""

from pathlib import Path

import pytest

from tests.persistence.conftest import DIALECTS, mariadb, postgresql
from tests.unwind.conftest import preloaded

__all__ = ["dialect", "mariadb", "postgresql", "preloaded"]


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def home(preloaded: None, tmp_path: Path) -> Path:
    """Where deployments may lie."""
    return tmp_path
