"""A process of its own that works on a simulated world, to be killed or to compete."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.support.marks import Marks, whose_create
from tests.support.things import IP, blank, disk_of, guest, reservation
from vmwright.backends.host import Host
from vmwright.backends.hypervisor import Nic
from vmwright.backends.simulated import SimulatedBackend
from vmwright.errors import VmwrightError
from vmwright.ids import DeploymentId, Mark, NetworkId
from vmwright.settings import SimulatedSettings
from vmwright.waiting import Wait

_ROOT = Path(__file__).parents[2]
_PATIENCE = 120.0


@contextmanager
def world_process(
    world_dir: Path,
    deployment: DeploymentId,
    *work: str,
    latency: str = "0",
    faults: Sequence[str] = (),
) -> Iterator[subprocess.Popen[str]]:
    """Run one of `WORK` in a process of its own; it is killed if it still runs at the end."""
    settings = {"world_dir": str(world_dir), "latency": latency, "faults": list(faults)}
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, json.dumps(settings), deployment, *work],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def say(word: str) -> None:
    print(word, flush=True)


def churn(host: Host, marks: Marks, network: str) -> None:
    """Build guests and remove them, for ever; one line per verb."""
    while True:
        mark = marks.other_instance
        for word in _life(host, mark, NetworkId(network)):
            say(word)


def _life(host: Host, mark: Mark, network: NetworkId) -> Iterator[str]:
    wait, wanted = Wait(_PATIENCE), reservation(network)
    volume, whose = blank(mark), whose_create(mark)
    host.network.ensure_reservation(wanted, mark, wait)
    yield "reserved"
    host.volumes.ensure_volume(volume, wait)
    yield "made"
    nic = Nic(network=network, mac=wanted.mac)
    host.hypervisor.ensure_domain(guest(mark.instance, disk_of(volume), nics=(nic,)), mark, wait)
    yield "defined"
    host.hypervisor.ensure_running(mark.instance, mark, wait)
    yield "running"
    host.hypervisor.ensure_no_domain(mark.instance, whose, wait)
    yield "forgotten"
    host.volumes.ensure_no_volume(volume.name, whose, wait)
    yield "removed"
    host.network.ensure_no_reservation(network, wanted.mac, wanted.ip, whose, wait)
    yield "given back"


def compete(host: Host, marks: Marks, network: str, number: str) -> None:
    """Make ten volumes, and try to get an address that everybody wants."""
    for role in range(10):
        host.volumes.ensure_volume(blank(marks.ours, f"data{role}"), Wait(_PATIENCE))
    wanted = reservation(NetworkId(network), f"52:54:00:61:09:{int(number):02x}", IP)
    host.network.ensure_reservation(wanted, marks.ours, Wait(_PATIENCE))


def make(host: Host, marks: Marks, name: str) -> None:
    """Make one volume with this name."""
    say("calling")
    host.volumes.ensure_volume(replace(blank(marks.ours), name=name), Wait(_PATIENCE))


WORK: dict[str, Callable[..., None]] = {"churn": churn, "compete": compete, "make": make}


def main() -> None:
    stored = json.loads(sys.argv[1])
    settings = SimulatedSettings(**{**stored, "world_dir": Path(stored["world_dir"])})
    deployment = DeploymentId(sys.argv[2])
    backend = SimulatedBackend(settings, deployment)
    try:
        WORK[sys.argv[3]](backend.host(backend.default_uri), Marks(deployment), *sys.argv[4:])
        say("returned")
    except VmwrightError as error:
        say(type(error).__name__)


if __name__ == "__main__":
    main()
