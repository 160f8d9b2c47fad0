"""A process that has loaded all that its children need, and databases to be killed on."""

from pathlib import Path

import pytest

from tests.support.dialects import DIALECTS
from tests.support.lab import preload


@pytest.fixture(scope="session")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    preload(tmp_path_factory.mktemp("preload") / "lab")


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def home(preloaded: None, tmp_path: Path) -> Path:
    """Where deployments may lie."""
    return tmp_path
