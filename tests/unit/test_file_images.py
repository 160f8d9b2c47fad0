"""Images are taken in whole and safe, or not at all."""

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.disk_images import (
    made,
    needs_qemu_img,
    partition_table,
    qcow2_head,
    qemu_img,
)
from vmwright.backends.file_images import FileImageStore, images_of
from vmwright.backends.images import StoredImage
from vmwright.errors import Cancelled, InvalidRequest, Refused, Unavailable
from vmwright.ids import DeploymentId
from vmwright.progress import Progress
from vmwright.waiting import Wait

MIB = 1 << 20
LIMIT = 64 * MIB


@pytest.fixture
def store(tmp_path: Path) -> FileImageStore:
    return FileImageStore(tmp_path / "images", LIMIT)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


def patiently() -> Wait:
    return Wait(60)


def kept(tmp_path: Path) -> list[str]:
    root = tmp_path / "images"
    return sorted(path.name for path in root.iterdir()) if root.exists() else []


# What is taken


@needs_qemu_img
@pytest.mark.parametrize("compat", ["0.10", "1.1"])
@pytest.mark.parametrize("declared", [None, "qcow2"])
def test_qcow2_of_both_versions_is_taken(store, source, compat, declared):
    made(source, "qcow2", "32M", "-o", f"compat={compat}")
    image = store.add(source, declared, patiently())
    content = source.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    assert image == StoredImage(
        location=f"{sha256}.qcow2",
        disk_format="qcow2",
        size_bytes=len(content),
        virtual_size_bytes=32 * MIB,
        sha256=sha256,
    )
    assert store.path(image.location).read_bytes() == content


@needs_qemu_img
def test_compressed_qcow2_with_data_is_taken_as_it_is(store, tmp_path, source):
    raw = tmp_path / "raw"
    raw.write_bytes(os.urandom(MIB) + bytes(MIB))
    qemu_img("convert", "-c", "-f", "raw", "-O", "qcow2", raw, source)
    image = store.add(source, None, patiently())
    assert image.virtual_size_bytes == 2 * MIB
    qemu_img("compare", "-f", "raw", "-F", "qcow2", raw, store.path(image.location))


@pytest.mark.parametrize("declared", [None, "raw"])
@pytest.mark.parametrize(
    "content",
    [
        b"x",
        b"plain text of no format",
        bytes(3 * MIB + 17),
        partition_table() + bytes(MIB),
        partition_table(kind=0xEE, boot=0) + bytes(MIB),
    ],
    ids=["one byte", "text", "zeros", "MBR", "GPT"],
)
def test_what_is_in_no_format_is_raw(store, source, declared, content):
    source.write_bytes(content)
    image = store.add(source, declared, patiently())
    assert (image.disk_format, image.virtual_size_bytes) == ("raw", len(content))
    assert store.path(image.location).read_bytes() == content
    assert image.sha256 == hashlib.sha256(content).hexdigest()


def test_linux_kernel_is_raw_although_it_ends_its_first_sector_as_a_disk_does(store, source):
    table = bytearray(partition_table(boot=0x77))
    source.write_bytes(bytes(table) + b"\xeb\x66HdrS" + bytes(MIB))
    assert store.add(source, "raw", patiently()).disk_format == "raw"


def test_holes_stay_holes(store, source):
    with source.open("wb") as file:
        file.write(b"begin")
        file.truncate(32 * MIB)
        file.seek(31 * MIB)
        file.write(b"end")
    image = store.add(source, None, patiently())
    copy = store.path(image.location)
    assert copy.read_bytes() == source.read_bytes()
    assert copy.stat().st_blocks * 512 < 8 * MIB


def test_link_to_a_file_is_followed(store, tmp_path, source):
    real = tmp_path / "real"
    real.write_bytes(b"content")
    source.symlink_to(real)
    image = store.add(source, None, patiently())
    real.unlink()
    copy = store.path(image.location)
    assert not copy.is_symlink()
    assert copy.read_bytes() == b"content"


def test_nobody_else_may_read_or_write_what_is_kept(store, tmp_path, source):
    source.write_bytes(b"content")
    source.chmod(0o666)
    image = store.add(source, None, patiently())
    assert store.path(image.location).stat().st_mode & 0o777 == 0o400
    assert (tmp_path / "images").stat().st_mode & 0o777 == 0o700


def test_same_content_twice_is_one_file(store, tmp_path, source):
    source.write_bytes(b"content")
    again = tmp_path / "again"
    again.write_bytes(b"content")
    first = store.add(source, None, patiently())
    assert store.add(again, "raw", patiently()) == first
    assert kept(tmp_path) == [first.location]


def test_many_threads_adding_the_same_content_leave_one_file(store, tmp_path, source):
    source.write_bytes(os.urandom(4 * MIB))
    added: list[StoredImage] = []

    def add() -> None:
        added.append(store.add(source, None, patiently()))

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(added) == 8
    assert len(set(added)) == 1
    assert kept(tmp_path) == [added[0].location]


def test_deployments_do_not_share_a_directory(tmp_path):
    roots = {images_of(tmp_path, DeploymentId(name)) for name in ("one", "two")}
    assert len(roots) == 2


# Patience, failures, leftovers


def test_progress_is_reported_up_to_the_end(store, source):
    source.write_bytes(os.urandom(3 * MIB))
    said: list[Progress] = []
    store.add(source, None, Wait(60, report=said.append))
    fractions = [told.fraction for told in said]
    assert fractions == sorted(fractions)
    assert said[-1] == Progress.of_bytes(3 * MIB, 3 * MIB, "copy and hash the image")
    assert len(said) >= 3


def test_cancelled_import_leaves_nothing(store, tmp_path, source):
    source.write_bytes(os.urandom(4 * MIB))
    cancelled = threading.Event()
    wait = Wait(60, cancelled=cancelled, report=lambda *_: cancelled.set())
    with pytest.raises(Cancelled):
        store.add(source, None, wait)
    assert kept(tmp_path) == []


def test_import_past_its_deadline_leaves_nothing(store, tmp_path, source):
    source.write_bytes(os.urandom(MIB))
    with pytest.raises(Unavailable):
        store.add(source, None, Wait(0))
    assert kept(tmp_path) == []


def test_full_disk_is_unavailable_with_a_hint_and_leaves_nothing(tmp_path, source):
    source.write_bytes(os.urandom(2 * MIB))
    program = f"""
import resource
from pathlib import Path
from vmwright.backends.file_images import FileImageStore
from vmwright.errors import Unavailable
from vmwright.waiting import Wait
resource.setrlimit(resource.RLIMIT_FSIZE, ({MIB}, {MIB}))
store = FileImageStore(Path({str(tmp_path / "images")!r}), {LIMIT})
try:
    store.add(Path({str(source)!r}), None, Wait(60))
except Unavailable as error:
    print(error.message, "|", error.hint)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert "is full" in done.stdout
    assert "free some space" in done.stdout
    assert kept(tmp_path) == []


def test_store_that_is_no_directory_is_unavailable(tmp_path, source):
    source.write_bytes(b"content")
    (tmp_path / "images").write_text("in the way")
    with pytest.raises(Unavailable, match="cannot be used"):
        FileImageStore(tmp_path / "images", LIMIT).add(source, None, patiently())


def test_killed_import_leaves_a_draft_that_the_next_one_removes(store, tmp_path, source):
    source.write_bytes(os.urandom(4 * MIB))
    program = f"""
import os, signal
from pathlib import Path
from vmwright.backends.file_images import FileImageStore
from vmwright.waiting import Wait
wait = Wait(60, report=lambda *_: os.kill(os.getpid(), signal.SIGKILL))
FileImageStore(Path({str(tmp_path / "images")!r}), {LIMIT}).add(Path({str(source)!r}), None, wait)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -9
    assert [name[:7] for name in kept(tmp_path)] == [".draft-"]
    image = store.add(source, None, patiently())
    assert kept(tmp_path) == [image.location]


def test_draft_of_a_living_import_is_left_alone(store, tmp_path, source):
    source.write_bytes(os.urandom(2 * MIB))
    other = tmp_path / "other"
    other.write_bytes(b"other")
    wait = Wait(60, report=lambda *_: store.add(other, None, patiently()) and None)
    image = store.add(source, None, wait)
    assert store.path(image.location).read_bytes() == source.read_bytes()
    assert len(kept(tmp_path)) == 2


def test_no_file_stays_open(store, source):
    source.write_bytes(b"content")
    before = set(os.listdir("/proc/self/fd"))
    store.check(store.add(source, None, patiently()))
    with pytest.raises(InvalidRequest):
        store.add(source, "qcow2", patiently())
    assert set(os.listdir("/proc/self/fd")) == before


# Use, removal


def test_sound_image_passes_the_check(store, source):
    source.write_bytes(qcow2_head().ljust(MIB, b"\0"))
    store.check(store.add(source, None, patiently()))


def tampered(store: FileImageStore, image: StoredImage, content: bytes) -> None:
    path = store.path(image.location)
    path.chmod(0o600)
    path.write_bytes(content)


def test_check_refuses_an_image_that_is_gone(store, source):
    source.write_bytes(b"content")
    image = store.add(source, None, patiently())
    store.remove(image.location)
    with pytest.raises(Refused, match="does not exist"):
        store.check(image)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (qcow2_head().ljust(MIB - 1, b"\0"), "was changed"),
        (qcow2_head(size=2 << 20).ljust(MIB, b"\0"), "was changed"),
        (qcow2_head(backing=512).ljust(MIB, b"\0"), "backing"),
        (qcow2_head(features=4).ljust(MIB, b"\0"), "data_file"),
        (bytes(MIB), "not qcow2"),
        (b"", "empty"),
    ],
    ids=["shorter", "other size", "backing file", "data file", "raw", "empty"],
)
def test_check_refuses_an_image_that_was_changed(store, source, content, reason):
    source.write_bytes(qcow2_head().ljust(MIB, b"\0"))
    image = store.add(source, None, patiently())
    tampered(store, image, content)
    with pytest.raises(Refused, match=reason):
        store.check(image)


def test_an_image_that_passed_is_looked_at_again_once_it_was_changed(tmp_path, source):
    store = FileImageStore(tmp_path / "images", MIB, settled_after=0.0)
    source.write_bytes(qcow2_head().ljust(MIB, b"\0"))
    image = store.add(source, None, patiently())
    passed = store.path(image.location).stat().st_ctime_ns
    store.check(image)
    store.check(image)
    while store.path(image.location).stat().st_ctime_ns == passed:
        tampered(store, image, qcow2_head(backing=512).ljust(MIB, b"\0"))
    with pytest.raises(Refused, match="backing"):
        store.check(image)


def test_check_refuses_what_stricter_limits_forbid_now(store, tmp_path, source):
    source.write_bytes(qcow2_head().ljust(MIB, b"\0"))
    image = store.add(source, None, patiently())
    stricter = FileImageStore(tmp_path / "images", MIB // 2)
    with pytest.raises(Refused, match="limit"):
        stricter.check(image)


def test_removing_twice_is_fine(store, tmp_path, source):
    source.write_bytes(b"content")
    image = store.add(source, None, patiently())
    store.remove(image.location)
    store.remove(image.location)
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    "location", ["", "..", "/etc/passwd", "../x.raw", f"{'a' * 64}.raw\n", f"{'A' * 64}.raw"]
)
def test_locations_that_were_never_given_are_refused(store, location):
    with pytest.raises(Refused):
        store.path(location)
    with pytest.raises(Refused):
        store.remove(location)


def test_locations_are_what_is_stored_and_old_enough(store, tmp_path, source):
    assert store.locations(0) == []
    source.write_bytes(b"content")
    image = store.add(source, None, patiently())
    (tmp_path / "images" / "foreign").touch()
    assert store.locations(0) == [image.location]
    assert store.locations(3600) == []


def changing(change) -> Wait:
    """Calls `change` once, when the first of two MiB has been read."""
    changes = [change]
    return Wait(60, report=lambda _: changes.pop()() if changes else None)


def test_image_that_is_replaced_while_it_is_read_is_stored_as_it_was(store, tmp_path, source):
    """What is recorded is what is kept: the name may stand for another file by then."""
    source.write_bytes(b"\1" * (2 * MIB))
    other = tmp_path / "other"
    other.write_bytes(b"\2" * (2 * MIB))

    image = store.add(source, "raw", changing(lambda: other.replace(source)))

    stored = (tmp_path / "images" / image.location).read_bytes()
    assert stored == b"\1" * (2 * MIB)
    assert hashlib.sha256(stored).hexdigest() == image.sha256
    assert len(stored) == image.size_bytes


def test_image_that_is_overwritten_while_it_is_read_is_recorded_as_it_was_kept(
    store, tmp_path, source
):
    source.write_bytes(b"\1" * (2 * MIB))

    def overwrite() -> None:
        with source.open("r+b") as file:
            file.write(b"\2" * (2 * MIB))

    image = store.add(source, "raw", changing(overwrite))

    stored = (tmp_path / "images" / image.location).read_bytes()
    assert stored == b"\1" * MIB + b"\2" * MIB
    assert hashlib.sha256(stored).hexdigest() == image.sha256


@pytest.mark.parametrize("length", [MIB, 3 * MIB])
def test_image_that_becomes_longer_or_shorter_while_it_is_read_is_refused(
    store, tmp_path, source, length
):
    source.write_bytes(b"\1" * (2 * MIB))
    with pytest.raises(InvalidRequest, match="changed while it was read"):
        store.add(source, "raw", changing(lambda: os.truncate(source, length)))
    assert kept(tmp_path) == []
