"""What a machine shows of its links, rules, mounts and libvirt, to compare before and after."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_LIBVIRT = ("/etc/libvirt", "/var/lib/libvirt", "/run/libvirt")
"""Where the machine's own libvirt keeps domains, networks, pools and volumes."""


@dataclass(frozen=True)
class Machine:
    """How the machine stands now. Two are equal if nothing was left behind."""

    links: str = field(default_factory=lambda: _said("ip", "-oneline", "link"))
    addresses: str = field(default_factory=lambda: _said("ip", "-oneline", "-4", "address"))
    routes: str = field(default_factory=lambda: _said("ip", "route", "show", "table", "all"))
    nft: str = field(default_factory=lambda: _said("nft", "list", "ruleset"))
    iptables: str = field(default_factory=lambda: _rules(_said("iptables-save")))
    mounts: str = field(default_factory=lambda: Path("/proc/self/mountinfo").read_text())
    libvirt: frozenset[str] = field(default_factory=lambda: frozenset(_files(_LIBVIRT)))


def processes_of(directory: Path) -> dict[int, str]:
    """Every process that names the directory, or sees one of its files mounted."""
    return {
        int(process.name): _text(process / "cmdline").replace("\0", " ")
        for process in Path("/proc").iterdir()
        if process.name.isdecimal()
        and int(process.name) != os.getpid()
        and any(
            str(directory) in _text(process / file) for file in ("cmdline", "environ", "mountinfo")
        )
    }


def _said(*command: str) -> str:
    """What a command says; nothing where it is not installed."""
    path = os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/sbin"
    if shutil.which(command[0], path=path) is None:
        return ""
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=os.environ | {"PATH": path}
    ).stdout


def _rules(saved: str) -> str:
    """The rules without counters and dates."""
    lines = (line for line in saved.splitlines() if not line.startswith("#"))
    return "\n".join(line.partition(" [")[0] for line in lines)


def _files(directories: tuple[str, ...]) -> Iterator[str]:
    for directory in directories:
        yield from map(str, Path(directory).rglob("*"))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
