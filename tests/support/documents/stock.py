"""What a page takes for granted: what another page has made, or what somebody has installed."""

import tomllib
from pathlib import Path

from tests.support.documents.reader import Reader
from tests.support.hooks import install
from vmwright import Controller, Settings
from vmwright.waiting import Wait


def with_stock(reader: Reader) -> None:
    """The image `demo`, the flavor `small`, the network `net1`."""
    disk = reader.home / "disk.raw"
    disk.write_bytes(bytes(1 << 20))
    with Controller(Settings.from_files(str(reader.home / "vmwright.conf"))) as controller:
        controller.inventory.create_image("demo", disk, "raw", wait=Wait(60))
        controller.inventory.create_flavor("small", vcpus=1, ram_mib=128, disk_gib=1)
        controller.inventory.create_network("net1", "10.1.0.0/24")


def with_example(name: str, reader: Reader) -> None:
    """A package of examples/ with one module, as pip would install it."""
    source = Path(__file__).parents[3] / "examples" / name
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    (module,) = source.glob("*.py")
    install(reader.home / "installed", module.stem, module.read_text(), project)
    reader.run_session("$ export PYTHONPATH=$HOME/installed")
