"""The reference of the configuration says what the program reads."""

import subprocess
import sys
from pathlib import Path

from vmwright.settings import Settings
from vmwright.settings.options import OPTIONS

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "docs" / "reference" / "vmwright.conf.example"


def test_reference_is_current() -> None:
    script = ROOT / "scripts" / "generate-config-reference"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stderr}run: scripts/generate-config-reference"


def test_example_holds_every_option_at_its_default(tmp_path: Path) -> None:
    depends_on_user = {"state_dir", "connection", "world_dir"}
    lines = EXAMPLE.read_text().splitlines()
    settings = [line for line in lines if line.startswith("#") and not line.startswith("# ")]
    names = {line[1:].partition(" =")[0] for line in settings}
    assert names == {option.name for options in OPTIONS.values() for option in options}

    file = tmp_path / "vmwright.conf"
    file.write_text(
        "\n".join(
            line[1:] if line in settings and line[1:].split()[0] not in depends_on_user else line
            for line in lines
        )
    )
    empty = tmp_path / "empty.conf"
    empty.touch()
    assert Settings.from_files(str(file)) == Settings.from_files(str(empty))
