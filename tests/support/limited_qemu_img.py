"""qemu-img under limits, for tests alone: an opinion on images that is not ours.

The product never starts it. Here it looks at hostile files, so it gets little memory, little
time and may write nothing.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

MEMORY_BYTES = 512 * 2**20
CPU_SECONDS = 10
FILE_BYTES = 0

_DANGEROUS = ("backing-filename", "full-backing-filename", "encrypted", "snapshots")


def limited(
    *words: str | Path, memory: int = MEMORY_BYTES, seconds: int = CPU_SECONDS
) -> "subprocess.CompletedProcess[str]":
    """Run a program with so much memory and processor time, and no files to write."""
    limits = (f"--as={memory}", f"--cpu={seconds}", f"--fsize={FILE_BYTES}", "--core=0")
    command = ["prlimit", *limits, "--", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")


def info(path: Path, disk_format: str | None = None) -> dict[str, Any]:
    """What ``qemu-img info`` says of the file itself; empty if it says nothing."""
    chosen = () if disk_format is None else ("-f", disk_format)
    words = ("qemu-img", "info", "--force-share", "--output=json", *chosen)
    done = limited(*words, path)
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def verdict_of(said: dict[str, Any], limit: int) -> str:
    """``safe``, ``unreadable``, or what is dangerous about an image of which this was said."""
    if not said:
        return "unreadable"
    if said["format"] not in ("raw", "qcow2"):
        return f"format {said['format']}"
    if said["virtual-size"] > limit:
        return "too large"
    specific = said.get("format-specific", {}).get("data", {})
    found = [name for name in _DANGEROUS if said.get(name)]
    found += [name for name in ("data-file", "encrypt") if specific.get(name)]
    return found[0] if found else "safe"
