"""Trying out how a host runs guests: with a guest of one sector.

It goes where the kernel of an operating system goes, to 64-bit mode with paging, counts there to
a hundred million, and leaves a word in its memory, which libvirt lets us read. With KVM that
takes a fraction of a second. Where nested virtualisation is missing or a makeshift, such a guest
hangs, or runs slower than an emulated one, although a BIOS may run.
"""

import contextlib
import uuid

import libvirt

from vmwright.backends.libvirt.connection import HostConnection
from vmwright.backends.libvirt.domain_xml import probe_xml
from vmwright.backends.libvirt.failures import Code
from vmwright.backends.libvirt.guests import by_name
from vmwright.backends.libvirt.line import Connect, Line
from vmwright.backends.libvirt.lookups import tolerated
from vmwright.backends.libvirt.pool import Pool
from vmwright.backends.libvirt.streams import Content, upload
from vmwright.errors import HostFault, Unavailable, VmwrightError
from vmwright.waiting import Wait

_SECONDS = 10.0
_POLL = 0.1
_CLEAN_UP_SECONDS = 30.0

_WORD = b"vmwright"
_WORD_AT = 0x600
_DISK_BYTES = 2**20
"""SeaBIOS does not boot a disk that is smaller than a cylinder."""
_SECTOR = bytes.fromhex(
    "fa 6631c0 8ed8 8ec0 8ed0 bc007c"  # no interrupts, segments at 0, stack below the code
    "fc bf0010 b9000c 66f3ab"  # 12 KiB of zeros at 0x1000
    "66c7060010 03200000"  # page tables: 0x1000 points to 0x2000,
    "66c7060020 03300000"  # 0x2000 to 0x3000,
    "66c7060030 83000000"  # and 0x3000 to the first 2 MiB
    "0f0116a07c"  # the table of segments, below
    "66b820000000 0f22e0"  # CR4: physical address extension
    "66b800100000 0f22d8"  # CR3: the page tables
    "66b9800000c0 0f32 660d00010000 0f30"  # EFER: long mode
    "0f20c0 660d01000080 0f22c0"  # CR0: protection and paging
    "66ea6d7c00000800"  # jump into the 64-bit segment
    "b900e1f505 ffc9 75fc"  # count down from 100 000 000
    "48b8 766d777269676874 4889042500060000"  # put the word where it is looked for
    "f4 ebfd 0f1f440000"  # halt
    "0000000000000000 00000000009a2000"  # the segments: none, and 64-bit code
    "0f00 907c0000"  # their length and place
).ljust(510, b"\0") + bytes.fromhex("55aa")


def guest_runs(connection: HostConnection, pool: Pool, virt_type: str, wait: Wait) -> bool:
    """Whether a guest of this type gets to its word within ten seconds.

    Leaves nothing on the host. Raises `Unavailable` if the host cannot be asked at all.
    """
    name = f"vmw-probe-{uuid.uuid4()}"
    disk = f"{name}.raw"
    try:
        path = connection.session("try a guest", lambda line: _disk(line, pool, disk, wait), wait)
        # A guest that hangs may take its connection with it: it has one of its own.
        own = HostConnection(connection.uri, _SECONDS)
        with contextlib.closing(own), contextlib.suppress(HostFault, Unavailable):
            return _gets_to_its_word(own, probe_xml(name, path, virt_type), wait)
        return False
    finally:
        with contextlib.suppress(VmwrightError):
            connection.ask(
                "remove the guest that was tried",
                lambda c: _clean_up(c, pool, name, disk),
                Wait(_CLEAN_UP_SECONDS),
            )


def _disk(line: Line, pool: Pool, name: str, wait: Wait) -> str:
    """Path of a disk that holds the boot sector."""
    what = "try a guest"
    content = Content(_SECTOR.ljust(_DISK_BYTES, b"\0"))
    line.ask(what, lambda c: pool.create(c, name, "raw", _DISK_BYTES), wait)
    upload(line, what, lambda c: pool.existing(c, name), content, wait, name)
    return line.ask(what, lambda c: str(pool.existing(c, name).path()), wait)


def _gets_to_its_word(connection: HostConnection, xml: str, wait: Wait) -> bool:
    patience = wait.within(_SECONDS)
    what = "try a guest"
    guest = connection.ask(what, lambda c: _started(c, xml), patience)
    while not connection.ask(what, lambda c: _has_word(c, guest), patience):
        patience.pause(_POLL, what)
    return True


def _started(connection: Connect, xml: str) -> str:
    """The name of the guest, which ends with its connection."""
    domain = connection.createXML(xml, libvirt.VIR_DOMAIN_START_AUTODESTROY)
    return str(domain.name())


def _has_word(connection: Connect, name: str) -> bool:
    domain = by_name(connection, name)
    physical = libvirt.VIR_MEMORY_PHYSICAL
    return domain is not None and domain.memoryPeek(_WORD_AT, len(_WORD), physical) == _WORD


def _clean_up(connection: Connect, pool: Pool, name: str, disk: str) -> None:
    domain = by_name(connection, name)
    if domain is not None:
        with tolerated(Code.NO_DOMAIN, Code.OPERATION_INVALID):
            domain.destroy()
    volume = pool.volume(connection, disk)
    if volume is not None:
        volume.delete(0)
