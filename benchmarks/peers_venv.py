"""The environment that the peers run in: made by pip where it is wanted, and kept."""

import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parent / ".venv-peers"
REQUIREMENTS = HERE / "peers-requirements.txt"


def interpreter() -> str:
    """A Python that can import the peers; `CalledProcessError` where pip cannot get them."""
    python, stamp = PLACE / "bin" / "python", PLACE / "made-for"
    wanted = f"{sys.version}\n{REQUIREMENTS.read_text()}"
    if not stamp.exists() or stamp.read_text() != wanted:
        print("making .venv-peers", file=sys.stderr)
        venv.create(PLACE, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "-q", "-q", "--no-input"]
        options = ["--disable-pip-version-check", "--requirement", str(REQUIREMENTS)]
        subprocess.run([*pip, *options], check=True, stdout=sys.stderr)
        stamp.write_text(wanted)
    return str(python)
