"""Whose turn it is to upload an image: one process of a machine, and the others hear of it."""

import os
import signal
import threading
from pathlib import Path

import pytest

from tests.support.attempts import until
from vmwright.backends.libvirt.uploads import Uploads
from vmwright.errors import Cancelled, Unavailable
from vmwright.progress import Progress
from vmwright.waiting import Wait

URI, IMAGE, WHAT = "qemu:///system", "vmw-base.image", "image is being uploaded"


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path, URI)


def test_others_hear_how_far_an_upload_is_and_wait_with_their_own_patience(
    uploads: Uploads, tmp_path: Path
) -> None:
    heard: list[tuple[float, str]] = []
    called_off = threading.Event()

    def hear(progress: Progress) -> None:
        heard.append((progress.fraction, progress.note))
        called_off.set()

    with uploads.turn(IMAGE, WHAT, Wait(60)) as sheet:
        sheet.tell(Progress(fraction=0.25))
        other = Uploads(tmp_path, URI).turn(
            IMAGE, WHAT, Wait(60, cancelled=called_off, report=hear)
        )
        with pytest.raises(Cancelled, match=WHAT), other:
            pass
    assert heard == [(0.25, WHAT)]


def test_other_images_and_hosts_have_turns_of_their_own(uploads: Uploads, tmp_path: Path) -> None:
    elsewhere = Uploads(tmp_path, "qemu+ssh://host2/system")
    with (
        uploads.turn(IMAGE, WHAT, Wait(60)),
        uploads.turn("vmw-base.other", WHAT, Wait(60)),
        elsewhere.turn(IMAGE, WHAT, Wait(60)),
    ):
        assert len(list((tmp_path / "uploads").iterdir())) == 3


def test_image_that_became_whole_leaves_nothing_to_say(uploads: Uploads, tmp_path: Path) -> None:
    for _ in range(2):
        with uploads.turn(IMAGE, WHAT, Wait(60)) as sheet:
            assert not sheet.follows_a_failure
            sheet.tell(Progress(fraction=1.0))
            sheet.end()
        assert list((tmp_path / "uploads").iterdir()) == []


def test_upload_that_failed_is_known_to_be_nobodys(uploads: Uploads) -> None:
    with pytest.raises(KeyError), uploads.turn(IMAGE, WHAT, Wait(60)):
        raise KeyError
    with uploads.turn(IMAGE, WHAT, Wait(60)) as sheet:
        assert sheet.follows_a_failure


def test_upload_of_a_process_that_was_killed_is_known_to_be_nobodys(
    uploads: Uploads, tmp_path: Path
) -> None:
    child = os.fork()
    if not child:
        with uploads.turn(IMAGE, WHAT, Wait(60)) as sheet:
            sheet.tell(Progress(fraction=0.5))
            signal.pause()
        os._exit(1)
    told = tmp_path / "uploads"
    until(lambda: any(file.read_text() == "0.5000" for file in told.glob("*")))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with uploads.turn(IMAGE, WHAT, Wait(60)) as sheet:
        assert sheet.follows_a_failure


def test_upload_of_which_nothing_is_said_is_waited_for_no_longer(
    uploads: Uploads, tmp_path: Path
) -> None:
    """Whoever has the turn was stopped; it stays his, and another does the same beside him."""
    heard: list[float] = []
    wait = Wait(60, report=lambda told: heard.append(told.fraction))
    with uploads.turn(IMAGE, WHAT, Wait(60)) as sheet:
        sheet.tell(Progress(fraction=0.25))
        with Uploads(tmp_path, URI, silence=0.0).turn(IMAGE, WHAT, wait) as other:
            assert not other.follows_a_failure
            other.end()
        with pytest.raises(Unavailable), uploads.turn(IMAGE, WHAT, Wait(0.0)):
            pass
    assert heard == [0.25]


def test_place_that_cannot_be_written_keeps_nobody_from_uploading(tmp_path: Path) -> None:
    (tmp_path / "uploads").write_text("in the way")
    with Uploads(tmp_path, URI).turn(IMAGE, WHAT, Wait(60)) as sheet:
        sheet.tell(Progress(fraction=0.5))
        sheet.end()
    assert not sheet.follows_a_failure
