"""A call that makes a network on a real libvirt, and lands when nobody waits for it any more."""

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import lab as labs
from tests.support.attempts import pay_now, until
from tests.support.libvirt_backends import opened
from tests.support.private_host import PrivateHost, missing, private_host
from tests.support.real_lab import RealLab
from tests.support.things import subnet
from vmwright.backends.libvirt.network_xml import network_xml
from vmwright.backends.removal import Kind, Removal
from vmwright.controller import Controller
from vmwright.errors import Conflict, Unavailable
from vmwright.ids import DeploymentId, InstanceId, Whose, new_id
from vmwright.waiting import Wait

pytestmark = pytest.mark.libvirt

HOOK = """\
#!/bin/sh
[ "$2" = started ] && [ -e /etc/libvirt/hold ] || exit 0
touch /etc/libvirt/held
while [ -e /etc/libvirt/hold ]; do sleep 0.05; done
"""
"""libvirt calls it when a network has its device and its servers, and is not active yet."""


@dataclass(frozen=True)
class Held:
    """A host whose libvirt makes networks only as far as somebody lets it."""

    machine: PrivateHost

    @property
    def _etc(self) -> Path:
        return self.machine.directory / "etc"

    def hold(self) -> None:
        (self._etc / "hold").touch()

    def await_held(self) -> None:
        until((self._etc / "held").exists)

    def let_go(self) -> None:
        (self._etc / "hold").unlink()

    def networks(self) -> list[str]:
        return self.machine.virsh("net-list", "--all", "--name").split()

    def seen(self) -> list[str]:
        """What a deployment leaves on a host, as the host shows it."""
        links = self.machine.run("ip", "-oneline", "link").splitlines()
        pools = self.machine.virsh("pool-list", "--all", "--name").split()
        return [*self.networks(), *pools, *(link for link in links if " lo: " not in link)]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    if reason := missing():
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("late") / "host"
    hook = directory / "etc/hooks/network"
    hook.parent.mkdir(parents=True)
    hook.write_text(HOOK)
    hook.chmod(0o755)
    with private_host(directory) as machine:
        yield Held(machine)


def test_nothing_stays_of_a_build_that_was_killed_while_its_network_was_made(
    host: Held, tmp_path: Path
) -> None:
    """Its host is asked at once, and the network becomes active only then."""
    home = tmp_path / "lab"
    home.mkdir()
    before = host.seen()
    lab = RealLab(home, uri=host.machine.uri, late_effect=86400.0).prepared()
    host.hold()
    process = lab.fork(build)
    host.await_held()
    os.kill(process, signal.SIGKILL)
    assert lab.reap(process).killed
    deleting = lab.fork(labs.delete)
    host.let_go()
    assert lab.reap(deleting).output.split() == ["done"]
    assert len(host.networks()) == 1

    assert "debt list" in lab.child(delete_network).output
    assert "it has debts" in lab.child(delete_host).output
    pay_now(lab)
    assert lab.child(delete_host).status == 0
    assert host.seen() == before


def test_network_that_a_lost_call_makes_late_is_removed(host: Held) -> None:
    deployment = DeploymentId(new_id())
    whose = Whose(deployment=deployment, instance=InstanceId(""))
    before, wanted = host.seen(), subnet()
    removal = Removal(kind=Kind.NETWORK, key=wanted.network, whose=whose)
    with opened(host.machine.uri, deployment) as backend:
        place = backend.host(backend.default_uri)
        place.network.networks(Wait(60))
        host.machine.freeze_libvirtd()
        with pytest.raises(Unavailable):
            place.network.ensure_network(wanted, Wait(0.5))
        with pytest.raises(Unavailable, match="a call about"):
            removal.settle(place, Wait(0.5))
        host.machine.thaw_libvirtd()
        removal.settle(place, Wait(60))
        removal.carry_out(place, Wait(60))
        until(lambda: not any(wanted.network in thread.name for thread in threading.enumerate()))
    assert host.seen() == before


def test_network_that_is_half_made_is_completed(host: Held) -> None:
    """Whoever defined it died before it was started, and before its host was told to start it."""
    wanted, deployment = subnet(), DeploymentId(new_id())
    definition = host.machine.directory / "etc/half-made.xml"
    definition.write_text(network_xml(wanted, deployment))
    host.machine.virsh("net-define", "/etc/libvirt/half-made.xml")
    with opened(host.machine.uri, deployment) as backend:
        place = backend.host(backend.default_uri)
        place.network.ensure_network(wanted, Wait(60))
        shown = host.machine.virsh("net-info", wanted.network).split()
        assert shown[shown.index("Active:") + 1] == "yes"
        assert shown[shown.index("Autostart:") + 1] == "yes"
        place.network.ensure_no_network(wanted.network, Wait(60))


def build(controller: Controller) -> None:
    wish = labs.request(volumes=[])
    print(controller.wait(controller.create(wish).id, timeout=60).state)


def delete_host(controller: Controller) -> None:
    (known,) = controller.inventory.hosts()
    controller.inventory.delete_host(known.name)


def delete_network(controller: Controller) -> Any:
    controller.inventory.ports.delete("mine")
    with pytest.raises(Conflict) as refused:
        controller.inventory.delete_network("net1")
    print(refused.value.hint)
