"""A qcow2 file built by hand: a sound one, of which any field may say something else. Pure."""

import struct
from collections.abc import Iterable

CLUSTER_BITS = 12
CLUSTER = 1 << CLUSTER_BITS
MIB = 1 << 20

BACKING_FORMAT, FEATURE_NAMES, BITMAPS = 0xE2792ACA, 0x6803F857, 0x23852875
DATA_FILE, ENCRYPTION = 0x44415441, 0x0537BE77
"""Types of header extensions."""

_LAYOUT = ">4sIQIIQIIQQIIQQQQII"
_VERSION_2_LENGTH = 72
_DATA_FILE_BIT = 1 << 2

SOUND = {
    "magic": b"QFI\xfb",
    "version": 3,
    "backing_offset": 0,
    "backing_size": 0,
    "cluster_bits": CLUSTER_BITS,
    "size": MIB,
    "crypt_method": 0,
    "l1_size": 1,
    "l1_offset": 3 * CLUSTER,
    "refcount_offset": CLUSTER,
    "refcount_clusters": 1,
    "snapshots": 0,
    "snapshots_offset": 0,
    "incompatible": 0,
    "compatible": 0,
    "autoclear": 0,
    "refcount_order": 4,
    "header_length": 104,
}
"""The header of an empty disk of one MiB, field by field, as the format's description has them."""

Extension = tuple[int, bytes]


def header(extensions: Iterable[Extension] = (), **changes: int) -> bytes:
    """The header and its extensions, with a zero extension at their end."""
    fields = SOUND | changes
    head = struct.pack(_LAYOUT, *fields.values())
    if fields["version"] == 2:
        head = head[:_VERSION_2_LENGTH]
    for kind, content in extensions:
        padded = content.ljust(-(-len(content) // 8) * 8, b"\0")
        head += struct.pack(">II", kind, len(content)) + padded
    return head + bytes(8)


def image(extensions: Iterable[Extension] = (), **changes: int) -> bytes:
    """A whole file of four clusters: header, refcount table, refcount block, L1 table.

    Nothing is allocated but these clusters, so the guest reads zeros.
    """
    table = struct.pack(">Q", 2 * CLUSTER)
    counts = struct.pack(">4H", 1, 1, 1, 1)
    clusters = (header(extensions, **changes), table, counts, b"")
    return b"".join(cluster.ljust(CLUSTER, b"\0") for cluster in clusters)


def backed(path: str, **changes: int) -> bytes:
    """An image that names another one as its backing file."""
    name = path.encode()
    offset = CLUSTER - 1024
    whole = bytearray(image(backing_offset=offset, backing_size=len(name), **changes))
    whole[offset : offset + len(name)] = name
    return bytes(whole)


def with_data_file(path: str) -> bytes:
    """An image whose data lies in another file, bare."""
    return image([(DATA_FILE, path.encode())], incompatible=_DATA_FILE_BIT, autoclear=1 << 1)
