"""Pools and volumes as libvirt's XML, and back. Pure."""

import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from xml.sax.saxutils import escape

from vmwright.backends.libvirt.xml_text import parsed
from vmwright.ids import DeploymentId, pool_name

_VOLUME = """\
<volume type="file">
  <name>{}</name>
  <capacity unit="bytes">{}</capacity>
  <allocation unit="bytes">0</allocation>
  <target>
    <format type="{}" />
  </target>{}
</volume>"""
_BELOW = """
  <backingStore>
    <path>{}</path>
    <format type="{}" />
  </backingStore>"""
_QUOTE = {'"': "&quot;"}


@dataclass(frozen=True, kw_only=True)
class VolumeFacts:
    """What a host says of a volume.

    Only of a qcow2 volume that we made are `capacity` and `backing` to be trusted: of a raw one
    they may come from a header that its guest wrote. There the length of the file counts.
    """

    path: str
    disk_format: str
    capacity: int
    physical: int
    backing: str | None
    allocation: int = 0
    """What it takes of the disk: less than it is long while it has holes."""
    changed_at: float | None = None

    def size_as(self, disk_format: str) -> int:
        """Bytes of the disk, if it is of this format."""
        return self.physical if disk_format == "raw" else self.capacity


def pool_uuid(deployment: DeploymentId) -> str:
    """Derived, so that defining the pool again is not refused."""
    return str(uuid.uuid5(uuid.UUID(deployment), "storage pool"))


def pool_xml(deployment: DeploymentId, directory: str) -> str:
    """The deployment's pool of files in a directory."""
    pool = ET.Element("pool", type="dir")
    ET.SubElement(pool, "name").text = pool_name(deployment)
    ET.SubElement(pool, "uuid").text = pool_uuid(deployment)
    target = ET.SubElement(pool, "target")
    ET.SubElement(target, "path").text = directory
    ET.indent(pool)
    return ET.tostring(pool, encoding="unicode")


def volume_xml(
    name: str, disk_format: str, size_bytes: int, backing: tuple[str, str] | None = None
) -> str:
    """A sparse volume. `backing` is path and format of what it is an overlay of."""
    # A build makes several: as text it costs a tenth of what a tree does.
    below = "" if backing is None else _BELOW.format(escape(backing[0]), escape(backing[1], _QUOTE))
    return _VOLUME.format(escape(name), size_bytes, escape(disk_format, _QUOTE), below)


def facts_of(volume: str) -> VolumeFacts:
    """What a volume's own XML says."""
    root = parsed(volume)
    found = root.find("target/format")
    capacity = int(root.findtext("capacity", "0"))
    return VolumeFacts(
        path=root.findtext("target/path", ""),
        disk_format="raw" if found is None else found.get("type", "raw"),
        capacity=capacity,
        physical=int(root.findtext("physical", str(capacity))),
        backing=root.findtext("backingStore/path"),
        allocation=int(root.findtext("allocation", "0")),
        changed_at=float(root.findtext("target/timestamps/mtime", "0")) or None,
    )
