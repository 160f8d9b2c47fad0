"""A controller that is stopped past its lease, on a real libvirt: it makes nothing afterwards."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import lab as labs
from tests.support.own_host import libvirt_host
from tests.support.private_host import PrivateHost
from tests.support.real_lab import RealLab
from tests.support.stopping import Stop, stopped
from vmwright.states import Direction
from vmwright.testing.points import Moment

__all__ = ["libvirt_host"]

pytestmark = [pytest.mark.libvirt, pytest.mark.slow]

DEFINED = 6
"""Of the calls of spawn: the image, three disks and the config drive come first."""


ALONE = {"plug_network": {"volumes": []}, "map_block_devices": {"networks": "none"}}
"""What a build does beside these is left out: a call of it could be under way as well."""


@pytest.mark.parametrize(
    ("task", "moment", "call"),
    [
        ("plug_network", Moment.AFTER, 1),
        ("map_block_devices", Moment.BEFORE, 1),
        ("spawn", Moment.AFTER, 1),
        ("spawn", Moment.BEFORE, DEFINED),
        ("spawn", Moment.AFTER, DEFINED),
    ],
)
def test_nothing_is_made_after_the_claim_is_lost(
    libvirt_host: PrivateHost, tmp_path: Path, task: str, moment: Moment, call: int
) -> None:
    home = tmp_path / "lab"
    home.mkdir()
    lab = RealLab(home, late_effect=86400.0, uri=libvirt_host.uri).prepared()
    wish = labs.request(**ALONE.get(task, {}))
    stop = Stop(task, Direction.EXECUTE, moment, call)
    with stopped(lab, lambda c: c.wait(c.create(wish).id, timeout=60), stop) as sleeper:
        ended = lab.child(labs.delete)
        assert ended.output.split()[-1] == "done", ended.output
        rows, before = lab.all_rows(), what_is_on(libvirt_host)
        assert before.domains == before.ours == before.reservations == []
        woken = sleeper.wake()
    assert "is not ours any more" in woken.output
    assert lab.all_rows() == rows
    assert what_is_on(libvirt_host) == before


@dataclass(frozen=True)
class Found:
    """What `virsh` and libvirt's own files say."""

    domains: list[str]
    volumes: list[str]
    reservations: list[str]

    @property
    def ours(self) -> list[str]:
        """Volumes of instances: cached images stay, with the word that they are whole."""
        return [name for name in self.volumes if "base" not in name]


def what_is_on(libvirt_host: PrivateHost) -> Found:
    pools = libvirt_host.virsh("pool-list", "--name").split()
    volumes = [line for pool in pools for line in libvirt_host.virsh("vol-list", pool).splitlines()]
    networks = libvirt_host.virsh("net-list", "--name", "--all").split()
    dumps = [libvirt_host.virsh("net-dumpxml", network) for network in networks]
    return Found(
        domains=libvirt_host.virsh("list", "--all", "--name").split(),
        volumes=sorted(line.split()[0] for line in volumes if line.strip()),
        reservations=[line for dump in dumps for line in dump.splitlines() if "<host mac" in line],
    )
