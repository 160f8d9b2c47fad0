"""Bad input on a real host: one line each, and neither the store nor the host is touched."""

import base64
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.installed import Installed

pytestmark = [pytest.mark.libvirt]

PLACE = ("--image", "demo", "--flavor", "small")
NIC = ("--network", "net1")


@pytest.fixture(scope="module")
def busy(installed: Installed) -> Installed:
    """With an instance whose address and volume are in use, and files that must not be taken."""
    installed.run("volume", "create", "held", "--size", "1")
    installed.run(
        *("create", "used", *PLACE, "--network", "net1,ip=10.77.0.50", "--volume", "volume=held")
    )
    installed.run("flavor", "create", "tiny", "--vcpus", "1", "--ram", "64", "--disk", "1")
    home = installed.home
    subprocess.run(["qemu-img", "create", "-qf", "qcow2", home / "plain", "3G"], check=True)
    backed = ["qemu-img", "create", "-qf", "qcow2", "-F", "qcow2", "-b", home / "plain"]
    subprocess.run([*backed, home / "backed"], check=True)
    (home / "data").write_bytes(b"x" * (65535 // 4 * 3 + 3))
    assert len(base64.b64encode((home / "data").read_bytes())) > 65535
    installed.run("image", "create", "large", "--file", str(home / "plain"))
    return installed


@pytest.fixture(scope="module")
def before(busy: Installed) -> tuple[object, object]:
    """All that is there, which no test here may change."""
    return rows(busy), listings(busy)


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (4, ("create", "x", "--image", "nope", "--flavor", "small"), "image 'nope'"),
        (4, ("create", "x", "--image", "demo", "--flavor", "nope"), "flavor 'nope'"),
        (4, ("create", "x", *PLACE, "--network", "nope"), "network 'nope'"),
        (2, ("create", "x", *PLACE, "--network", "net1,ip=10.78.0.5"), "10.78.0.5"),
        (2, ("create", "x", *PLACE, "--network", "net1,ip=10.77.0.50"), "in use"),
        (
            2,
            ("create", "x", *PLACE, *("--network", "net1,ip=10.77.0.9") * 2),
            "twice",
        ),
        (2, ("create", "x", *PLACE, "--network", "net1,mac=52:54:00:12"), "MAC"),
        (2, ("create", "x", *PLACE, "--network", "net1,mac=01:00:5e:00:00:01"), "multicast"),
        (2, ("create", "x", "--image", "large", "--flavor", "tiny"), "disk"),
        (2, ("create", "", *PLACE), "name"),
        (2, ("create", "n" * 256, *PLACE), "255"),
        (2, ("create", "a\nb", *PLACE), "newlines"),
        (2, ("create", "x", *PLACE, "--user-data", "HOME/data"), "65535"),
        (2, ("image", "create", "x", "--file", "HOME/backed"), "backing file"),
        (
            2,
            ("image", "create", "x", "--file", "HOME/plain", "--disk-format", "raw"),
            "qcow2",
        ),
        (2, ("create", "x", *PLACE, "--volume", "volume=held"), "in use"),
    ],
    ids=lambda value: value if isinstance(value, int) else None,
)
def test_bad_input_is_refused_and_nothing_changes(
    busy: Installed, before: object, code: int, words: tuple[str, ...], told: str
) -> None:
    line = busy.refused(*(word.replace("HOME", str(busy.home)) for word in words), expect=code)
    assert told in line
    assert (rows(busy), listings(busy)) == before


def test_a_plan_changes_nothing(busy: Installed, before: object) -> None:
    plan = busy.json("plan", "x", *PLACE, *NIC, "--volume", "size=1")
    assert plan["host"] is not None
    assert plan["definition"].startswith("<domain")
    assert (rows(busy), listings(busy)) == before


def test_a_libvirt_that_nobody_answers(busy: Installed, before: object) -> None:
    busy.configure(uri="qemu+unix:///system?socket=/nonexistent/libvirt-sock")
    line = busy.refused("create", "x", *PLACE, expect=7)
    busy.configure()
    assert "/nonexistent/libvirt-sock" in line
    assert (rows(busy), listings(busy)) == before


def test_a_database_that_nobody_answers(busy: Installed, tmp_path: Path) -> None:
    other = Installed(tmp_path / "other", busy.host)
    other.configure()
    with (other.home / "vmwright.conf").open("a") as file:
        file.write("[database]\nconnection = postgresql+psycopg://nobody@127.0.0.1:1/none\n")
    line = other.refused("create", "x", *PLACE, expect=7)
    assert "database" in line
    assert "nobody" not in line


def rows(installed: Installed) -> dict[str, list[tuple]]:
    """Every row of every table."""
    with closing(sqlite3.connect(installed.home / "vmwright.db")) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall()
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for (name,) in tables}


def listings(installed: Installed) -> list[object]:
    virsh = installed.host.virsh
    shown: list[object] = [virsh("list", "--all"), virsh("net-list", "--all"), virsh("pool-list")]
    return [*shown, installed.volumes(), installed.reservations()]
