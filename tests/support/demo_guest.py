"""The demo guest, built once and kept, and what it says on its console."""

import hashlib
import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock

from vmwright.backends.volumes import Base

_SCRIPTS = Path(__file__).parents[2] / "scripts"
_QCOW2_SIZE = slice(24, 32)
"""Where the header of a qcow2 file holds the size of the disk."""


@dataclass(frozen=True)
class DemoGuest:
    """Where the guest's files lie."""

    directory: Path

    @property
    def disk(self) -> tuple[Base, Path]:
        """A qcow2 image that boots by itself."""
        file = self.directory / "guest.qcow2"
        return _base(file, "qcow2", int.from_bytes(file.read_bytes()[_QCOW2_SIZE])), file

    @property
    def kernel(self) -> tuple[Base, Path]:
        return self._raw("vmlinuz")

    @property
    def ramdisk(self) -> tuple[Base, Path]:
        return self._raw("initrd.gz")

    def _raw(self, name: str) -> tuple[Base, Path]:
        file = self.directory / name
        return _base(file, "raw", file.stat().st_size), file


def demo_guest() -> DemoGuest:
    """The guest, built now if it is missing or out of date; raises with the builder's reason."""
    return DemoGuest(built_guest("demo-guest"))


def built_guest(name: str) -> Path:
    """Where the files of the guest lie that the script `build-NAME` builds, and built now."""
    cache = os.environ.get("VMWRIGHT_CACHE_DIR") or platformdirs.user_cache_dir("vmwright")
    directory = Path(cache) / name
    directory.mkdir(parents=True, exist_ok=True)
    with FileLock(directory / "lock"):
        built = subprocess.run(
            [str(_SCRIPTS / f"build-{name}"), str(directory)],
            check=False,
            capture_output=True,
            text=True,
        )
    if built.returncode:
        raise RuntimeError(built.stderr.strip())
    return directory


def said(console: Iterable[bytes], *patterns: str) -> str:
    """What the guest says until all patterns match; fails if it ends before."""
    text = ""
    for piece in console:
        text += piece.decode(errors="replace")
        if all(re.search(pattern, text) for pattern in patterns):
            return text
    raise AssertionError(f"the guest did not say all of {patterns}:\n{text[-2000:]}")


def _base(file: Path, disk_format: str, virtual_size_bytes: int) -> Base:
    return Base(
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        disk_format=disk_format,
        size_bytes=file.stat().st_size,
        virtual_size_bytes=virtual_size_bytes,
    )
