"""No hostile image is taken, no program is started to look at one, and nothing stays behind."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disk_images import needs_qemu_img, partition_table
from tests.support.hostile_images import HOSTILE, SOUND, Hostile, qcow2
from tests.support.limited_qemu_img import info, verdict_of
from vmwright.backends.file_images import FileImageStore
from vmwright.backends.image_formats import FORMATS
from vmwright.errors import InvalidRequest, Refused
from vmwright.progress import Progress
from vmwright.waiting import Wait

MIB = 1 << 20
LIMIT = 64 * MIB
STARTS = ("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system")
"""What Python's audit hooks call the ways to start a program."""

started: list[str] = []


def _note(event: str, _arguments: object) -> None:
    if event in STARTS:
        started.append(event)


sys.addaudithook(_note)


@pytest.fixture
def nothing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody starts a program, and whoever would look for qemu-img found a trap."""
    trap = tmp_path / "bin" / "qemu-img"
    trap.parent.mkdir()
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path / 'sprung'}\n")
    trap.chmod(0o700)
    monkeypatch.setenv("PATH", f"{trap.parent}:{os.environ['PATH']}")
    started.clear()
    yield
    assert started == []
    assert not (tmp_path / "sprung").exists()


@pytest.fixture
def store(tmp_path: Path) -> FileImageStore:
    return FileImageStore(tmp_path / "images", LIMIT)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


def kept(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "images").glob("*"))


def test_the_hook_sees_a_program_that_starts() -> None:
    started.clear()
    subprocess.run(["true"], check=True)
    assert started


@pytest.mark.usefixtures("nothing_starts")
@pytest.mark.parametrize("hostile", HOSTILE, ids=str)
def test_hostile_image_is_refused_whatever_it_is_called(
    store: FileImageStore, tmp_path: Path, source: Path, hostile: Hostile
) -> None:
    source.write_bytes(hostile.content)
    for declared in (None, *FORMATS):
        with pytest.raises(InvalidRequest) as refused:
            store.add(source, declared, Wait(60))
        said = refused.value.message
        as_said = (f"not {declared} as was said",) if declared else ()
        assert any(text in said for text in (*hostile.says, *as_said)), said
    assert kept(tmp_path) == []


@pytest.mark.usefixtures("nothing_starts")
@pytest.mark.parametrize("hostile", HOSTILE, ids=str)
def test_hostile_image_is_refused_also_when_it_came_into_the_store_before(
    store: FileImageStore, source: Path, hostile: Hostile
) -> None:
    """By an older version, or by somebody who may write there: each build looks again."""
    source.write_bytes(SOUND["qcow2 of version 3"])
    image = store.add(source, None, Wait(60))
    path = store.path(image.location)
    path.unlink()
    path.write_bytes(hostile.content)
    with pytest.raises(Refused):
        store.check(image)


@pytest.mark.usefixtures("nothing_starts")
@pytest.mark.parametrize("name", SOUND)
def test_its_harmless_twin_is_taken(store: FileImageStore, source: Path, name: str) -> None:
    source.write_bytes(SOUND[name])
    image = store.add(source, None, Wait(60))
    assert image.disk_format == ("qcow2" if name.startswith("qcow2") else "raw")
    store.check(image)


@needs_qemu_img
@pytest.mark.parametrize("name", SOUND)
def test_qemu_img_finds_the_harmless_twins_harmless(source: Path, name: str) -> None:
    source.write_bytes(SOUND[name])
    said = info(source)
    assert verdict_of(said, LIMIT) == "safe"
    assert said["format"] == ("qcow2" if name.startswith("qcow2") else "raw")


@pytest.mark.usefixtures("nothing_starts")
@pytest.mark.parametrize("content", [qcow2.image(), qcow2.backed("/etc/passwd")])
def test_a_head_cut_off_at_any_byte_is_never_a_qcow2(
    store: FileImageStore, tmp_path: Path, source: Path, content: bytes
) -> None:
    """Up to the end of its tables. Less than the four magic bytes are nothing but bytes."""
    for length in range(4, 513):
        source.write_bytes(content[:length])
        for declared in (None, *FORMATS):
            with pytest.raises(InvalidRequest):
                store.add(source, declared, Wait(60))
    assert kept(tmp_path) == []


@pytest.mark.parametrize("length", [CUT := 3 * qcow2.CLUSTER, CUT + 7])
def test_a_qcow2_without_its_tables_is_refused(
    store: FileImageStore, source: Path, length: int
) -> None:
    source.write_bytes(qcow2.image()[:length])
    with pytest.raises(InvalidRequest, match="L1 table"):
        store.add(source, None, Wait(60))


def test_compressed_bytes_are_bytes_and_never_unpacked(store: FileImageStore, source: Path) -> None:
    import gzip

    bomb = gzip.compress(bytes(4 * LIMIT), compresslevel=9)
    source.write_bytes(bomb)
    image = store.add(source, None, Wait(60))
    assert (image.disk_format, image.virtual_size_bytes) == ("raw", len(bomb))
    with pytest.raises(InvalidRequest):
        store.add(source, "qcow2", Wait(60))


def test_a_file_of_an_exbibyte_is_refused_at_its_first_bytes(
    store: FileImageStore, tmp_path: Path, source: Path
) -> None:
    with source.open("wb") as file:
        size = (1 << 60) if _holds(file.fileno(), 1 << 60) else (1 << 43)
        file.truncate(size)
    with pytest.raises(InvalidRequest, match=f"the limit is {LIMIT}"):
        store.add(source, None, Wait(60))
    assert kept(tmp_path) == []


def _holds(descriptor: int, size: int) -> bool:
    try:
        os.ftruncate(descriptor, size)
    except OSError:
        return False
    return True


def test_a_file_that_never_ends_is_left_at_the_length_that_it_had(
    store: FileImageStore, tmp_path: Path, source: Path
) -> None:
    """Somebody goes on writing, as fast as it is read."""
    source.write_bytes(bytes(2 * MIB))
    lengths: list[int] = []

    def grow(_progress: Progress) -> None:
        with source.open("ab") as file:
            file.write(b"x" * 4 * MIB)
        drafts = (tmp_path / "images").glob(".draft-*")
        lengths.extend(draft.stat().st_size for draft in drafts)
        assert len(lengths) < 100, "it is read for ever"

    with pytest.raises(InvalidRequest, match="changed while it was read"):
        store.add(source, None, Wait(60, report=grow))
    assert max(lengths) <= 2 * MIB
    assert kept(tmp_path) == []


def test_an_image_exchanged_behind_its_name_is_the_one_that_was_opened(
    store: FileImageStore, tmp_path: Path, source: Path
) -> None:
    harmless = partition_table() + os.urandom(2 * MIB)
    source.write_bytes(harmless)
    other = tmp_path / "other"

    def exchange(_progress: Progress) -> None:
        other.write_bytes(qcow2.backed("/etc/passwd"))
        other.replace(source)

    image = store.add(source, None, Wait(60, report=exchange))
    assert store.path(image.location).read_bytes() == harmless


def test_what_is_judged_is_what_was_copied_and_not_what_the_file_says_later(
    store: FileImageStore, tmp_path: Path, source: Path
) -> None:
    """Its first bytes become a qcow2's once they were copied, and were harmless then."""
    source.write_bytes(os.urandom(MIB).replace(b"Q", b"q") + bytes(2 * MIB))
    head = source.read_bytes()[:512]

    def rewrite(_progress: Progress) -> None:
        with source.open("r+b") as file:
            file.write(qcow2.backed("/etc/passwd")[:512])

    image = store.add(source, None, Wait(60, report=rewrite))
    assert image.disk_format == "raw"
    assert store.path(image.location).read_bytes()[:512] == head


def test_a_link_in_the_place_of_a_stored_image_is_not_followed(
    store: FileImageStore, tmp_path: Path, source: Path
) -> None:
    source.write_bytes(bytes(MIB))
    image = store.add(source, None, Wait(60))
    path = store.path(image.location)
    foreign = tmp_path / "foreign"
    foreign.write_bytes(bytes(MIB))
    path.unlink()
    path.symlink_to(foreign)
    with pytest.raises(Refused, match="link"):
        store.check(image)
    store.remove(image.location)
    assert foreign.read_bytes() == bytes(MIB)
    assert not path.is_symlink()
