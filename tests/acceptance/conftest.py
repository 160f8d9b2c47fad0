"""A private libvirt host and a deployment on it, for each module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.demo_guest import DemoGuest, demo_guest
from tests.support.installed import Installed
from tests.support.private_host import missing, private_host


@pytest.fixture(scope="session")
def demo() -> DemoGuest:
    return demo_guest()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, demo: DemoGuest) -> Iterator[Installed]:
    """A deployment with an image, a flavor and a network, on a host of its own."""
    if reason := missing():
        pytest.skip(reason)
    directory: Path = tmp_path_factory.mktemp("real")
    with private_host(directory / "host") as host:
        made = Installed(directory / "home", host)
        made.configure()
        # More memory than any machine has: the claim is granted, and QEMU has the last word.
        made.run("host", "create", "real", "--uri", host.uri, "--memory", str(2**26))
        made.run("image", "create", "demo", "--file", str(demo.disk[1]), "--disk-format", "qcow2")
        made.run("flavor", "create", "small", "--vcpus", "1", "--ram", "128", "--disk", "1")
        made.run("network", "create", "net1", "--subnet-range", "10.77.0.0/24")
        yield made
