"""Whether KVM is used is tried out with a guest, once per host."""

from collections.abc import Iterator
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


def facts_of(machine: PrivateHost, state_dir: Path, wait: Wait) -> HostFacts:
    """What the host says to a process that has just begun."""
    deployment = DeploymentId(new_id())
    with opened(machine.uri, deployment, state_dir=state_dir, virt_type="auto") as backend:
        return backend.host(backend.default_uri).hypervisor.facts(wait)


def test_guest_of_the_chosen_type_runs_and_the_trial_leaves_nothing(
    machine: PrivateHost, tmp_path: Path, wait: Wait
) -> None:
    deployment = DeploymentId(new_id())
    with opened(machine.uri, deployment, state_dir=tmp_path, virt_type="auto") as backend:
        host = backend.host(backend.default_uri)
        chosen = host.hypervisor.facts(wait).virt_type
        assert host.hypervisor.domains(wait) == []
        assert host.volumes.volumes(wait) == []
        running_guest(host, Marks(deployment).ours, wait)
        assert f"<domain type='{chosen}'" in machine.virsh(
            "dumpxml", machine.virsh("list", "--name").strip()
        )


def test_answer_is_remembered_by_the_uuid_of_the_host(
    machine: PrivateHost, tmp_path: Path, wait: Wait
) -> None:
    facts = facts_of(machine, tmp_path, wait)
    file = tmp_path / "hosts" / f"{facts.uuid}.json"
    other = {"kvm": "qemu", "qemu": "kvm"}[facts.virt_type]
    file.write_text(file.read_text().replace(f'"{facts.virt_type}"', f'"{other}"'))
    assert facts_of(machine, tmp_path, wait).virt_type == other


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"versions": 1}', "\0"])
def test_damaged_memory_is_no_answer(
    machine: PrivateHost, tmp_path: Path, damage: str, wait: Wait
) -> None:
    facts = facts_of(machine, tmp_path, wait)
    file = tmp_path / "hosts" / f"{facts.uuid}.json"
    whole = file.read_text()
    file.write_text(damage)
    assert facts_of(machine, tmp_path, wait) == facts
    assert file.read_text() == whole


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
