"""The same task in a flow of its own, without a guest."""

from pathlib import Path

import pytest
from licences import TakeLicence
from taskflow.flow import Flow
from taskflow.patterns import linear_flow
from test_licences import Licences

from vmwright.tasks.task import Means
from vmwright.testing.pytest_plugin import breaks_on_purpose


def licence_only(means: Means) -> Flow:
    return linear_flow.Flow("licence_only").add(TakeLicence(means))


@breaks_on_purpose(flow=licence_only)
def test_licence_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Licences:
    monkeypatch.setenv("LICENCE_DIR", str(tmp_path / "licences"))
    return Licences(tmp_path / "licences")
