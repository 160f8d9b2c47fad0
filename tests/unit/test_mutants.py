"""scripts/mutants can take out every guard that it is told of: none has moved away from it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_guard_stands_where_it_is_said_to_stand() -> None:
    listed = subprocess.run(
        [sys.executable, ROOT / "scripts" / "mutants", "--list"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert listed.returncode == 0, listed.stderr
    assert "REVERTED is believed whatever the tasks say" in listed.stdout
