"""Mermaid's own parser, for tests: needs node and npm, and installs itself into a cache."""

import hashlib
import html
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import filelock
import platformdirs
import pytest

_PROGRAM = Path(__file__).with_name("mermaid")
_FILES = ("package.json", "read.mjs")


def read_mermaid(texts: Sequence[str]) -> list[dict[str, Any]]:
    """What Mermaid finds in each text; fails if it is not a flowchart.

    Skips the test if node or npm is missing, or if npm cannot fetch the packages.
    """
    directory = _installed()
    answer = subprocess.run(
        ["node", "read.mjs"],
        cwd=directory,
        input=json.dumps(list(texts)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return [_decoded(diagram) for diagram in json.loads(answer.stdout)]


def _installed() -> Path:
    """The directory of the program, in the state of its files in the checkout."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing, and Mermaid's parser needs it: apt-get install npm")
    digest = hashlib.sha256(b"".join((_PROGRAM / name).read_bytes() for name in _FILES))
    directory = (
        platformdirs.user_cache_path("vmwright-tests") / f"mermaid-{digest.hexdigest()[:12]}"
    )
    directory.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(directory / "lock"):
        if not (directory / "complete").exists():
            _install(directory)
    return directory


def _install(directory: Path) -> None:
    for name in _FILES:
        shutil.copy(_PROGRAM / name, directory)
    npm = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    run = subprocess.run(npm, cwd=directory, capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.skip(f"npm cannot fetch Mermaid's parser into {directory}: {run.stderr.strip()}")
    (directory / "complete").touch()


def _decoded(value: Any) -> Any:
    """Character codes as a browser shows them: Mermaid keeps them in a form of its own."""
    if isinstance(value, dict):
        return {key: _decoded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if isinstance(value, str):
        return html.unescape(value.replace("ﬂ°°", "&#").replace("ﬂ°", "&").replace("¶ß", ";"))
    return value
