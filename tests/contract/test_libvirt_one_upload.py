"""A new image that many want at once is uploaded to a host once."""

import os
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.support import lab as labs
from tests.support.attempts import until
from tests.support.libvirt_calls import uploads_told
from tests.support.marks import Marks
from tests.support.own_host import backend, host, libvirt_host, marks
from tests.support.private_host import PrivateHost
from tests.support.real_lab import RealLab
from tests.support.things import MIB
from tests.support.uploads import Upload, raw
from vmwright.backends.host import Host
from vmwright.backends.libvirt.volume_xml import volume_xml
from vmwright.controller import Controller
from vmwright.waiting import Wait

__all__ = ["backend", "host", "libvirt_host", "marks"]

pytestmark = pytest.mark.libvirt

BUILDS = 10
PROCESSES = 2
SIZE = 48 * MIB


def register(controller: Controller) -> None:
    """What the builds need; the image has no holes, so that an upload is one stream."""
    source = controller.settings.state_dir / "new.raw"
    source.write_bytes(os.urandom(SIZE))
    inventory = controller.inventory
    inventory.ensure_default_host()
    inventory.create_image("new", source, "raw", wait=Wait(60))
    inventory.create_flavor("tiny", 1, 64, 1)


def build(controller: Controller) -> None:
    """Have this process's part of the guests built at once."""
    wishes = [
        labs.request(
            name=f"vm{os.getpid()}-{number}",
            image="new",
            flavor="tiny",
            networks="none",
            volumes=[],
            config_drive=False,
            user_data=None,
        )
        for number in range(BUILDS // PROCESSES)
    ]
    operations = [controller.create(wish) for wish in wishes]
    for operation in operations:
        print(controller.wait(operation.id, timeout=240).state)


def test_ten_builds_of_two_processes_upload_it_once(
    libvirt_host: PrivateHost, tmp_path: Path
) -> None:
    (tmp_path / "lab").mkdir()
    lab = RealLab(tmp_path / "lab", uri=libvirt_host.uri, parallel=BUILDS)
    assert lab.child(register).status == 0
    with uploads_told(tmp_path / "uploads"):
        processes = [lab.fork(build) for _ in range(PROCESSES)]
        ended = [lab.reap(process) for process in processes]
    assert Counter(" ".join(one.output for one in ended).split()) == {"done": BUILDS}, ended
    lines = (tmp_path / "uploads").read_text().splitlines()
    sent = [int(line.split()[1]) for line in lines if line.startswith("vmw-base.")]
    assert sent == [SIZE]


def test_upload_of_another_machine_is_waited_for_as_long_as_something_comes(
    libvirt_host: PrivateHost, host: Host, marks: Marks, tmp_path: Path
) -> None:
    """Nothing tells of it but the volume, which grows; then it is whole, and nothing was sent."""
    upload = Upload.to(host, libvirt_host, marks, raw(tmp_path / "image", {0: MIB}))
    upload.put_blank()
    heard: list[float] = []
    wait = Wait(120, report=lambda told: heard.append(told.fraction))
    # The other one, who is slow: he has come so far that the last bytes are missing.
    grow = (
        f"while [ ! -e /run/enough ]; do printf x >> /run/log; touch {upload.path}; sleep 0.1; done"
    )
    other = threading.Thread(target=libvirt_host.run, args=("sh", "-c", grow))
    run, log = libvirt_host.directory / "run", libvirt_host.directory / "run" / "log"
    with uploads_told(tmp_path / "uploads"):
        other.start()
        ensuring = threading.Thread(
            target=host.volumes.ensure_base, args=(upload.base, upload.source, wait)
        )
        ensuring.start()
        try:
            until(lambda: not ensuring.is_alive() or (len(heard) > 3 and log.stat().st_size > 25))
            assert ensuring.is_alive()
            libvirt_host.run("cp", str(upload.source), upload.path)
            marker = tmp_path / "whole.xml"
            marker.write_text(volume_xml(f"{upload.name}.whole", "raw", 0))
            libvirt_host.virsh("vol-create", upload.pool, str(marker))
            ensuring.join()
        finally:
            (run / "enough").touch()
            other.join()
    assert not (tmp_path / "uploads").exists()
    assert upload.is_called_whole()


def test_half_upload_to_which_nothing_comes_any_more_is_gone_on_with(
    libvirt_host: PrivateHost, host: Host, marks: Marks, tmp_path: Path, wait: Wait
) -> None:
    """Whoever began it died on another machine."""
    upload = Upload.to(host, libvirt_host, marks, raw(tmp_path / "image", {0: MIB}))
    upload.put_blank()
    with uploads_told(tmp_path / "uploads"):
        host.volumes.ensure_base(upload.base, upload.source, wait)
    assert len((tmp_path / "uploads").read_text().splitlines()) == 1
    assert upload.is_called_whole()
    assert upload.is_there()
