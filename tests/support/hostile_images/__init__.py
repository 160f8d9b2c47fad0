"""Disk images that somebody made to harm a host, each with what it does there. Pure.

None of them lies in the repository: each is built when it is needed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.support.hostile_images import others, qcow2
from tests.support.hostile_images.qcow2 import CLUSTER, MIB

GIB = 1 << 30

__all__ = ["HOSTILE", "SOUND", "Hostile"]


@dataclass(frozen=True)
class Hostile:
    """One image: what it is called, its bytes, and what the refusal says (one of several)."""

    name: str
    content: bytes
    says: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


def _referring() -> Iterator[Hostile]:
    """Those that have the host read another file into the guest's disk."""
    for path in (
        "/etc/passwd",
        "../../../etc/shadow",
        "base.qcow2",
        'json:{"driver":"raw","file":{"driver":"file","filename":"/etc/passwd"}}',
        "nbd://10.0.0.1:10809/export",
        "ssh://root@10.0.0.1/etc/shadow",
        "x" * 1000,
    ):
        for version in (2, 3):
            yield Hostile(
                f"backing file {path[:24]} in version {version}",
                qcow2.backed(path, version=version),
                ("backing_file",),
            )
    yield Hostile("backing file of no length", qcow2.image(backing_offset=512), ("backing_file",))
    for path in ("/etc/passwd", "outside.raw", "json:{}"):
        yield Hostile(f"data file {path}", qcow2.with_data_file(path), ("data_file",))
    hidden = qcow2.image([(qcow2.DATA_FILE, b"/etc/passwd")])
    yield Hostile("data file that no feature bit tells of", hidden, ("data file",))
    late = qcow2.image([(qcow2.FEATURE_NAMES, bytes(48)), (qcow2.DATA_FILE, b"/etc/passwd")])
    yield Hostile("data file behind another extension", late, ("data file",))
    old = qcow2.image([(qcow2.DATA_FILE, b"/etc/passwd")], version=2)
    yield Hostile("data file in version 2", old, ("data file", "data_file"))


def _bombs() -> Iterator[Hostile]:
    """Those that are to use up the host's disk, memory or time."""
    for size in (8000 * GIB, (1 << 63) - 512, (1 << 64) - 512):
        yield Hostile(f"disk of {size} bytes", qcow2.image(size=size), ("the limit is",))
    for l1_size in (0, 2**22 + 1, 2**31, 2**32 - 1):
        yield Hostile(f"L1 table of {l1_size} entries", qcow2.image(l1_size=l1_size), ("L1 table",))
    yield Hostile("L1 table too small for the disk", qcow2.image(size=3 * MIB), ("L1 table",))
    for offset in (0, 1, 3 * CLUSTER + 8, 64 * CLUSTER, 2**63, 2**64 - CLUSTER):
        changed = qcow2.image(l1_offset=offset)
        yield Hostile(f"L1 table at {offset}", changed, ("L1 table",))
        changed = qcow2.image(refcount_offset=offset)
        yield Hostile(f"refcount table at {offset}", changed, ("refcount table",))
    for clusters in (0, 2049, 2**32 - 1):
        changed = qcow2.image(refcount_clusters=clusters)
        yield Hostile(f"refcount table of {clusters} clusters", changed, ("refcount table",))
    for snapshots in (1, 65536, 2**32 - 1):
        changed = qcow2.image(snapshots=snapshots, snapshots_offset=CLUSTER)
        yield Hostile(f"{snapshots} internal snapshots", changed, ("snapshots",))


def _lies() -> Iterator[Hostile]:
    """Headers that contradict the format's description."""
    for bits in (0, 8, 22, 63, 2**32 - 1):
        yield Hostile(f"clusters of 2**{bits}", qcow2.image(cluster_bits=bits), ("clusters",))
    for length in (0, 72, 103, 105, CLUSTER + 8, 2**32 - 8):
        changed = qcow2.image(header_length=length)
        yield Hostile(f"header of {length} bytes", changed, ("header",))
    yield Hostile("refcounts of 2**7 bits", qcow2.image(refcount_order=7), ("refcounts",))
    for size in (CLUSTER, 2**31, 2**32 - 1):
        content = bytearray(qcow2.image([(qcow2.FEATURE_NAMES, b"")]))
        content[108:112] = size.to_bytes(4, "big")
        yield Hostile(f"extension of {size} bytes", bytes(content), ("extension",))
    endless = qcow2.image([(0x1234, b"")] * ((CLUSTER - 112) // 8))
    yield Hostile("extensions without end", endless, ("extension",))
    for bit in (4, 5, 31, 63):
        yield Hostile(
            f"feature bit {bit}", qcow2.image(incompatible=1 << bit), ("unknown_features",)
        )
    for version in (0, 1, 4, 2**32 - 1):
        yield Hostile(f"version {version}", qcow2.image(version=version), ("unknown_features",))
    for method in (1, 2, 2**32 - 1):
        changed = qcow2.image(crypt_method=method)
        yield Hostile(f"encryption {method}", changed, ("encrypted",))
    crypt = qcow2.image([(qcow2.ENCRYPTION, bytes(16))])
    yield Hostile("encryption header", crypt, ("encrypted",))


def _disguised() -> Iterator[Hostile]:
    """Other formats, and several at once."""
    for name, content, known in (
        ("vmdk that points to a host's file", others.vmdk_descriptor("/etc/passwd"), "vmdk"),
        ("sparse vmdk", others.vmdk(), "vmdk"),
        ("stream-optimized vmdk", others.vmdk("streamOptimized"), "vmdk"),
        ("flat vmdk", others.vmdk("monolithicFlat"), "vmdk"),
        ("ESX vmdk", b"COWD".ljust(MIB, b"\0"), "vmdk"),
        ("vhd", others.vhd(), "vhd"),
        ("vhdx", others.vhdx(), "vhdx"),
        ("vdi", others.vdi(), "vdi"),
        ("qed with a backing file", others.qed(), "qed"),
        ("luks", others.luks(), "luks"),
        ("iso", others.iso(), "iso"),
        ("bootable iso", others.iso(others.boot_sector()), "iso"),
    ):
        yield Hostile(name, content, (known,))
    for name, content in {
        "iso and qcow2": others.iso(qcow2.image()),
        "iso and a qcow2 with a backing file": others.iso(qcow2.backed("/etc/passwd")),
        "iso and luks": others.iso(others.luks()[:512]),
        "iso and qed": others.iso(others.qed()[:512]),
        "iso and vmdk": others.iso(others.vmdk()[:4096]),
        "qcow2 and a partition table": qcow2.image()[:510] + b"\x55\xaa" + bytes(MIB),
    }.items():
        yield Hostile(name, content, ("several formats", "qcow2", "iso"))


HOSTILE = (*_referring(), *_bombs(), *_lies(), *_disguised())

SOUND: Mapping[str, bytes] = {
    "qcow2 of version 3": qcow2.image(),
    "qcow2 of version 2": qcow2.image(version=2),
    "qcow2 with names of features": qcow2.image([(qcow2.FEATURE_NAMES, bytes(48 * 3))]),
    "qcow2 that was not closed": qcow2.image(incompatible=1),
    "raw": bytes(MIB),
    "raw with a partition table": others.boot_sector() + bytes(MIB),
    "raw of one byte": b"\0",
}
"""Their harmless twins: a check that refuses these, too, would show nothing."""
