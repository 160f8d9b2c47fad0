"""Packages of npm that tests need: each set installs itself into a cache, once."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import filelock
import platformdirs
import pytest


def installed(program: Path) -> Path:
    """A copy of this directory, with what its package.json names, for the state of its files.

    Skips the test if node or npm is missing, or if npm cannot fetch the packages.
    """
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing, and {program.name} needs it: apt-get install npm")
    files = sorted(program.iterdir())
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    directory = platformdirs.user_cache_path("vmwright-tests") / f"{program.name}-{digest}"
    directory.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(directory / "lock"):
        if not (directory / "complete").exists():
            _install(files, directory)
    return directory


def _install(files: list[Path], directory: Path) -> None:
    for file in files:
        shutil.copy(file, directory)
    npm = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]
    run = subprocess.run(npm, cwd=directory, capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.skip(f"npm cannot fetch packages into {directory}: {run.stderr.strip()}")
    (directory / "complete").touch()
