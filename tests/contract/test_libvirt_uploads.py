"""Images with holes on their way to a host, while others upload, use or remove them."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.attempts import until
from tests.support.libvirt_backends import opened
from tests.support.libvirt_place import LibvirtPlace
from tests.support.marks import Marks
from tests.support.private_host import PrivateHost
from tests.support.things import MIB, overlay
from tests.support.uploads import SIZE, Upload, qcow2, raw
from vmwright.backends.host import Host
from vmwright.backends.libvirt.streams import File
from vmwright.errors import HostFault
from vmwright.progress import Progress
from vmwright.waiting import Wait

pytestmark = pytest.mark.libvirt

LONG = 4 * MIB
"""The length from which on a hole is left out."""
SHORT = LONG - 4096


class Killed(Exception):
    """What ends a process in the middle of an upload: nothing is put away."""


@pytest.fixture
def place(libvirt_place: LibvirtPlace) -> LibvirtPlace:
    return libvirt_place


@pytest.fixture(params=[raw, qcow2], ids=lambda make: make.__name__)
def upload(
    request: pytest.FixtureRequest,
    libvirt_host: PrivateHost,
    host: Host,
    marks: Marks,
    tmp_path: Path,
) -> Upload:
    make: Callable[[Path], Path] = request.param
    return Upload.to(host, libvirt_host, marks, make(tmp_path / "image"), make.__name__)


def test_slow_upload_changes_nothing_that_a_faster_one_has_finished(
    place: LibvirtPlace, host: Host, marks: Marks, upload: Upload, wait: Wait
) -> None:
    """A guest may run on the image by then: it is whole at every later moment."""
    begun, go_on = threading.Event(), threading.Event()
    seen: list[tuple[int, str]] = []

    def report(_progress: Progress) -> None:
        if begun.is_set():
            seen.append(upload.size_and_digest())
        begun.set()
        go_on.wait()

    uri, slow = place.backend.default_uri, Wait(240, report=report)
    with opened(uri, place.backend.deployment) as second:
        ensure = second.host(uri).volumes.ensure_base
        thread = threading.Thread(target=ensure, args=(upload.base, upload.source, slow))
        thread.start()
        until(lambda: begun.is_set() or not thread.is_alive())
        host.volumes.ensure_base(upload.base, upload.source, wait)
        disk = replace(overlay(marks.ours, upload.base), size_bytes=SIZE)
        host.volumes.ensure_volume(disk, wait)
        go_on.set()
        thread.join()
    assert len(seen) >= 2
    assert {*seen, upload.size_and_digest()} == {(upload.base.size_bytes, upload.base.sha256)}


@pytest.mark.parametrize("left", ["as long as it will be", "cut off"])
def test_upload_of_a_dead_process_is_gone_on_with(
    host: Host, upload: Upload, wait: Wait, left: str
) -> None:
    """Also if its file ends where a hole ended: so did those of sparse streams."""
    reports: list[float] = []

    def die(progress: Progress) -> None:
        reports.append(progress.fraction)
        if len(reports) == 2:
            raise Killed

    with pytest.raises(Killed):
        host.volumes.ensure_base(upload.base, upload.source, Wait(120, report=die))
    if left == "cut off":
        upload.machine.run("truncate", "-s", str(8 * MIB), upload.path)
    assert not upload.is_called_whole()
    assert not upload.is_there()

    host.volumes.ensure_base(upload.base, upload.source, wait)

    assert upload.is_called_whole()
    assert upload.is_there()


@pytest.mark.parametrize("step", ["finish", "look", "begin", "send"])
def test_image_whose_volume_was_replaced_meanwhile_is_not_called_whole(
    libvirt_host: PrivateHost, host: Host, marks: Marks, tmp_path: Path, wait: Wait, step: str
) -> None:
    """Somebody removed the image and began to upload it anew: its beginning is not there yet.

    That befalls each of the steps between its first data and the next.
    """
    upload = Upload.to(host, libvirt_host, marks, raw(tmp_path / "image"))
    steps = ["finish", "look", "begin", "send"]
    begun = threading.Event()

    def replace_before_the_step() -> None:
        if begun.is_set() and steps and steps.pop(0) == step:
            upload.replace()

    def report(_progress: Progress) -> None:
        begun.set()

    patience = Wait(120, guard=replace_before_the_step, report=report)
    with pytest.raises(HostFault, match="could not write all"):
        host.volumes.ensure_base(upload.base, upload.source, patience)
    assert not upload.is_called_whole()

    host.volumes.ensure_base(upload.base, upload.source, wait)
    assert upload.is_called_whole()
    assert upload.is_there()


@pytest.mark.parametrize(
    ("data", "extents"),
    [
        pytest.param({}, [], id="nothing but a hole"),
        pytest.param({0: SIZE}, [(0, SIZE)], id="no hole"),
        pytest.param({MIB: MIB}, [(MIB, MIB)], id="holes at both ends"),
        pytest.param({0: MIB, MIB + SHORT: MIB}, [(0, 2 * MIB + SHORT)], id="a short hole"),
        pytest.param({0: MIB, MIB + LONG: MIB}, [(0, MIB), (MIB + LONG, MIB)], id="a long hole"),
        pytest.param(
            dict.fromkeys(range(8192, SIZE, 8192), 4096),
            [(8192, SIZE - 8192 - 4096)],
            id="thousands of short holes",
        ),
    ],
)
def test_file_is_sent_in_few_extents(
    tmp_path: Path, data: dict[int, int], extents: list[tuple[int, int]]
) -> None:
    with raw(tmp_path / "image", data).open("rb") as file:
        found = File(file.fileno()).extents()
        assert [(extent.offset, extent.length) for extent in found] == extents
