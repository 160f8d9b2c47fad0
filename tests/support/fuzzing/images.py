"""Disk images: sound and hostile ones with some of their bytes changed, and any bytes at all."""

from pathlib import Path

from hypothesis import strategies as st

from tests.support.fuzzing.tally import Outcome
from tests.support.hostile_images import HOSTILE, SOUND, others, qcow2
from tests.support.limited_qemu_img import info, verdict_of
from vmwright.backends.file_images import FileImageStore
from vmwright.backends.image_formats import FORMATS
from vmwright.waiting import Wait

LIMIT = 16 << 20

_NUMBERS = st.one_of(
    st.sampled_from([0, 1, 7, 8, 9, 21, 22, 72, 104, 255, 4096, 2**31, 2**32 - 1, 2**63]),
    st.integers(0, 2**64 - 1),
)
_FIELDS = tuple(name for name, value in qcow2.SOUND.items() if isinstance(value, int))
_WIDE = {"backing_offset", "size", "l1_offset", "refcount_offset", "snapshots_offset"} | {
    "incompatible",
    "compatible",
    "autoclear",
}
_MAGICS = (
    *(
        b"QFI\xfb\0\0\0\3",
        b"KDMV",
        b"COWD",
        b"conectix",
        b"vhdxfile",
        b"QED\0",
        b"LUKS\xba\xbe\0\1",
    ),
    *(b"# Disk DescriptorFile\n", b"version=1\n", b"\x7f\x10\xda\xbe", b"\x01CD001\x01"),
    *(b"WithoutFreeSpace", b"WithouFreSpacExt", b"Bochs Virtual HD Image", b"\x55\xaa", b"koly"),
    *(
        b"EFI PART",
        b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop",
        b"\x1f\x8b\x08",
        b"DATA\0\0\0\x0b/etc/passwd",
    ),
)
_PLACES = st.one_of(
    st.sampled_from([0, 1, 8, 40, 64, 72, 100, 104, 112, 446, 510, 512, 1024, 32768, 32769, 65536]),
    st.integers(0, 4096),
)


def _fields_changed() -> st.SearchStrategy[bytes]:
    narrow = _NUMBERS.map(lambda number: number % 2**32)
    values = {name: _NUMBERS if name in _WIDE else narrow for name in _FIELDS}
    extensions = st.lists(
        st.tuples(
            st.sampled_from([qcow2.DATA_FILE, qcow2.ENCRYPTION, qcow2.BITMAPS, 0, 0x1234]),
            st.binary(max_size=40),
        ),
        max_size=3,
    )
    changes = st.lists(st.sampled_from(_FIELDS), max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: values[name] for name in names})
    )
    return st.builds(lambda told, changed: qcow2.image(told, **changed), extensions, changes)


def _bytes_changed() -> st.SearchStrategy[bytes]:
    known = [*SOUND.values(), *(each.content for each in HOSTILE), bytes(70_000), others.iso()]
    patches = st.lists(
        st.tuples(_PLACES, st.one_of(st.sampled_from(_MAGICS), st.binary(max_size=16))), max_size=4
    )
    cut = st.one_of(st.none(), st.integers(0, 5000), st.sampled_from([511, 512, 12287, 12288]))
    return st.builds(_patched, st.sampled_from(known), patches, cut)


def _patched(content: bytes, patches: list[tuple[int, bytes]], cut: int | None) -> bytes:
    changed = bytearray(content)
    for place, patch in patches:
        changed[place : place + len(patch)] = patch
    return bytes(changed if cut is None else changed[:cut])


CONTENTS = st.one_of(_fields_changed(), _bytes_changed(), st.binary(max_size=2000))
INPUTS = st.tuples(CONTENTS, st.sampled_from([None, *FORMATS]))


class Images:
    """Imports into a store, and what qemu-img, under limits, thinks of what was taken."""

    def __init__(self, directory: Path) -> None:
        self._source = directory / "source"
        self._root = directory / "images"
        self._store = FileImageStore(self._root, LIMIT)

    def attempt(self, given: tuple[bytes, str | None]) -> Outcome:
        content, declared = given
        self._source.write_bytes(content)
        image = self._store.add(self._source, declared, Wait(60))
        path = self._store.path(image.location)
        try:
            return self._judged(path, image.disk_format)
        finally:
            self._store.remove(image.location)

    def _judged(self, path: Path, disk_format: str) -> Outcome:
        """Also as somebody would find it who does not know its format."""
        for said in (info(path, disk_format), info(path)):
            if verdict_of(said, LIMIT) not in ("safe", "unreadable"):
                return Outcome.ESCAPED
        return Outcome.ACCEPTED
