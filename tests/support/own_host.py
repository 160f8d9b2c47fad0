"""Fixtures for tests that break their libvirt host on purpose: each has one of its own.

A module of tests imports them in place of the host that all others share.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.libvirt_backends import opened
from tests.support.marks import Marks
from tests.support.private_host import PrivateHost, missing, private_host
from vmwright.backends.host import Backend, Host
from vmwright.ids import DeploymentId, new_id

__all__ = ["backend", "host", "libvirt_host", "marks"]


@pytest.fixture
def libvirt_host(tmp_path: Path) -> Iterator[PrivateHost]:
    if reason := missing():
        pytest.skip(reason)
    with private_host(tmp_path / "host") as host:
        yield host


@pytest.fixture
def backend(libvirt_host: PrivateHost) -> Iterator[Backend]:
    with opened(libvirt_host.uri, DeploymentId(new_id())) as backend:
        yield backend


@pytest.fixture
def host(backend: Backend) -> Host:
    return backend.host(backend.default_uri)


@pytest.fixture
def marks(backend: Backend) -> Marks:
    return Marks(backend.deployment)
