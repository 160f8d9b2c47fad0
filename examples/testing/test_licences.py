"""Whatever goes wrong with it, wherever: one licence for a guest that runs, or none."""

from pathlib import Path

import pytest
from licences import TakeLicence, licence_of

from vmwright.tasks.task import Run
from vmwright.testing import DirectoryWorld
from vmwright.testing.pytest_plugin import breaks_on_purpose


class Licences(DirectoryWorld):
    """What an outsider sees of the licences: their files."""

    def occupy(self, run: Run) -> None:
        licence_of(run).write_text('{"holder": "somebody else"}')


@pytest.fixture
def licences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Licences:
    monkeypatch.setenv("LICENCE_DIR", str(tmp_path / "licences"))
    return Licences(tmp_path / "licences")


@breaks_on_purpose(post_create=[TakeLicence])
def test_licence_of_a_build(licences: Licences) -> Licences:
    return licences
