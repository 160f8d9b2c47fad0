"""Durable commits on SQLite, as the kernel sees them: by strace, file by file."""

import re
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Child, directory, run

_CALL = re.compile(r"(pwrite64|fsync|fdatasync)\(\d+<([^>]*)>(.*)")
_OFFSET = re.compile(r", (\d+)\)? *(?:=|<unfinished|$)")
_LOG, _JOURNAL = "-wal", "-journal"


@dataclass(frozen=True, kw_only=True)
class Syncs:
    """Calls that made a store's files durable."""

    commits: int
    """Of a write-ahead log that had got frames since, or of a database after its rollback journal
    was written: transactions that are on the disk now."""
    others: int
    """Of rollback journals, and for a checkpoint's sake."""


def traced(*words: str) -> tuple[Child, Syncs]:
    """Run a child under strace, which makes it slow: counts are good, times are not."""
    strace = shutil.which("strace")
    if strace is None:
        raise FileNotFoundError("strace is missing: apt install strace")
    with directory() as place:
        log = place / "calls"
        options = ["-f", "--seccomp-bpf", "-qq", "-y", "-s", "0", "-o", str(log)]
        child = run(strace, *options, "-e", "trace=pwrite64,fsync,fdatasync", *words)
        return child, _read(log)


def _read(log: Path) -> Syncs:
    with log.open(encoding="utf-8", errors="replace") as lines:
        return count(lines)


def count(lines: Iterable[str]) -> Syncs:
    """What strace wrote, in the order in which calls began.

    A checkpoint syncs the log and then the database, and the next commit syncs the log's new
    header by itself: neither has new frames before it.
    """
    frames: Counter[str] = Counter()
    commits = others = 0
    for line in lines:
        call = _CALL.search(line)
        if call is None:
            continue
        name, path, rest = call.groups()
        if name == "pwrite64":
            offset = _OFFSET.search(rest)
            if path.endswith(_LOG) and offset and int(offset[1]) > 0:
                frames[path] += 1
            elif path.endswith(_JOURNAL):
                frames[path.removesuffix(_JOURNAL)] += 1
        elif frames.pop(path, 0):
            commits += 1
        else:
            others += 1
    return Syncs(commits=commits, others=others)
