"""Images with holes, and what becomes of them on a libvirt host."""

import hashlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.disk_images import made
from tests.support.marks import Marks
from tests.support.private_host import PrivateHost
from tests.support.things import MIB, blank
from vmwright.backends.host import Host
from vmwright.backends.libvirt.volume_xml import volume_xml
from vmwright.backends.volumes import Base
from vmwright.ids import base_name, pool_name
from vmwright.waiting import Wait

SIZE = 24 * MIB
DATA = {0: MIB, 8 * MIB: MIB, 16 * MIB: MIB}
"""Where an image holds something, and how much; it ends with a hole."""


@dataclass(frozen=True)
class Upload:
    """An image, its file, and the host where it goes: seen past vmwright."""

    base: Base
    source: Path
    machine: PrivateHost
    deployment: str

    @classmethod
    def to(
        cls, host: Host, machine: PrivateHost, marks: Marks, source: Path, disk_format: str = "raw"
    ) -> "Upload":
        # The pool is made with its first volume.
        host.volumes.ensure_volume(blank(marks.other_instance), Wait(120))
        base = Base(
            sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
            disk_format=disk_format,
            size_bytes=source.stat().st_size,
            virtual_size_bytes=SIZE,
        )
        return cls(base, source, machine, marks.deployment)

    @property
    def pool(self) -> str:
        return pool_name(self.deployment)

    @property
    def name(self) -> str:
        return base_name(self.deployment, self.base.sha256, self.base.disk_format)

    @property
    def path(self) -> str:
        return self.machine.virsh("vol-path", self.name, "--pool", self.pool).strip()

    def put_blank(self) -> None:
        """Have the volume made, as somebody does who uploads the image as well."""
        xml = self.source.with_suffix(".xml")
        xml.write_text(volume_xml(self.name, "raw", self.base.size_bytes))
        self.machine.virsh("vol-create", self.pool, str(xml))

    def replace(self) -> None:
        """Have the volume removed and made anew."""
        self.machine.virsh("vol-delete", self.name, "--pool", self.pool)
        self.put_blank()

    def size_and_digest(self) -> tuple[int, str]:
        path = self.path
        size = int(self.machine.run("stat", "--format=%s", path))
        return size, self.machine.run("sha256sum", path).split()[0]

    def is_there(self) -> bool:
        """Whether all of the image is in its file."""
        return self.size_and_digest() == (self.base.size_bytes, self.base.sha256)

    def is_called_whole(self) -> bool:
        listed = self.machine.virsh("vol-list", self.pool).split()
        assert self.name in listed
        return f"{self.name}.whole" in listed


def raw(path: Path, data: Mapping[int, int] = DATA) -> Path:
    with path.open("wb") as file:
        file.truncate(SIZE)
        for offset, length in data.items():
            file.seek(offset)
            file.write(b"\xa5" * length)
    return path


def qcow2(path: Path) -> Path:
    """Its tables are made for the whole disk, and its data lies where the disk holds it."""
    made(path, "qcow2", str(SIZE), "-o", "preallocation=metadata")
    writes = [word for at, length in DATA.items() for word in ("-c", f"write {at} {length}")]
    subprocess.run(["qemu-io", "-f", "qcow2", *writes, path], check=True, capture_output=True)
    return path
