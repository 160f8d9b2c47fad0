"""What the documents show runs."""

import subprocess
import sys
from pathlib import Path

from tests.support.lab import Lab
from tests.support.through_service import answering
from vmwright.controller import Controller
from vmwright.waiting import Wait

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_embed_builds_a_guest_and_shows_its_graph() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "embed.py")], check=True, capture_output=True, text=True
    )
    assert "operation: done" in done.stdout
    assert "instance: active" in done.stdout
    assert "spawn" in done.stdout


def test_through_service_builds_a_guest_and_shows_its_graph(tmp_path: Path) -> None:
    (tmp_path / "disk.raw").write_bytes(bytes(2**20))
    settings = Lab(tmp_path).settings
    with Controller(settings) as controller:
        controller.inventory.create_image("demo", tmp_path / "disk.raw", "raw", wait=Wait(60))
        controller.inventory.create_flavor("small", vcpus=1, ram_mib=128, disk_gib=1)
    program = [sys.executable, str(EXAMPLES / "through_service.py")]
    with answering(settings) as url:
        done = subprocess.run(
            [*program, url, str(tmp_path / "token")], check=True, capture_output=True, text=True
        )
    assert "spawn SUCCESS" in done.stdout
    assert "operation: done" in done.stdout
    assert "instance: active" in done.stdout
