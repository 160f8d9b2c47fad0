"""Whether KVM is used is tried out with a guest, once per host."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.libvirt_backends import opened
from tests.support.marks import Marks
from tests.support.private_host import PrivateHost, missing, private_host
from tests.support.things import running_guest
from vmwright.backends.hypervisor import HostFacts
from vmwright.backends.libvirt.connection import HostConnection
from vmwright.backends.libvirt.guest_probe import guest_runs
from vmwright.backends.libvirt.pool import Pool
from vmwright.ids import DeploymentId, new_id
from vmwright.waiting import Wait

pytestmark = pytest.mark.libvirt


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateHost]:
    """A host that sees /dev/kvm, whatever that is worth."""
    if reason := missing():
        pytest.skip(reason)
    if not Path("/dev/kvm").exists():
        pytest.skip("there is no /dev/kvm here (modprobe kvm_intel or kvm_amd)")
    with private_host(tmp_path_factory.mktemp("kvm"), options=("--kvm",)) as host:
        yield host


@dataclass(frozen=True)
class Tried:
    """A trial that has been made, and what was kept of it."""

    state_dir: Path
    facts: HostFacts

    @property
    def file(self) -> Path:
        return self.state_dir / "hosts" / f"{self.facts.uuid}.json"


@pytest.fixture(scope="module")
def tried(machine: PrivateHost, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    state_dir = tmp_path_factory.mktemp("state")
    return Tried(state_dir, facts_of(machine, state_dir, Wait(120)))


def facts_of(machine: PrivateHost, state_dir: Path, wait: Wait) -> HostFacts:
    """What the host says to a process that has just begun."""
    deployment = DeploymentId(new_id())
    with opened(machine.uri, deployment, state_dir=state_dir, virt_type="auto") as backend:
        return backend.host(backend.default_uri).hypervisor.facts(wait)


def test_trial_leaves_nothing(machine: PrivateHost, tried: Tried) -> None:
    assert machine.virsh("list", "--all").strip() == ""
    for pool in machine.virsh("pool-list", "--name").split():
        assert machine.virsh("vol-list", pool).strip() == ""


def test_guest_of_the_chosen_type_runs(machine: PrivateHost, tried: Tried, wait: Wait) -> None:
    deployment = DeploymentId(new_id())
    with opened(machine.uri, deployment, state_dir=tried.state_dir, virt_type="auto") as backend:
        mark = Marks(deployment).ours
        running_guest(backend.host(backend.default_uri), mark, wait)
        running = machine.virsh("dumpxml", mark.instance)
        machine.virsh("destroy", mark.instance)
        machine.virsh("undefine", mark.instance)
    assert f"<domain type='{tried.facts.virt_type}'" in running


def test_answer_is_remembered_by_the_uuid_of_the_host(
    machine: PrivateHost, tried: Tried, tmp_path: Path, wait: Wait
) -> None:
    chosen = tried.facts.virt_type
    other = {"kvm": "qemu", "qemu": "kvm"}[chosen]
    (tmp_path / "hosts").mkdir()
    file = tmp_path / "hosts" / tried.file.name
    file.write_text(tried.file.read_text().replace(f'"{chosen}"', f'"{other}"'))
    assert facts_of(machine, tmp_path, wait).virt_type == other


def test_damaged_memory_is_no_answer(
    machine: PrivateHost, tried: Tried, tmp_path: Path, wait: Wait
) -> None:
    (tmp_path / "hosts").mkdir()
    file = tmp_path / "hosts" / tried.file.name
    file.write_text(tried.file.read_text()[:-5])
    assert facts_of(machine, tmp_path, wait) == tried.facts
    assert file.read_text() == tried.file.read_text()


def test_emulated_guest_passes_the_trial(libvirt_host: PrivateHost, wait: Wait) -> None:
    connection = HostConnection(libvirt_host.uri, 60.0)
    pool = Pool(DeploymentId(new_id()), "/var/lib/libvirt/vmwright")
    assert guest_runs(connection, pool, "qemu", wait)
    connection.close()


def test_guest_of_a_type_that_the_host_cannot_run_fails_the_trial(
    libvirt_host: PrivateHost, wait: Wait
) -> None:
    connection = HostConnection(libvirt_host.uri, 60.0)
    pool = Pool(DeploymentId(new_id()), "/var/lib/libvirt/vmwright")
    assert not guest_runs(connection, pool, "kvm", wait)
    connection.close()


def test_host_without_kvm_emulates_and_nothing_is_tried(
    libvirt_host: PrivateHost, tmp_path: Path, wait: Wait
) -> None:
    assert facts_of(libvirt_host, tmp_path, wait).virt_type == "qemu"
    assert not list(tmp_path.iterdir())
