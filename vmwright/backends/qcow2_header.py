"""What a qcow2 header claims, held against the format's description and the file's length. Pure.

``format_inspector`` says whether an image refers to another file by the fields that QEMU obeys.
Here is the rest of what a header can do to the programs on a host that open it: tables that lie
outside the file or fill their memory, snapshots that nobody asked for, and extensions.
"""

import struct
from collections.abc import Iterator

from vmwright.errors import InvalidRequest

_FIELDS = struct.Struct(">4sIQIIQIIQQIIQQQQII")
_VERSION_2_LENGTH, _SHORTEST = 72, 104
_CLUSTER_BITS = range(9, 22)
_REFCOUNT_ORDERS = range(7)
_MOST_L1_BYTES, _MOST_REFCOUNT_BYTES = 32 * 2**20, 8 * 2**20
"""What QEMU reads into memory at most."""
_MOST_EXTENSIONS = 64
_END, _DATA_FILE, _ENCRYPTION = 0, 0x44415441, 0x0537BE77


def refuse_unsound(head: bytes, length: int) -> None:
    """Raise `InvalidRequest` unless a file with this head and length can be what it claims.

    `head` is at least one sector, with zeros after the end of a shorter file. Extensions of a
    header that go on behind it are refused: no program writes so many.
    """
    _Header(head, length).check()


class _Header:
    def __init__(self, head: bytes, length: int) -> None:
        self._head = head
        self._length = length
        fields = _FIELDS.unpack_from(head)
        _, self._version, _, _, self._bits, self._size, self._crypt, *tables = fields
        self._l1_size, self._l1_offset, self._refcount_offset, self._refcount_clusters = tables[:4]
        self._snapshots, self._refcount_order, self._header_length = (tables[i] for i in (4, 9, 10))

    def check(self) -> None:
        if self._bits not in _CLUSTER_BITS:
            raise _damaged(f"it has clusters of 2**{self._bits} bytes")
        self._check_tables()
        if self._snapshots:
            raise InvalidRequest(
                f"the image holds {self._snapshots} internal snapshots",
                hint="leave them out: qemu-img convert -O qcow2 IMAGE NEW.qcow2",
            )
        if self._version >= 3:
            self._check_newer()
        kinds = set(self._extensions())
        if self._crypt or _ENCRYPTION in kinds:
            raise InvalidRequest(
                "the image is encrypted", hint="decrypt it with qemu-img convert first"
            )
        if _DATA_FILE in kinds:
            raise InvalidRequest(
                "the image is not safe to use: its header names a data file",
                hint="make it whole: qemu-img convert -O qcow2 IMAGE WHOLE.qcow2",
            )

    def _check_tables(self) -> None:
        cluster = 1 << self._bits
        per_entry = cluster * cluster // 8
        if self._l1_size * per_entry < self._size or self._l1_size * 8 > _MOST_L1_BYTES:
            raise _damaged(f"its L1 table has {self._l1_size} entries")
        self._check_place("L1 table", self._l1_offset, self._l1_size * 8)
        size = self._refcount_clusters * cluster
        if not 0 < size <= _MOST_REFCOUNT_BYTES:
            raise _damaged(f"its refcount table has {self._refcount_clusters} clusters")
        self._check_place("refcount table", self._refcount_offset, size)

    def _check_place(self, what: str, offset: int, size: int) -> None:
        if offset == 0 or offset % (1 << self._bits) or offset + size > self._length:
            raise _damaged(f"its {what} is at {offset}, the file has {self._length} bytes")

    def _check_newer(self) -> None:
        if self._refcount_order not in _REFCOUNT_ORDERS:
            raise _damaged(f"it has refcounts of 2**{self._refcount_order} bits")
        known = _SHORTEST <= self._header_length <= 1 << self._bits
        if not known or self._header_length % 8:
            raise _damaged(f"it has a header of {self._header_length} bytes")

    def _extensions(self) -> Iterator[int]:
        """The types of the header's extensions."""
        place = self._header_length if self._version >= 3 else _VERSION_2_LENGTH
        end = min(len(self._head), 1 << self._bits)
        for _ in range(_MOST_EXTENSIONS):
            if place + 8 > end:
                break
            kind, size = struct.unpack_from(">II", self._head, place)
            if kind == _END:
                return
            place += 8 + -(-size // 8) * 8
            if place > end:
                raise _damaged(f"it has a header extension of {size} bytes")
            yield kind
        raise _damaged("its header extensions do not end")


def _damaged(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"the image is damaged: {why}", hint="see: qemu-img check; or write it anew with convert"
    )
