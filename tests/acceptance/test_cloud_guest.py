"""A Debian guest with cloud-init becomes at its first boot what the request asked for."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import guest_report
from tests.support.bridges import add_bridge
from tests.support.demo_guest import built_guest
from tests.support.installed import Installed
from tests.support.private_host import missing, private_host

pytestmark = [pytest.mark.libvirt, pytest.mark.guest, pytest.mark.slow]

IMAGE_MIB, FLAVOR_MIB = 1280, 3072
BRIDGE = "lan0"
GATEWAY, ADDRESS = "10.78.0.1", "10.78.0.20"
MAC = "52:54:00:78:00:20"
GREETING = "Hello\n  from outside\n"


@dataclass(frozen=True)
class Made:
    """A deployment that knows the guest, and a key that the guest is to admit."""

    installed: Installed
    key: Path

    @property
    def public_key(self) -> str:
        return self.key.with_suffix(".pub").read_text().strip()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    if reason := missing():
        pytest.skip(reason)
    guest = built_guest("cloud-guest")
    directory = tmp_path_factory.mktemp("cloud")
    key = directory / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    with private_host(directory / "host") as host:
        add_bridge(host, BRIDGE, f"{GATEWAY}/24")
        installed = Installed(directory / "home", host)
        installed.configure()
        run = installed.run
        run("host", "create", "real", "--uri", host.uri)
        for name, file in (
            ("debian", "guest.qcow2"),
            ("linux", "vmlinuz"),
            ("initrd", "initrd.img"),
        ):
            run("image", "create", name, "--file", str(guest / file))
        size = ("--vcpus", "1", "--ram", "512", "--disk", str(FLAVOR_MIB // 1024))
        run("flavor", "create", "small", *size)
        run("network", "create", "lan", "--subnet-range", "10.78.0.0/24", "--bridge", BRIDGE)
        run("keypair", "create", "mine", "--public-key", f"{key}.pub")
        yield Made(installed, key)


# An emulated guest with systemd and cloud-init takes minutes, and other tests run beside it.
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("layout", "disk_config"), [("config-2", "AUTO"), ("nocloud", "MANUAL")])
def test_guest_becomes_what_was_asked_for(
    made: Made, tmp_path: Path, layout: str, disk_config: str
) -> None:
    installed = made.installed
    (tmp_path / "greeting").write_text(GREETING)
    instance = installed.json(
        *("create", "web", "--image", "debian", "--kernel", "linux", "--ramdisk", "initrd"),
        *("--flavor", "small", "--hostname", "web-1", "--key-name", "mine"),
        *("--network", f"lan,ip={ADDRESS},mac={MAC},tag=front"),
        *("--volume", "size=1,tag=database", "--password", guest_report.PASSWORD),
        *("--file", f"/etc/greeting={tmp_path / 'greeting'}"),
        *("--user-data", guest_report.__file__),
        *("--config-drive-format", layout, "--disk-config", disk_config),
    )
    told = report(installed)

    assert told["instance"] == instance["id"]
    assert told["from"].startswith("config-disk (/dev/vd")
    assert told["hostname"] == "web-1"
    assert told["addresses"] == {MAC: [f"{ADDRESS}/24"]}
    assert told["gateways"] == [GATEWAY]
    assert told["keys"] == [made.public_key]
    assert told["greeting"] == GREETING
    assert told["admits"]
    nic, disk = told["devices"]
    assert (nic["mac"], nic["tags"]) == (MAC, ["front"])
    assert disk["tags"] == ["database"]
    assert told["disks"][f"virtio-{disk['serial']}"] == 2**30
    grown = told["root_mib"] > IMAGE_MIB
    assert grown == (disk_config == "AUTO"), told["root_mib"]
    assert answer_by_ssh(made, "hostname") == "web-1\n"

    installed.run("delete", "web")
    assert installed.domains() == installed.volumes() == []
    assert installed.json("audit") == []


def report(installed: Installed) -> dict:
    """What the guest says of itself once it has done all that it was told."""
    reading = installed.start("console", "web", "--until", "GUEST-DONE")
    said, errors = reading.communicate()
    assert reading.returncode == 0, errors
    lines = [line for line in said.splitlines() if line.startswith("GUEST-")]
    assert lines[0].startswith("GUEST-REPORT "), said[-4000:]
    return json.loads(lines[0].removeprefix("GUEST-REPORT "))


def answer_by_ssh(made: Made, command: str) -> str:
    """What the guest answers on its own address to whoever has the key."""
    options = ("-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "-oLogLevel=ERROR")
    key = ("-i", str(made.key))
    return made.installed.host.run("ssh", *options, *key, f"debian@{ADDRESS}", command)
