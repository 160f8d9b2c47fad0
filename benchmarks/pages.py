"""What open pages cost a service, and how soon they hear of many builds at once.

    python -m benchmarks.pages URL DIRECTORY [OPERATIONS LISTENERS ROUNDS]

at a store that is empty. Prints a JSON object a line, of each round one with listeners and one
without: how many `seconds` the builds took, and how many `cpu_seconds` the service. What was heard
is as `benchmarks.listeners` says.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.deployment import configured, opened, request, settings_of
from benchmarks.meter import Figures
from benchmarks.processes import ROOT, module
from vmwright import Controller
from vmwright.settings import Settings
from vmwright.states import ENDED

_DROPPED_AFTER = 3
"""Messages for each operation, after which a listener drops its line: some times in each round."""
_LOOK = 0.02
"""Seconds between two looks at the store of whoever measures."""
_MANY = 100_000
_TICKS = os.sysconf("SC_CLK_TCK")


Told = Callable[[dict[int, float]], Figures]
"""What listeners say once they are told what they should have heard."""


@dataclass(frozen=True)
class Service:
    """A running one."""

    pid: int
    url: str
    token: str

    def cpu_seconds(self) -> float:
        """User and system time until now."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def main(
    url: str,
    home: Path,
    operations: int,
    listeners: int,
    rounds: int,
    latency: float = 1.0,
) -> Iterator[Figures]:
    """See above. Builds last long enough to be at once where each verb of a host takes `latency`
    seconds."""
    settings = settings_of(url, home, parallel=operations)
    settings = replace(settings, simulated=replace(settings.simulated, latency=f"*:{latency}"))
    with opened(settings) as controller, serving(settings) as service:
        _built(controller, service, 2, 0)
        for number in range(rounds):
            both = (listeners, 0)
            for those in both if number % 2 == 0 else reversed(both):
                yield _built(controller, service, operations, those)


def _built(controller: Controller, service: Service, operations: int, listeners: int) -> Figures:
    seen = _Seen(controller)
    dropped_after = _DROPPED_AFTER * operations
    with _listening(service, listeners, seen.last, dropped_after) as told:
        cpu, began = service.cpu_seconds(), time.perf_counter()
        submitting = threading.Thread(target=_submit, args=[controller, operations])
        submitting.start()
        while seen.ended < operations:
            seen.look()
            threading.Event().wait(_LOOK)
        submitting.join()
        seconds = time.perf_counter() - began
        used = service.cpu_seconds() - cpu
        heard = told(seen.at)
    return {
        "operations": operations,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(used, 2),
        **heard,
    }


def _submit(controller: Controller, operations: int) -> None:
    for _ in range(operations):
        controller.submit(request())


class _Seen:
    """The events of a store from now on, and when each could be read first."""

    def __init__(self, controller: Controller) -> None:
        self._database, self._events = controller._database, controller._stores.events
        with self._database.read() as connection:
            self.last = self._events.newest(connection)
        self._from = self.last
        self.at: dict[int, float] = {}
        self.ended = 0
        """How many operations."""

    def look(self) -> None:
        """Also at what came late: a server's numbers are not committed in order."""
        with self._database.read() as connection:
            found = self._events.after(connection, self._from, _MANY)
        now = time.time()
        for event in (told.event for told in found if told.event.seq not in self.at):
            self.at[event.seq] = now
            if event.kind == "operation" and event.state in ENDED:
                if event.state != "done":
                    raise SystemExit(f"operation {event.operation_id} is {event.state}")
                self.ended += 1
        while self._from + 1 in self.at:
            self._from += 1


@contextmanager
def _listening(service: Service, number: int, after: int, dropped_after: int) -> Iterator[Told]:
    if not number:
        yield lambda _: {"listeners": 0}
        return
    process = subprocess.Popen(
        module("listeners", service.url, service.token, number, after, dropped_after),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def told(seen: dict[int, float]) -> Figures:
        stdin.write(json.dumps(seen) + "\n")
        stdin.flush()
        found: Figures = json.loads(stdout.readline())
        return found

    with process:
        try:
            assert "listening" in stdout.readline(), "it says so, or why not"
            yield told
        finally:
            process.terminate()


@contextmanager
def serving(settings: Settings) -> Iterator[Service]:
    """A service of the command's on this store, until the end of the context."""
    file, log = configured(settings), settings.state_dir / "serve.log"
    with file.open("a") as config:
        config.write(
            f"latency = {settings.simulated.latency}\n"
            f"[operations]\nparallel = {settings.operations.parallel}\n"
            f"threads_per_host = {settings.operations.threads_per_host}\n"
            "[api]\nport = 0\n[service]\npoll_interval = 0.2\n"
        )
    address = f"@vmwright-bench-{os.getpid()}-pages"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener, log.open("w") as written:
        listener.bind("\0" + address[1:])
        process = subprocess.Popen(
            [sys.executable, "-m", "vmwright.cli.main", "--config-file", str(file), "serve"],
            env={**os.environ, "NOTIFY_SOCKET": address},
            stderr=written,
        )
        with process:
            try:
                while b"READY=1" not in listener.recv(4096):
                    pass
                found = re.search(r"answering at (http://[^;\s]+)", log.read_text())
                assert found, log.read_text()
                token = (settings.state_dir / "token").read_text().strip()
                yield Service(process.pid, found[1], token)
            finally:
                process.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    url, home, *words = sys.argv[1:]
    for line in main(url, Path(home), *([int(word) for word in words] or (200, 20, 3))):
        print(json.dumps(line), flush=True)
