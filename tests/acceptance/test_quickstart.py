"""The quickstart, run for real: what it shows, and that nothing of it stays."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.support.attempts import until
from tests.support.demo_guest import DemoGuest
from tests.support.installed import Installed
from tests.support.machine import Machine, processes_of
from tests.support.private_host import missing

QUICKSTART = Path(__file__).parents[2] / "scripts" / "quickstart"
TOUR = QUICKSTART.with_name("tour")


def start(
    directory: Path, *before: str, stdin: int = subprocess.DEVNULL, **environment: str
) -> "subprocess.Popen[str]":
    """The quickstart in the environment that runs the tests: nothing is installed."""
    # Whoever runs the tests in the background has them ignore what Ctrl-C sends.
    before = ("env", "--default-signal=INT", *before)
    own = {"QUICKSTART_DIR": str(directory), "VENV": sys.prefix, "YES": "1"} | environment
    return subprocess.Popen(
        [*before, str(QUICKSTART)],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | own,
        start_new_session=True,
        preexec_fn=_hear_interrupts,  # noqa: PLW1509 - it only sets a signal
    )


def _hear_interrupts() -> None:
    """What is started in the background may ignore Ctrl-C, and no shell can change that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory for one quickstart, on a machine that must look afterwards as it does now."""
    before = Machine()
    directory = tmp_path / "quickstart"
    yield directory
    assert processes_of(directory) == {}
    assert Machine() == before


@pytest.fixture
def host_can_run(demo: DemoGuest) -> None:
    if reason := missing():
        pytest.skip(reason)


@pytest.mark.libvirt
@pytest.mark.guest
@pytest.mark.usefixtures("host_can_run")
def test_real_guest_is_built_shown_and_taken_back(place: Path) -> None:
    quickstart = start(place, REQUIRE="libvirt")
    output = quickstart.communicate()[0]
    assert quickstart.returncode == 0, output
    assert re.search(r"^hypervisor: libvirt \((kvm|qemu)\)$", output, re.M), output
    assert re.search(r"^GUEST-CONFIG /dev/vd\w uuid=\S+ hostname=vm1 ", output, re.M), output
    assert re.search(r"^GUEST-IP ip=\d+\.\d+\.\d+\.\d+ mac=", output, re.M), output
    assert re.search(r"^leftovers: 0$", output, re.M), output
    assert re.search(r"mark_active\W+done", output), output
    assert sorted(path.name for path in place.iterdir()) == ["graph.svg", "log"]
    assert "<svg" in (place / "graph.svg").read_text()


@pytest.mark.libvirt
@pytest.mark.guest
@pytest.mark.usefixtures("host_can_run")
@pytest.mark.slow
def test_interrupted_quickstart_leaves_nothing(place: Path) -> None:
    output = interrupted(start(place, KVM="no", REQUIRE="libvirt"), "GUEST-DISKS")
    assert "taking back" in output
    assert sorted(path.name for path in place.iterdir()) == ["log"]


@pytest.mark.libvirt
@pytest.mark.guest
@pytest.mark.slow
def test_libvirt_that_was_named_is_left_as_it_was(installed: Installed, place: Path) -> None:
    # Every libvirt that its package has installed has this directory.
    installed.host.run("mkdir", "--parents", "/var/lib/libvirt/images")
    named = {"URI": installed.host.uri, "REQUIRE": "libvirt"}
    before = seen_on(installed)
    interrupted(start(place, **named), "plug_network running")
    assert seen_on(installed) == before


@pytest.mark.slow
@pytest.mark.libvirt
@pytest.mark.guest
@pytest.mark.parametrize("made", [False, True], ids=["at-once", "with-its-network"])
def test_what_a_killed_quickstart_left_is_removed_by_the_next(
    installed: Installed, place: Path, made: bool
) -> None:
    installed.host.run("mkdir", "--parents", "/var/lib/libvirt/images")
    named = {"URI": installed.host.uri, "REQUIRE": "libvirt"}
    before = seen_on(installed)
    active = installed.host.directory / "run/libvirt/network"
    quickstart = start(place, **named)
    until_written(quickstart, "plug_network running")
    if made:
        until(lambda: any(active.glob("vmw-*.xml")))
    os.killpg(quickstart.pid, signal.SIGKILL)
    quickstart.communicate()
    assert seen_on(installed) != before
    again = start(place, **named)
    output = again.communicate()[0]
    assert again.returncode == 0, output
    assert "leftovers: 0" in output
    assert seen_on(installed) == before


@pytest.mark.slow
def test_what_a_killed_tour_left_is_taken_back(tmp_path: Path) -> None:
    """What its build may still make keeps an address given out for a while, and that a network."""
    (tmp_path / "image.raw").write_bytes(bytes(1 << 20))
    world, configuration = tmp_path / "state/world/hosts", tmp_path / "vmwright.conf"
    quick = f"[DEFAULT]\nbackend = simulated\nstate_dir = {tmp_path}/state\n"
    quick += "[operations]\nlate_effect = 1\n"
    configuration.write_text(f"{quick}[simulated]\nlatency = *:0,ensure_reservation:600\n")
    own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    tour = subprocess.Popen(
        [TOUR, tmp_path, "10.213.0.0/24"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | own,
        start_new_session=True,
    )
    until(lambda: any(world.glob("*/networks/*")))
    os.killpg(tour.pid, signal.SIGKILL)
    tour.communicate()

    configuration.write_text(quick)
    subprocess.run([TOUR, tmp_path, "--take-back"], check=True, env=os.environ | own)
    assert not (tmp_path / "left-over").exists()
    left = [path for kind in ("networks", "reservations") for path in world.glob(f"*/{kind}/*")]
    assert left == []


def interrupted(quickstart: "subprocess.Popen[str]", moment: str) -> str:
    """Press Ctrl-C once a line holds `moment`; all that it wrote."""
    output = until_written(quickstart, moment)
    os.killpg(quickstart.pid, signal.SIGINT)
    output += quickstart.communicate()[0]
    assert quickstart.returncode == 130, output
    return output


def until_written(quickstart: "subprocess.Popen[str]", moment: str) -> str:
    """All that it writes until a line holds `moment`."""
    assert quickstart.stdout
    output = ""
    for line in quickstart.stdout:
        output += line
        if moment in line:
            return output
    raise AssertionError(f"it ended before {moment!r}:\n{output}")


def seen_on(installed: Installed) -> list[str]:
    """Domains, networks, pools, the files of all pools, and links, as the host shows them."""
    return [
        *(installed.host.virsh(kind, "--all") for kind in ("list", "net-list", "pool-list")),
        installed.host.run("find", "/var/lib/libvirt/images", "/etc/libvirt/storage"),
        installed.host.run("ip", "-oneline", "link"),
    ]


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is missing: util-linux")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up CAP_SYS_ADMIN")
class TestWithoutPrivileges:
    """As in a container that is not privileged."""

    WITHOUT = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")

    @pytest.mark.slow
    def test_simulated_quickstart_says_why(self, place: Path) -> None:
        quickstart = start(place, *self.WITHOUT)
        output = quickstart.communicate()[0]
        assert quickstart.returncode == 0, output
        (why,) = [line for line in output.splitlines() if "CAP_SYS_ADMIN" in line]
        assert why.startswith("Running simulated, because")
        assert re.search(r"^hypervisor: simulated$", output, re.M), output
        assert re.search(r"^leftovers: 0$", output, re.M), output

    @pytest.mark.slow
    def test_page_shows_the_build_until_somebody_presses_enter(self, place: Path) -> None:
        keyboard, theirs = pty.openpty()
        quickstart = start(place, *self.WITHOUT, YES="", stdin=theirs)
        os.write(keyboard, b"y\n")
        output = until_written(quickstart, "The page: ")
        found = re.search(r"^The page: (http://127\.0\.0\.1:\d+)/#token=(\S+)$", output, re.M)
        assert found, output
        seen = Request(f"{found[1]}/v1/operations", headers={"Authorization": f"Bearer {found[2]}"})
        assert json.loads(urlopen(seen).read()) == []
        os.write(keyboard, b"\n")
        until_written(quickstart, "mark_active done")
        assert [one["kind"] for one in json.loads(urlopen(seen).read())] == ["create"]
        os.write(keyboard, b"\n")
        output = quickstart.communicate()[0]
        assert quickstart.returncode == 0, output
        assert re.search(r"^leftovers: 0$", output, re.M), output

    def test_libvirt_that_is_required_and_missing_is_a_failure(self, place: Path) -> None:
        quickstart = start(place, *self.WITHOUT, REQUIRE="libvirt")
        (line,) = quickstart.communicate()[0].splitlines()
        assert quickstart.returncode == 7
        assert "CAP_SYS_ADMIN" in line


def test_other_systems_are_told_why_it_is_simulated(place: Path, tmp_path: Path) -> None:
    (tmp_path / "uname").write_text("#!/bin/sh\necho Darwin\n")
    (tmp_path / "uname").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    quickstart = start(place, REQUIRE="libvirt", PATH=path)
    (line,) = quickstart.communicate()[0].splitlines()
    assert quickstart.returncode == 7
    assert "Darwin" in line


def test_nothing_is_done_unless_somebody_says_yes(place: Path) -> None:
    quickstart = start(place, YES="")
    output = quickstart.communicate()[0]
    assert quickstart.returncode == 7
    assert output.splitlines()[-1].endswith("run make quickstart YES=1")
    assert not place.exists()
