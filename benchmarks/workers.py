"""What a second process of a service brings: builds that wait in a store, run by `vmwright serve`.

    python benchmarks/workers.py [BUILDS]

Prints a JSON object a line, for one process and for two: `per_second` from the first operation that
was begun to the last that ended, as the store's clock says, and `cpu_ms` of all processes for one
build, without those of a start and a stop.
"""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from vmwright import Controller, CreateRequest
from vmwright.limits import QUOTAS, QuotaSettings
from vmwright.reader import Reader
from vmwright.settings import DatabaseSettings, OperationSettings, Settings, SimulatedSettings
from vmwright.states import CLAIMABLE
from vmwright.waiting import Wait

_PARALLEL = 8


def main(builds: str = "400") -> None:
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as directory:
            line = json.dumps(measured(Path(directory), workers, int(builds)))
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def measured(home: Path, workers: int, builds: int, url: str | None = None) -> dict[str, float]:
    """Of a store of its own, on SQLite, or at `url`, which has its tables and nothing else."""
    settings = _settings(home, url)
    with Controller(settings) as controller:
        _prepare(controller)
    alone = _served(settings, workers)
    with Controller(settings) as controller:
        submitted = [controller.submit(_request(number)).id for number in range(builds)]
    cpu = _served(settings, workers) - alone
    with Controller(settings) as controller:
        ended = [controller.operation(operation) for operation in submitted]
    states = {str(operation.state) for operation in ended}
    assert states == {"done"}, states
    began = min(operation.started_at or 0.0 for operation in ended)
    seconds = max(operation.finished_at or 0.0 for operation in ended) - began
    return {
        "workers": workers,
        "builds": builds,
        "per_second": round(builds / seconds, 1),
        "cpu_ms": round(1000 * cpu / builds, 2),
    }


def _settings(home: Path, url: str | None) -> Settings:
    return Settings(
        backend="simulated",
        state_dir=home,
        database=DatabaseSettings(connection=url or f"sqlite:///{home / 'store.db'}"),
        simulated=SimulatedSettings(world_dir=home / "world"),
        operations=OperationSettings(parallel=_PARALLEL, threads_per_host=_PARALLEL),
        quota=QuotaSettings(**dict.fromkeys(QUOTAS, -1)),
    )


def _prepare(controller: Controller) -> None:
    inventory, source = controller.inventory, controller.settings.state_dir / "bench.raw"
    source.write_bytes(b"\0" * 4096)
    inventory.create_image("bench", source, "raw", wait=Wait(10))
    inventory.ensure_default_host()
    (host, *_) = inventory.hosts()
    inventory.set_host(host.name, vcpu_ratio=1000, memory_ratio=1000, disk_ratio=1000)
    inventory.create_flavor("bench", 1, 64, 1)
    inventory.create_network("bench", "10.1.0.0/16")


def _request(number: int) -> CreateRequest:
    return CreateRequest.parse(
        name=f"bench{number}",
        image="bench",
        flavor="bench",
        networks=[{"network": "bench"}],
        volumes=[{"size": 1}],
    )


def _served(settings: Settings, workers: int) -> float:
    """CPU seconds of all processes of a service that is stopped once nothing is left to do."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    address = f"@vmwright-bench-{os.getpid()}-{workers}"
    words = ("--config-file", str(_configured(settings)), "serve", "--workers", str(workers))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + address[1:])
        service = subprocess.Popen(
            [sys.executable, "-m", "vmwright.cli.main", *words],
            env={**os.environ, "NOTIFY_SOCKET": address},
            stderr=subprocess.DEVNULL,
        )
        while b"READY=1" not in listener.recv(4096):
            pass
        with Reader(settings) as reader:
            while reader.operations(CLAIMABLE):
                threading.Event().wait(0.1)
        service.send_signal(signal.SIGTERM)
        assert service.wait() == 0, "it was told to stop"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _configured(settings: Settings) -> Path:
    file = settings.state_dir / "vmwright.conf"
    file.write_text(
        f"[DEFAULT]\nbackend = simulated\nstate_dir = {settings.state_dir}\n"
        f"[database]\nconnection = {settings.database.connection}\n"
        f"[simulated]\nworld_dir = {settings.simulated.world_dir}\n"
        f"[operations]\nparallel = {_PARALLEL}\nthreads_per_host = {_PARALLEL}\n"
        # Between two looks for work no process is idle that could be at work.
        "[api]\nenabled = false\n[service]\npoll_interval = 0.1\n"
    )
    return file


if __name__ == "__main__":
    main(*sys.argv[1:])
