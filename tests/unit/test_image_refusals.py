"""What is not a plain, safe disk image is refused with the reason, and leaves nothing."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disk_images import (
    iso_head,
    made,
    needs_qemu_img,
    partition_table,
    qcow2_head,
)
from vmwright.backends.file_images import FileImageStore
from vmwright.errors import InvalidRequest
from vmwright.waiting import Wait

MIB = 1 << 20
LIMIT = 64 * MIB


@pytest.fixture
def store(tmp_path: Path) -> FileImageStore:
    return FileImageStore(tmp_path / "images", LIMIT)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


def kept(tmp_path: Path) -> list[str]:
    root = tmp_path / "images"
    return sorted(path.name for path in root.iterdir()) if root.exists() else []


def refusal(store: FileImageStore, source: Path, declared: str | None = None) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refused:
        store.add(source, declared, Wait(60))
    return refused.value


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
    wait = Wait(60, report=lambda _: os.truncate(source, 2 * MIB))
    with pytest.raises(InvalidRequest, match="changed while it was read"):
        store.add(source, None, wait)
    assert kept(tmp_path) == []
