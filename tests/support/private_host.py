"""Private libvirt hosts for tests: real daemons in namespaces, gone when the test ends."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCRIPT = Path(__file__).parents[2] / "scripts" / "private-host"


def missing() -> str:
    """Why no private host can run here, with the remedy; empty if one can."""
    asked = [*_script(), "--check"]
    return subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip()


class PrivateHost:
    """A libvirt host whose whole state lies in `directory`."""

    def __init__(self, directory: Path, *, options: tuple[str, ...] = ()) -> None:
        self.directory = directory
        self.uri = f"qemu+unix:///system?socket={directory}/run/libvirt/libvirt-sock"
        self._options = options
        self._process: subprocess.Popen[str] | None = None

    def power_on(self) -> None:
        """Boot the host; what an earlier one left on its disk is still there."""
        self._process = subprocess.Popen(
            [*_script(), str(self.directory), *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        if not self._process.stdout.readline().startswith("READY "):
            raise RuntimeError(self._process.communicate()[1].strip())

    def power_off(self) -> None:
        """End every process of the host at once, as a power failure does. May be repeated."""
        if self._process:
            self._process.communicate()
            self._process = None

    def cut_power(self) -> None:
        """As `power_off`, also while children that were forked meanwhile hold its input open."""
        self._tell("power-off")
        self.power_off()

    def run(self, *command: str) -> str:
        """What the command, run inside the host, writes to its output."""
        return self._tell("run", *command)

    def virsh(self, *arguments: str) -> str:
        return self._tell("run", "virsh", "--quiet", "--connect", "qemu:///system", *arguments)

    def kill_libvirtd(self) -> None:
        """End the daemon with SIGKILL; guests go on."""
        self._tell("kill-libvirtd")

    def stop_libvirtd(self) -> None:
        """Ask the daemon to end, as a service manager does, also if it hangs; guests go on."""
        self._tell("stop-libvirtd")

    def start_libvirtd(self) -> None:
        """Start the daemon and return once it answers."""
        self._tell("start-libvirtd")

    def freeze_libvirtd(self) -> None:
        """Make the daemon hang: it accepts connections and never answers."""
        self._tell("freeze-libvirtd")

    def thaw_libvirtd(self) -> None:
        self._tell("thaw-libvirtd")

    def _tell(self, *words: str) -> str:
        command = [*_script(), str(self.directory), *words]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout


@contextmanager
def private_host(directory: Path, *, options: tuple[str, ...] = ()) -> Iterator[PrivateHost]:
    """A running host. `options` are those of scripts/private-host, such as ``--kvm``."""
    host = PrivateHost(directory, options=options)
    host.power_on()
    try:
        yield host
    finally:
        host.power_off()


def _script() -> list[str]:
    return [sys.executable, str(_SCRIPT)]
