"""One prepared deployment per session, a copy of it per test; and the command in both ways."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tests.support.through_service import WAYS, called
from tests.unwind.conftest import hosts, lab, prepared, prepared_with_hosts

__all__ = ["hosts", "lab", "prepared", "prepared_with_hosts"]


@pytest.fixture(params=WAYS)
def vmwright(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CommandLine]:
    """The command on a store with an image, a flavor, a network and a host: where the store is,
    and through a service."""
    with called(request.param, tmp_path) as command:
        yield command
