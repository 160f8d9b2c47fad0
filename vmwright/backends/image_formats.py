"""What the bytes of a disk image say that it is, and whether it is safe to open.

Formats are told by ``oslo_utils.imageutils.format_inspector``, never by qemu-img: that would
follow what an image refers to. What is decided here:

* Only raw and qcow2 are taken. Everything that is known to be another format is refused, also
  where the user calls it raw: other programs may look at the bytes instead of believing us.
* A disk with a partition table (MBR or GPT) is raw. So is a Linux kernel for x86, whose first
  sector ends as a partition table's does without holding one.
* An ISO 9660 image is refused, also as raw: it is a CD, and its unused first 32 KiB may hold
  the head of anything.
* Nothing is unpacked. What is compressed is raw, as a kernel and its first file system are.
"""

import io
from dataclasses import dataclass

from oslo_utils.imageutils import format_inspector

from vmwright.backends.qcow2_header import refuse_unsound
from vmwright.errors import InvalidRequest

FORMATS = ("qcow2", "raw")
"""What disks may be in."""

_TELLING = 64 * 1024
"""A shorter file is looked at as the disk that it makes: with zeros after its end."""
_SIGNATURES = {
    b"# Disk DescriptorFile": "vmdk",
    b"COWD": "vmdk",
    b"WithoutFreeSpace": "parallels",
    b"WithouFreSpacExt": "parallels",
    b"Bochs Virtual HD Image": "bochs",
    b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop": "cloop",
}
"""What QEMU knows by these first bytes, and the inspectors do not always."""
_KERNEL = (0x202, b"HdrS")
_QCOW2_SLACK = 16
"""qcow2's own tables come to less than this part of the disk, whatever the cluster size."""


@dataclass(frozen=True)
class Shape:
    """What an image turned out to be."""

    disk_format: str
    virtual_size_bytes: int


class Inspection:
    """Looks at the bytes of one image as they pass by."""

    def __init__(self) -> None:
        self._passing = _Passing()
        self._inspectors = format_inspector.InspectWrapper(self._passing)
        self._head = b""
        self._seen = 0

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        if len(self._head) < _TELLING:
            self._head += chunk[:_TELLING]
        self._seen += len(chunk)
        self._show(chunk)

    def verdict(self, length: int, declared: str | None, limit: int) -> Shape:
        """What it is, once the whole image or enough of its beginning was seen.

        `length` is that of the whole file in bytes, `limit` that of the largest disk.
        `InvalidRequest` names the reason if it cannot be taken.
        """
        self._show(bytes(max(0, _TELLING - self._seen)))
        self._inspectors.close()
        if length == 0:
            raise InvalidRequest("the image is empty")
        found = self._format()
        _refuse_other_than_declared(found.NAME, declared)
        self._refuse_unsafe(found)
        shape = (
            Shape("qcow2", found.virtual_size) if found.NAME == "qcow2" else Shape("raw", length)
        )
        _refuse_unfit(shape, length, limit)
        if found.NAME == "qcow2":
            refuse_unsound(self._head.ljust(_TELLING, b"\0"), length)
        return shape

    def _show(self, chunk: bytes) -> None:
        self._passing.chunk = chunk
        self._inspectors.read(len(chunk))

    def _format(self) -> format_inspector.FileInspector:
        """The one inspector that knows this format. `InvalidRequest` if several do."""
        matches = {inspector.NAME: inspector for inspector in self._inspectors.formats or ()}
        signed = {name for start, name in _SIGNATURES.items() if self._head.startswith(start)}
        names = signed | (matches.keys() - ({"raw"} if signed else set()))
        if "iso" in names:
            names -= {"gpt"}  # many CDs may also be written to a disk
        if len(names) > 1:
            raise InvalidRequest(
                f"the image looks like several formats: {', '.join(sorted(names))}"
            )
        name = names.pop()
        if name not in (*FORMATS, "gpt"):
            raise InvalidRequest(
                f"the image is in format {name}: only {' and '.join(FORMATS)} are taken",
                hint=_remedy(name),
            )
        return matches[name]

    def _refuse_unsafe(self, found: format_inspector.FileInspector) -> None:
        if found.NAME == "gpt" and self._is_kernel():
            return
        try:
            found.safety_check()
        except format_inspector.SafetyCheckFailed as error:
            check, reason = next(iter(error.failures.items()))
            raise InvalidRequest(
                f"the image is not safe to use ({check}): {reason}", hint=_REMEDIES.get(check, "")
            ) from None
        except format_inspector.ImageFormatError as error:
            raise InvalidRequest(f"the image is damaged: {error}") from None

    def _is_kernel(self) -> bool:
        offset, magic = _KERNEL
        return self._head[offset : offset + len(magic)] == magic


_REMEDIES = {
    "backing_file": "make it whole: qemu-img convert -O qcow2 IMAGE WHOLE.qcow2",
    "data_file": "make it whole: qemu-img convert -O qcow2 IMAGE WHOLE.qcow2",
    "unknown_features": "write it anew: qemu-img convert -O qcow2 IMAGE NEW.qcow2",
    "mbr": "hide its first sector: qemu-img convert -f raw -O qcow2 IMAGE NEW.qcow2",
}


def _remedy(name: str) -> str:
    if name == "iso":
        return "an ISO is a CD: use the disk image that most distributions offer beside it"
    return f"convert it: qemu-img convert -f {name} -O qcow2 IMAGE NEW.qcow2"


def _refuse_other_than_declared(name: str, declared: str | None) -> None:
    found = "raw" if name == "gpt" else name
    if declared is not None and declared != found:
        raise InvalidRequest(
            f"the image is {found}, not {declared} as was said",
            hint="leave the format out, or say what it is",
        )


def _refuse_unfit(shape: Shape, length: int, limit: int) -> None:
    if shape.virtual_size_bytes == 0:
        raise InvalidRequest("the image describes a disk of no size")
    if shape.virtual_size_bytes > limit:
        raise InvalidRequest(
            f"the image describes a disk of {shape.virtual_size_bytes} bytes, the limit is {limit}",
            hint="an operator may raise max_image_gib",
        )
    if length > limit + limit // _QCOW2_SLACK + _TELLING:
        raise InvalidRequest(
            f"the image is a file of {length} bytes, more than a disk of {limit} bytes needs",
            hint="leave snapshots out: qemu-img convert -O qcow2 IMAGE NEW.qcow2",
        )


class _Passing(io.BytesIO):
    """The file that the inspectors believe to read from."""

    chunk = b""

    def read(self, _size: int | None = -1) -> bytes:
        return self.chunk
