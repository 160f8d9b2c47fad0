"""On what machine, with which versions, and how busy it was."""

import os
import platform
import sqlite3
import subprocess
import tempfile
import time
from importlib.metadata import version

from benchmarks.meter import Figures
from benchmarks.peers_venv import REQUIREMENTS
from benchmarks.postgresql import PostgreSQL
from benchmarks.processes import ROOT


def facts_of(server: PostgreSQL | None) -> Figures:
    """What must be known to compare with another run."""
    names = ("taskflow", "SQLAlchemy", "oslo.db")
    return {
        "made_at": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "commit": _commit(),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "file_system": _file_system(tempfile.gettempdir()),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "postgresql": None if server is None else server.version.split()[0],
        "packages": {name: version(name) for name in names},
        "peers": _peers(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _commit() -> str | None:
    words = ["git", "describe", "--always", "--dirty", "--abbrev=10"]
    try:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None  # an unpacked archive
    return done.stdout.strip()


def _processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor()


def _file_system(path: str) -> str:
    """Of the stores: a sync in memory costs nothing."""
    words = ["stat", "--file-system", "--format=%T", path]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def _peers() -> dict[str, str]:
    """Those that are pinned: what they are compared by."""
    lines = (line.partition("==") for line in REQUIREMENTS.read_text().splitlines())
    return {name: number for name, equal, number in lines if equal}
