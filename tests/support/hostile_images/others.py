"""Heads of other formats, as the programs that follow them know them. Pure."""

import struct

from tests.support.hostile_images.qcow2 import MIB

SECTOR = 512


def vmdk_descriptor(extent: str) -> bytes:
    """A text that says where the disk lies: in any file of the host."""
    text = (
        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
        'createType="monolithicFlat"\n\n# Extent description\n'
        f'RW 2048 FLAT "{extent}" 0\n\nddb.adapterType = "ide"\n'
    )
    return text.encode().ljust(MIB, b"\0")


def vmdk(kind: str = "monolithicSparse", extent: str = "/etc/passwd") -> bytes:
    """A sparse VMDK, whose descriptor lies in its second sector."""
    descriptor = (
        f'# Disk DescriptorFile\nversion=1\ncreateType="{kind}"\nRW 2048 SPARSE "{extent}"\n'
    ).encode()
    head = struct.pack("<4sIIQQQQIQQQB", b"KDMV", 1, 3, 2048, 128, 1, 20, 512, 0, 21, 128, 0)
    return head.ljust(SECTOR, b"\0") + descriptor.ljust(MIB, b"\0")


def vhd(size: int = MIB) -> bytes:
    """A dynamic VHD, whose footer stands at both ends."""
    footer = struct.pack(
        ">8sIIQI4sI4sQQ", b"conectix", 2, 0x10000, 512, 0, b"qemu", 0, b"Wi2k", size, size
    ).ljust(SECTOR, b"\0")
    return footer + b"cxsparse".ljust(MIB, b"\0") + footer


def vhdx() -> bytes:
    regions = bytearray(MIB)
    regions[:8] = b"vhdxfile"
    regions[64 * 1024 : 64 * 1024 + 4] = b"head"
    regions[192 * 1024 : 192 * 1024 + 4] = b"regi"
    return bytes(regions)


def vdi() -> bytes:
    text = b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0")
    return (text + struct.pack("<III", 0xBEDA107F, 0x10001, 400)).ljust(MIB, b"\0")


def qed(backing: bytes = b"/etc/passwd") -> bytes:
    head = struct.pack(
        "<4sIIIQQQQQII", b"QED\0", 65536, 4, 1, 1, 0, 0, 65536, MIB, 72, len(backing)
    )
    return (head + backing).ljust(MIB, b"\0")


def luks() -> bytes:
    return (b"LUKS\xba\xbe\0\1" + b"aes".ljust(32, b"\0")).ljust(MIB, b"\0")


def iso(system_area: bytes = b"") -> bytes:
    """A CD; what lies before its descriptors may be the head of anything."""
    primary = b"\1CD001\1".ljust(2048, b"\0")
    return system_area.ljust(32768, b"\0") + primary + b"\xffCD001\1".ljust(2048, b"\0")


def boot_sector(code: bytes = b"") -> bytes:
    """A first sector with one plain partition."""
    entry = struct.pack("<B3sB3sII", 0x80, b"\0\2\0", 0x83, b"\xff\xff\xff", 1, 2047)
    return code[:446].ljust(446, b"\0") + entry + bytes(48) + b"\x55\xaa"
