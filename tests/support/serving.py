"""`vmwright serve` as systemd runs it: a process that says over a socket how it stands."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.lab import Lab

_ROOT = Path(__file__).parents[2]


@dataclass
class Service:
    """A running `vmwright serve` on a lab's store and world."""

    process: subprocess.Popen[str]
    socket: socket.socket
    log: Path
    heard: list[str] = field(default_factory=list)

    def hear(self, word: str) -> None:
        """Return once it has said this; fail if it ends before."""
        self.socket.settimeout(0.2)
        while word not in self.heard:
            try:
                self.heard += self.socket.recv(4096).decode().splitlines()
            except TimeoutError:
                assert self.process.poll() is None, self.log.read_text()

    @property
    def url(self) -> str:
        """Where it answers on HTTP, once it has said that it is ready."""
        found = re.search(r"answering at (http://[^;\s]+)", self.log.read_text())
        assert found, self.log.read_text()
        return found[1]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Tell it to stop; its exit code."""
        self.process.send_signal(number)
        return self.process.wait()

    def memory_mib(self) -> float:
        """The most that it ever held in memory, as the kernel counts it."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        assert found, status
        return int(found[1]) / 1024


def config_of(lab: Lab, text: str = "", *, lease: float = 15.0, answers: bool = False) -> Path:
    """The configuration file that says what the lab's settings say, and `text` at its end; with
    `answers` a service answers on HTTP, on any free port."""
    settings = lab.settings
    operations = settings.operations
    lines = [
        "[DEFAULT]",
        "backend = simulated",
        f"state_dir = {settings.state_dir}",
        f"reconcile_interval = {settings.reconcile_interval}",
        "[database]",
        f"connection = {settings.database.connection}",
        "[simulated]",
        f"world_dir = {settings.simulated.world_dir}",
        f"latency = {settings.simulated.latency}",
        f"faults = {','.join(settings.simulated.faults)}",
        "[operations]",
        f"lease = {lease}",
        *(
            f"{name} = {getattr(operations, name)}"
            for name in (
                "patience",
                "undo_deadline",
                "undo_backoff",
                "undo_tries",
                "late_effect",
                "parallel",
                "takeovers",
            )
        ),
        "[api]",
        f"enabled = {str(answers).lower()}",
        "port = 0",
        "[service]",
        "poll_interval = 0.1",
        text,
    ]
    path = lab.home / "vmwright.conf"
    path.write_text("\n".join(lines))
    return path


@contextmanager
def serving(
    lab: Lab,
    text: str = "",
    name: str = "serve",
    *,
    words: Sequence[str] = (),
    answers: bool = False,
    **more: str,
) -> Iterator[Service]:
    """A service that has said that it is ready; killed at the end if it still runs."""
    with started(lab, text, name, words=words, answers=answers, **more) as service:
        service.hear("READY=1")
        yield service


@contextmanager
def started(
    lab: Lab,
    text: str = "",
    name: str = "serve",
    *,
    words: Sequence[str] = (),
    answers: bool = False,
    **more: str,
) -> Iterator[Service]:
    """As `serving`, without waiting for a word of it."""
    # Addresses of sockets must be short, wherever the tests' directory is.
    address = f"@vmwright-test-{os.getpid()}-{name}-{os.urandom(4).hex()}"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind("\0" + address[1:])
    log, config = lab.home / f"{name}.log", config_of(lab, text, answers=answers)
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from vmwright.cli.main import main; sys.exit(main())"
    )
    with listener, log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-c", program, "--config-file", config, "serve", *words],
            stderr=written,
            text=True,
            cwd=_ROOT,
            env={**os.environ, "NOTIFY_SOCKET": address, **more},
        )
        try:
            yield Service(process, listener, log)
        finally:
            process.kill()
            process.wait()
