"""The installed command, run as a user runs it, on a private libvirt host."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.private_host import PrivateHost

COMMAND = Path(sys.executable).with_name("vmwright")


@dataclass(frozen=True)
class Installed:
    """A deployment in `home` on a libvirt host."""

    home: Path
    host: PrivateHost

    def configure(self, uri: str | None = None, **operations: float) -> None:
        """Write the configuration; `operations` are settings of that section."""
        self.home.mkdir(exist_ok=True)
        section = {"late_effect": 1, "undo_deadline": 10} | operations
        (self.home / "vmwright.conf").write_text(
            "[DEFAULT]\nbackend = libvirt\n"
            f"state_dir = {self.home}\n"
            f"[libvirt]\nconnection_uri = {uri or self.host.uri}\nvirt_type = qemu\n"
            "[operations]\n" + "".join(f"{name} = {value}\n" for name, value in section.items())
        )

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [str(COMMAND), "--config-file", str(self.home / "vmwright.conf"), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"COLUMNS": "200"},
        )

    def run(self, *words: str, expect: int = 0) -> str:
        """What the command prints; its exit code must be as expected."""
        process = self.start(*words)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == expect, f"{words}: {process.returncode}\n{output}\n{errors}"
        return output

    def refused(self, *words: str, expect: int) -> str:
        """The one line that the command says instead of doing it."""
        process = self.start(*words)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == expect, f"{words}: {process.returncode}\n{output}\n{errors}"
        assert output == ""
        assert len(errors.splitlines()) == 1, errors
        return errors

    def json(self, *words: str, expect: int = 0) -> Any:
        return json.loads(self.run(*words, "-f", "json", expect=expect))

    def killed_at(self, line: int, later: float, *words: str) -> tuple[str, bool]:
        """Kill a build so many seconds after a line of its progress.

        Returns that line, and whether the build had not ended before.
        """
        process = self.start(*words)
        assert process.stderr is not None
        last = ""
        for _ in range(line):
            last = process.stderr.readline() or last
        threading.Event().wait(later)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return last.strip(), process.returncode == -signal.SIGKILL

    # What the host itself shows.

    def domains(self) -> list[str]:
        return self.host.virsh("list", "--all", "--uuid").split()

    def running(self) -> list[str]:
        return self.host.virsh("list", "--uuid").split()

    def volumes(self) -> list[str]:
        """The volumes of every pool, cached images apart."""
        pools = self.host.virsh("pool-list", "--name").split()
        lines = [line for pool in pools for line in self.host.virsh("vol-list", pool).splitlines()]
        names = [line.split()[0] for line in lines if line.strip()]
        return sorted(name for name in names if not name.startswith("vmw-base."))

    def reservations(self) -> list[str]:
        """The MAC of every DHCP reservation of every network."""
        networks = self.host.virsh("net-list", "--all", "--name").split()
        dumps = "".join(self.host.virsh("net-dumpxml", name) for name in networks)
        return [line for line in dumps.splitlines() if "<host mac=" in line]
