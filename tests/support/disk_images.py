"""Disk images for tests: real ones made by qemu-img, and heads of formats written by hand."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

needs_qemu_img = pytest.mark.skipif(
    shutil.which("qemu-img") is None, reason="qemu-img is missing: apt install qemu-utils"
)


def qemu_img(*words: str | Path) -> None:
    subprocess.run(["qemu-img", *map(str, words)], check=True, capture_output=True)


def made(path: Path, disk_format: str, size: str, *options: str | Path) -> Path:
    """A disk image of this format and virtual size, as qemu-img makes it."""
    qemu_img("create", "-q", "-f", disk_format, *options, path, size)
    return path


def qcow2_head(
    *, size: int = 1 << 20, version: int = 3, backing: int = 0, crypt: int = 0, features: int = 0
) -> bytes:
    """The first 512 bytes of a qcow2 file that describes a disk of `size` bytes.

    Its tables are in the first four clusters, of 64 KiB each; the file must be as long.
    """
    entries = -(-size // (1 << 29))
    told = (version, backing, 0, 16, size, crypt, entries & 0xFFFFFFFF, 3 << 16, 1 << 16, 1, 0, 0)
    head = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", *told)
    return (head + struct.pack(">QQQII", features, 0, 0, 4, 104)).ljust(512, b"\0")


def partition_table(*, kind: int = 0x83, boot: int = 0x80, start: bytes = b"\0\2\0") -> bytes:
    """A first sector with one partition that begins at the second sector."""
    entry = bytes([boot]) + start + bytes([kind]) + b"\xff" * 3 + struct.pack("<II", 1, 2047)
    return bytes(446) + entry + bytes(48) + b"\x55\xaa"


def iso_head(system_area: bytes = b"") -> bytes:
    """The beginning of a CD; what lies before its descriptors may be anything."""
    return system_area.ljust(32768, b"\0") + (b"\1CD001\1" + bytes(2041))
