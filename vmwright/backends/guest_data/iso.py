"""Files as the bytes of a disk: ISO 9660 with Joliet and Rock Ridge. Pure.

The same files always give the same bytes: a repeated build writes what it wrote before.
"""

import io
import itertools
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

import pycdlib

_SECTOR = 2048
_FIRST_DESCRIPTOR, _LAST_KIND = 16, 255
_ROOT_RECORD = slice(156, 190)
_LONG_DATES = (813, 830, 864)
_LONG_DATE = b"2018082700000000\x00"
_SHORT_DATE = bytes((118, 8, 27, 0, 0, 0, 0))
_FILE_MODE = 0o100444
_LENGTH = 10
_DIRECTORY = 2
_SELF_AND_PARENT = (b"\x00", b"\x01")


def iso_image(label: str, files: Mapping[str, bytes]) -> bytes:
    """A file system with this label and these files, by absolute path."""
    lengths = [len(content) for content in files.values()]
    sectors = (-(-length // _SECTOR) for length in lengths)
    form = _form(label, tuple(zip(files, sectors, strict=True)))
    image = bytearray(form.image)
    for content, place in zip(files.values(), form.places, strict=True):
        image[place.content : place.content + len(content)] = content
        for record in place.records:
            struct.pack_into("<I", image, record + _LENGTH, len(content))
            struct.pack_into(">I", image, record + _LENGTH + 4, len(content))
    return bytes(image)


@dataclass(frozen=True)
class _Place:
    """Where something of one file lies in an image, in bytes from its start."""

    content: int
    records: tuple[int, ...]
    """What directories say of it, in the names of each extension."""


@dataclass(frozen=True)
class _Form:
    """An image whose files are blank."""

    image: bytes
    places: tuple[_Place, ...]


@lru_cache(maxsize=16)
def _form(label: str, sizes: tuple[tuple[str, int], ...]) -> _Form:
    """The image of files with these sectors: it takes the library a hundred times as long to lay
    one out as it takes to fill it in, and the drives of most guests differ in what is filled in.
    """
    # Each is told by its own first bytes.
    numbered = {
        path: number.to_bytes(4, "big").ljust(sectors * _SECTOR, b"\0") if sectors else b""
        for number, (path, sectors) in enumerate(sizes)
    }
    image = bytearray(_laid_out(label, numbered))
    records: dict[int, list[int]] = {number: [] for number in range(len(sizes))}
    places = dict.fromkeys(records, 0)
    for at, start, length in _files(image):
        if length:
            number = int.from_bytes(image[start : start + 4], "big")
            places[number] = start
            records[number].append(at)
    for start in filter(None, places.values()):
        image[start : start + 4] = bytes(4)
    found = (_Place(places[number], tuple(records[number])) for number in records)
    return _Form(bytes(image), tuple(found))


def _laid_out(label: str, files: Mapping[str, bytes]) -> bytes:
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, vol_ident=label, joliet=3, rock_ridge="1.09")
    for directory in _directories(files):
        name = PurePosixPath(directory).name
        iso.add_directory(_upper(directory), rr_name=name, joliet_path=directory)
    for path, content in files.items():
        iso.add_fp(
            io.BytesIO(content),
            len(content),
            f"{_upper(path)};1",
            rr_name=PurePosixPath(path).name,
            joliet_path=path,
            file_mode=_FILE_MODE,
        )
    written = io.BytesIO()
    iso.write_fp(written)
    iso.close()
    image = bytearray(written.getvalue())
    _fix_dates(image)
    return bytes(image)


def _directories(paths: Iterable[str]) -> list[str]:
    """Every directory on the way to these files, outer before inner."""
    return sorted({str(d) for path in paths for d in PurePosixPath(path).parents} - {"/"})


def _upper(path: str) -> str:
    """The path as ISO 9660 allows it, for readers that know neither extension."""
    return path.upper().replace("-", "_")


def _fix_dates(image: bytearray) -> None:
    """Overwrite every date: the library writes the time of day, in the local time zone."""
    view = memoryview(image)
    for descriptor in _descriptors(view):
        for offset in _LONG_DATES:
            descriptor[offset : offset + len(_LONG_DATE)] = _LONG_DATE
        for _, record in _records(view, descriptor[_ROOT_RECORD]):
            record[18:25] = _SHORT_DATE
            _fix_rock_ridge_dates(record)


def _files(image: bytearray) -> Iterator[tuple[int, int, int]]:
    """Where the record of a file lies, where its content begins and how long that is: once for
    each extension's names."""
    view = memoryview(image)
    for descriptor in _descriptors(view):
        for at, record in _records(view, descriptor[_ROOT_RECORD]):
            if not record[25] & _DIRECTORY:
                yield at, *_extent(record)


def _descriptors(view: memoryview) -> Iterator[memoryview]:
    """One for the names of ISO 9660, one for Joliet's."""
    for number in itertools.count(_FIRST_DESCRIPTOR):
        descriptor = view[number * _SECTOR : (number + 1) * _SECTOR]
        if descriptor[0] == _LAST_KIND:
            return
        yield descriptor


def _records(
    view: memoryview, directory: memoryview, at: int = 0
) -> Iterator[tuple[int, memoryview]]:
    """The record of a directory and, below it, of everything that it holds, each with its place;
    a descriptor's own record has none."""
    yield at, directory
    start, length = _extent(directory)
    offset = start
    while offset < start + length:
        size = view[offset]
        if size == 0:  # records do not cross sectors: the rest of this one is empty
            offset += _SECTOR - offset % _SECTOR
            continue
        record = view[offset : offset + size]
        if record[25] & _DIRECTORY and bytes(record[33 : 33 + record[32]]) not in _SELF_AND_PARENT:
            yield from _records(view, record, offset)
        else:
            yield offset, record
        offset += size


def _extent(record: memoryview) -> tuple[int, int]:
    """Where what the record stands for begins, and its length, in bytes."""
    block, length = struct.unpack_from("<I4xI", record, 2)
    return block * _SECTOR, length


def _fix_rock_ridge_dates(record: memoryview) -> None:
    offset = 33 + record[32]
    offset += offset % 2
    while offset + 4 <= len(record):
        length = record[offset + 2]
        if length < 4:
            return
        if bytes(record[offset : offset + 2]) == b"TF":
            for date in range(offset + 5, offset + length, len(_SHORT_DATE)):
                record[date : date + len(_SHORT_DATE)] = _SHORT_DATE
        offset += length
