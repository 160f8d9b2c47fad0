"""A backend is found by the name that its package gave to it."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from vmwright.backends.loading import load_backend
from vmwright.backends.simulated import SimulatedBackend
from vmwright.errors import InvalidRequest
from vmwright.ids import DeploymentId, new_id
from vmwright.settings import DatabaseSettings, Settings, SimulatedSettings

OTHERS = """
from vmwright.errors import PackageMissing

def needs_more(settings, deployment):
    raise PackageMissing("needs more", hint="install it")

def same(settings, deployment):
    return (settings.backend, deployment)
"""
ENTRY_POINTS = """
[vmwright.backends]
needs-more = others:needs_more
same = others:same
absent = others.absent:open_backend
simulated = others:same
"""
LOAD = """
import sys
from pathlib import Path
from vmwright.backends.loading import load_backend
from vmwright.errors import VmwrightError
from vmwright.settings import DatabaseSettings, Settings, SimulatedSettings

settings = Settings(
    backend=sys.argv[1], state_dir=Path(), database=DatabaseSettings(connection=""),
    simulated=SimulatedSettings(world_dir=Path("world")),
)
try:
    print(load_backend(settings, "d"))
except VmwrightError as error:
    print(f"{type(error).__name__}: {error.message}")
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        backend="simulated",
        state_dir=tmp_path,
        database=DatabaseSettings(connection=""),
        simulated=SimulatedSettings(world_dir=tmp_path / "world", host="first"),
    )


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """A directory where another package with backends is installed."""
    directory = tmp_path / "others"
    metadata = directory / "others-1.dist-info"
    metadata.mkdir(parents=True)
    (directory / "others.py").write_text(OTHERS)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    return directory


def test_backend_is_opened_with_settings_and_deployment(settings: Settings) -> None:
    deployment = DeploymentId(new_id())
    backend = load_backend(settings, deployment)
    assert isinstance(backend, SimulatedBackend)
    assert (backend.deployment, backend.default_uri) == (deployment, "simulated:///first")


def test_unknown_backend_is_invalid_and_the_known_are_listed(settings: Settings) -> None:
    with pytest.raises(InvalidRequest, match="'xen' is not installed") as refused:
        load_backend(replace(settings, backend="xen"), DeploymentId(new_id()))
    assert "simulated" in refused.value.hint


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("same", "('same', 'd')"),
        ("needs-more", "PackageMissing: needs more"),
        ("absent", "PackageMissing: backend 'absent' cannot be loaded from others.absent"),
        ("simulated", "InvalidRequest: backend 'simulated' is offered by more than one package"),
    ],
)
def test_backend_of_another_package_is_loaded(others: Path, name: str, outcome: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD, name],
        check=True,
        capture_output=True,
        text=True,
        cwd=others,
        env={"PYTHONPATH": str(others), "XDG_CACHE_HOME": str(others / "cache")},
    )
    assert loaded.stdout.startswith(outcome)
