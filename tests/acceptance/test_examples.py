"""What the documents show runs."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "embed.py"


def test_embed_builds_a_guest_and_shows_its_graph() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], check=True, capture_output=True, text=True
    )
    assert "operation: done" in done.stdout
    assert "instance: active" in done.stdout
    assert "spawn" in done.stdout
