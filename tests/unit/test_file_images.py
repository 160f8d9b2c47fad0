"""Images are taken in whole and safe, or not at all."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disk_images import (
    iso_head,
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


def refusal(store: FileImageStore, source: Path, declared: str | None = None) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refused:
        store.add(source, declared, patiently())
    return refused.value


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


# What is refused


@needs_qemu_img
@pytest.mark.parametrize("compat", ["0.10", "1.1"])
@pytest.mark.parametrize("declared", [None, "qcow2", "raw"])
def test_backing_file_is_refused(store, tmp_path, source, compat, declared):
    base = made(tmp_path / "base", "qcow2", "1M")
    made(source, "qcow2", "1M", "-o", f"compat={compat}", "-b", base, "-F", "qcow2")
    refused = refusal(store, source, declared)
    assert "backing file" in refused.message or "not raw" in refused.message
    assert refused.hint
    assert kept(tmp_path) == []


@needs_qemu_img
@pytest.mark.parametrize("declared", [None, "qcow2", "raw"])
def test_external_data_file_is_refused(store, tmp_path, source, declared):
    made(source, "qcow2", "1M", "-o", f"data_file={tmp_path / 'outside'},data_file_raw=on")
    refused = refusal(store, source, declared)
    assert "data_file" in refused.message or "not raw" in refused.message
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    "head",
    [
        qcow2_head(features=1 << 5),
        qcow2_head(features=1 << 40),
        qcow2_head(version=1),
        qcow2_head(version=4),
    ],
    ids=["feature bit 5", "feature bit 40", "version 1", "version 4"],
)
def test_qcow2_that_we_do_not_know_is_refused(store, source, head):
    source.write_bytes(head.ljust(MIB, b"\0"))
    assert "unknown_features" in refusal(store, source).message


@pytest.mark.parametrize("method", [1, 2], ids=["AES", "LUKS"])
def test_encrypted_qcow2_is_refused(store, source, method):
    source.write_bytes(qcow2_head(crypt=method).ljust(MIB, b"\0"))
    assert "encrypted" in refusal(store, source).message


@needs_qemu_img
@pytest.mark.parametrize("declared", [None, "raw", "qcow2"])
@pytest.mark.parametrize(
    ("disk_format", "options"),
    [
        ("vmdk", ()),
        ("vmdk", ("-o", "subformat=monolithicFlat")),
        ("vmdk", ("-o", "subformat=streamOptimized")),
        ("vpc", ()),
        ("vhdx", ()),
        ("vdi", ()),
        ("qed", ()),
        ("qcow", ()),
        ("parallels", ()),
    ],
    ids=lambda value: value if isinstance(value, str) else "".join(value[1:]),
)
def test_other_formats_are_refused_whatever_they_are_called(
    store, tmp_path, source, disk_format, options, declared
):
    made(source, disk_format, "1M", *options)
    refused = refusal(store, source, declared)
    assert refused.hint
    assert kept(tmp_path) == []


@pytest.mark.parametrize("declared", [None, "raw"])
@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"LUKS\xba\xbe\0\1" + bytes(MIB), "luks"),
        (iso_head(), "iso"),
        (iso_head(partition_table()), "iso"),
        (b"# Disk DescriptorFile\nversion=1\n".ljust(MIB, b"\0"), "vmdk"),
    ],
    ids=["luks", "iso", "hybrid iso", "vmdk"],
)
def test_known_heads_are_refused_also_as_raw(store, source, declared, content, name):
    source.write_bytes(content)
    assert name in refusal(store, source, declared).message


@pytest.mark.parametrize(
    "content",
    [iso_head(qcow2_head()), iso_head(b"LUKS\xba\xbe\0\1"), qcow2_head()[:510] + b"\x55\xaa"],
    ids=["iso and qcow2", "iso and luks", "qcow2 and MBR"],
)
@pytest.mark.parametrize("declared", [None, "raw", "qcow2"])
def test_several_formats_at_once_are_refused(store, source, content, declared):
    source.write_bytes(content)
    assert "several formats" in refusal(store, source, declared).message


def test_head_that_is_shorter_than_a_sector_is_recognized(store, source):
    source.write_bytes(qcow2_head(backing=80)[:80] + b"/etc/passwd")
    assert refusal(store, source, "raw").message == "the image is qcow2, not raw as was said"
    assert "backing_file" in refusal(store, source).message


@needs_qemu_img
def test_qcow2_declared_raw_is_refused(store, source):
    made(source, "qcow2", "1M")
    refused = refusal(store, source, "raw")
    assert refused.message == "the image is qcow2, not raw as was said"
    assert refused.hint


def test_raw_declared_qcow2_is_refused(store, source):
    source.write_bytes(bytes(MIB))
    assert refusal(store, source, "qcow2").message == "the image is raw, not qcow2 as was said"


@pytest.mark.parametrize("declared", ["vmdk", "iso", "", "QCOW2", "../raw"])
def test_declared_formats_are_raw_and_qcow2(store, source, declared):
    source.write_bytes(bytes(MIB))
    assert "not supported" in refusal(store, source, declared).message


def test_broken_partition_table_is_refused(store, source):
    source.write_bytes(partition_table(kind=0xEE, start=b"\1\1\1") + bytes(MIB))
    assert "mbr" in refusal(store, source).message


@needs_qemu_img
@pytest.mark.parametrize("size", ["65M", "8E"])
def test_qcow2_that_describes_too_large_a_disk_is_refused(store, tmp_path, source, size):
    if size == "8E":
        source.write_bytes(qcow2_head(size=1 << 63).ljust(MIB, b"\0"))
    else:
        made(source, "qcow2", size)
    refused = refusal(store, source)
    assert f"the limit is {LIMIT}" in refused.message
    assert "max_image_gib" in refused.hint
    assert kept(tmp_path) == []


def test_raw_that_is_too_large_is_refused_before_it_is_copied(store, tmp_path, source):
    with source.open("wb") as file:
        file.truncate(1 << 40)
    assert f"the limit is {LIMIT}" in refusal(store, source).message
    assert kept(tmp_path) == []


def test_qcow2_file_that_is_far_larger_than_its_disk_may_be_is_refused(store, source):
    with source.open("wb") as file:
        file.write(qcow2_head())
        file.truncate(2 * LIMIT)
    assert "more than a disk" in refusal(store, source).message


def test_qcow2_of_no_size_is_refused(store, source):
    source.write_bytes(qcow2_head(size=0).ljust(MIB, b"\0"))
    assert "no size" in refusal(store, source).message


def test_empty_file_is_refused(store, tmp_path, source):
    source.touch()
    assert refusal(store, source).message == "the image is empty"
    assert kept(tmp_path) == []


def test_missing_file_is_refused(store, source):
    assert refusal(store, source).message == f"{source} does not exist"


def test_dangling_link_is_refused(store, tmp_path, source):
    source.symlink_to(tmp_path / "nowhere")
    assert "does not exist" in refusal(store, source).message


def test_pipe_is_refused_without_waiting_for_a_writer(store, source):
    os.mkfifo(source)
    assert "is not a file" in refusal(store, source).message


@pytest.mark.parametrize("path", ["/", "/dev/zero", "/dev/null"])
def test_directories_and_devices_are_refused(store, path):
    assert "is not a file" in refusal(store, Path(path)).message


@pytest.mark.parametrize("path", ["nul\0byte", "x" * 5000])
def test_impossible_paths_are_refused(store, path):
    assert "cannot be read" in refusal(store, Path(path)).message


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """Root may read every file, so it is somebody else for a while."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)


def test_unreadable_file_is_refused(store, source, request):
    source.write_bytes(b"content")
    source.chmod(0)
    request.getfixturevalue("as_nobody")
    assert "Permission denied" in refusal(store, source).message


def test_file_that_shrinks_while_it_is_read_is_refused(store, tmp_path, source):
    source.write_bytes(os.urandom(4 * MIB))
    wait = Wait(60, report=lambda _fraction, _note: os.truncate(source, 2 * MIB))
    with pytest.raises(InvalidRequest, match="changed while it was read"):
        store.add(source, None, wait)
    assert kept(tmp_path) == []


# Patience, failures, leftovers


def test_progress_is_reported_up_to_the_end(store, source):
    source.write_bytes(os.urandom(3 * MIB))
    said: list[tuple[float, str]] = []
    store.add(source, None, Wait(60, report=lambda *progress: said.append(progress)))
    fractions = [fraction for fraction, _ in said]
    assert fractions == sorted(fractions)
    assert said[-1] == (1.0, "3 of 3 MiB")
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
    refusal(store, source, "qcow2")
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
