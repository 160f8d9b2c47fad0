"""Children that measure: each has a process of its own, and prints JSON lines."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.meter import Figures

ROOT = Path(__file__).resolve().parent.parent

_MEMORY = Path("/dev/shm")


class Failed(Exception):
    """A child did not do what it was to do; says what it said."""

    @property
    def last_line(self) -> str:
        return str(self).strip().splitlines()[-1]


@dataclass(frozen=True, kw_only=True)
class Child:
    """A child that has ended well."""

    lines: Sequence[Figures]
    seconds: float
    cpu_seconds: float
    peak_mib: float

    @property
    def line(self) -> Figures:
        """Of one that prints a single line."""
        (line,) = self.lines
        return line


def run(*words: str, quiet: bool = False) -> Child:
    """Run a command in the checkout; `Failed` unless it ends with 0.

    What it prints that is no JSON object is left out; `quiet` says that it prints no JSON at all.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(words, cwd=ROOT, stdout=output, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            said = errors.read().decode(errors="replace")[-3000:]
            told = f"{' '.join(words)} ended with {process.returncode}: {said}"
            # It goes into results, which are kept elsewhere than on this machine.
            raise Failed(told.replace(f"{ROOT}/", ""))
        text = output.read().decode()
    return Child(
        lines=[] if quiet else list(_objects(text)),
        seconds=seconds,
        cpu_seconds=used.ru_utime + used.ru_stime,
        peak_mib=used.ru_maxrss / 1024,
    )


def module(name: str, *words: object, python: str = sys.executable) -> list[str]:
    """The command that runs a module of this package."""
    return [python, "-m", f"benchmarks.{name}", *map(str, words)]


@contextmanager
def directory() -> Iterator[Path]:
    """A place for one measurement, on the disk that all of them use.

    Simulated hosts, which keep their things in `world`, lie in memory where that can be: what
    their files cost on a busy disk is nothing that a build costs.
    """
    with ExitStack() as stack:
        temporary = partial(tempfile.TemporaryDirectory, prefix="vmwright-bench-")
        place = Path(stack.enter_context(temporary()))
        if os.access(_MEMORY, os.W_OK):
            (place / "world").symlink_to(stack.enter_context(temporary(dir=_MEMORY)))
        yield place


def _objects(text: str) -> Iterator[Figures]:
    for line in text.splitlines():
        if line.startswith("{"):
            yield json.loads(line)
