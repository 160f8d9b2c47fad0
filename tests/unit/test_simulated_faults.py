"""A simulated host fails where it is told to, and as it is told to."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.marks import Marks, whose_create
from tests.support.things import blank, defined_guest, disk_of, guest, running_guest
from tests.support.verbs import every_verb
from vmwright.backends.host import Host
from vmwright.backends.simulated import SimulatedBackend
from vmwright.backends.simulated.faults import CHANGES, LOOKS
from vmwright.errors import Cancelled, HostFault, Refused, Unavailable
from vmwright.ids import DeploymentId, new_id
from vmwright.settings import SimulatedSettings
from vmwright.states import PowerState
from vmwright.waiting import Wait

Opened = Callable[..., Host]
verbs = pytest.mark.parametrize("verb", sorted(LOOKS | CHANGES))


@pytest.fixture
def deployment() -> DeploymentId:
    return DeploymentId(new_id())


@pytest.fixture
def marks(deployment: DeploymentId) -> Marks:
    return Marks(deployment)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return tmp_path / "world"


@pytest.fixture
def opened(world: Path, deployment: DeploymentId) -> Opened:
    """The world's host, as a process sees it that was started with these faults."""

    def opened(*faults: str, latency: str = "0", name: str = "host1") -> Host:
        settings = SimulatedSettings(world_dir=world, faults=faults, latency=latency)
        return SimulatedBackend(settings, deployment).host(f"simulated:///{name}")

    return opened


@pytest.fixture
def wait() -> Wait:
    return Wait(120)


def volumes(host: Host, wait: Wait) -> list[str]:
    return [stored.name for stored in host.volumes.volumes(wait)]


def pass_due_time(world: Path) -> None:
    """Let every late effect be due."""
    for file in world.glob("hosts/*/jobs/*.json"):
        file.write_text(json.dumps({**json.loads(file.read_text()), "due": 0}))


@verbs
@pytest.mark.parametrize(
    ("kind", "error"),
    [("before", HostFault), ("refuse", Refused), ("down", Unavailable)],
)
def test_every_verb_can_fail_before_its_effect(
    opened: Opened,
    marks: Marks,
    tmp_path: Path,
    verb: str,
    kind: str,
    error: type[Exception],
    wait: Wait,
) -> None:
    host = opened(f"{verb}:1:{kind}")
    with pytest.raises(error, match=verb):
        every_verb(host, marks.ours, tmp_path)[verb](wait)


@pytest.mark.parametrize(
    ("kind", "error", "made"),
    [
        ("before", HostFault, False),
        ("refuse", Refused, False),
        ("after", HostFault, True),
        ("lost", Unavailable, True),
        ("late:3600", Unavailable, False),
        ("down", Unavailable, False),
    ],
)
def test_fault_is_of_its_kind(
    opened: Opened,
    world: Path,
    marks: Marks,
    kind: str,
    error: type[Exception],
    made: bool,
    wait: Wait,
) -> None:
    volume = blank(marks.ours)
    with pytest.raises(error):
        opened(f"ensure_volume:1:{kind}").volumes.ensure_volume(volume, wait)
    file = world / "hosts" / "host1" / "volumes" / f"{volume.name}.json"
    assert file.exists() == made


def test_refusal_goes_before_a_fault_that_comes_after(
    opened: Opened, marks: Marks, wait: Wait
) -> None:
    host = opened("ensure_running:1:after")
    with pytest.raises(Refused):
        host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)


def test_failed_look_changes_nothing(opened: Opened, marks: Marks, wait: Wait) -> None:
    host = opened("volumes:2:lost")
    host.volumes.ensure_volume(blank(marks.ours), wait)
    assert len(volumes(host, wait)) == 1
    with pytest.raises(Unavailable):
        volumes(host, wait)
    assert len(volumes(host, wait)) == 1


def test_fault_of_one_host_leaves_the_others(opened: Opened, marks: Marks, wait: Wait) -> None:
    fault = "ensure_volume@host2:1:before"
    opened(fault).volumes.ensure_volume(blank(marks.ours), wait)
    with pytest.raises(HostFault, match="host2"):
        opened(fault, name="host2").volumes.ensure_volume(blank(marks.ours), wait)


def test_hanging_call_ends_with_patience(opened: Opened, marks: Marks, wait: Wait) -> None:
    host = opened("ensure_volume:1:hang")
    with pytest.raises(Unavailable):
        host.volumes.ensure_volume(blank(marks.ours), Wait(0.01))
    assert not volumes(host, wait)


def test_hanging_call_can_be_cancelled(opened: Opened, marks: Marks, wait: Wait) -> None:
    host, cancelled = opened("ensure_volume:1:hang"), threading.Event()
    threading.Timer(0.01, cancelled.set).start()
    with pytest.raises(Cancelled):
        host.volumes.ensure_volume(blank(marks.ours), Wait(3600, cancelled=cancelled))
    assert not volumes(host, wait)


def test_latency_counts_against_patience(opened: Opened, marks: Marks, wait: Wait) -> None:
    host = opened(latency="ensure_volume:7200")
    with pytest.raises(Unavailable):
        host.volumes.ensure_volume(blank(marks.ours), Wait(0.01))
    assert not volumes(host, wait)


def test_late_effect_lands_when_it_is_due(
    opened: Opened, world: Path, marks: Marks, wait: Wait
) -> None:
    host = opened("ensure_volume:1:late:3600")
    with pytest.raises(Unavailable):
        host.volumes.ensure_volume(blank(marks.ours), wait)
    assert not volumes(host, wait)

    pass_due_time(world)

    assert volumes(opened(), wait) == [blank(marks.ours).name]


@pytest.mark.parametrize("verb", sorted(CHANGES))
def test_every_change_can_land_late(
    opened: Opened, world: Path, marks: Marks, tmp_path: Path, verb: str, wait: Wait
) -> None:
    """Also what is refused when it lands: nobody is there to be told."""
    host = opened(f"{verb}:1:late:3600")
    with pytest.raises(Unavailable, match="it will land later"):
        every_verb(host, marks.ours, tmp_path)[verb](wait)
    assert len(list(world.glob("hosts/*/jobs/*"))) == 1
    pass_due_time(world)
    host.hypervisor.facts(wait)
    assert not list(world.glob("hosts/*/jobs/*"))


def test_late_guest_is_the_one_that_was_asked_for(
    opened: Opened, world: Path, marks: Marks, wait: Wait
) -> None:
    host = opened("ensure_domain:1:late:3600", "ensure_running:1:late:3600")
    with pytest.raises(Unavailable):
        defined_guest(host, marks.ours, wait)
    pass_due_time(world)
    with pytest.raises(Unavailable):
        host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)
    pass_due_time(world)

    found = host.hypervisor.find_domain(marks.ours.instance, wait)

    assert found
    assert (found.mark, found.power_state) == (marks.ours, PowerState.RUNNING)


def test_late_effect_is_waited_for_by_those_who_settle(
    opened: Opened, marks: Marks, wait: Wait
) -> None:
    host, volume = opened("ensure_volume:1:late:0.1"), blank(marks.ours)
    with pytest.raises(Unavailable):
        host.volumes.ensure_volume(volume, wait)
    host.volumes.settle_volume(volume.name, wait)
    assert volumes(host, wait) == [volume.name]


@pytest.mark.parametrize("verb", ["settle_volume", "ensure_volume", "ensure_content"])
def test_late_effect_holds_up_calls_on_the_same_thing(
    opened: Opened, marks: Marks, tmp_path: Path, verb: str, wait: Wait
) -> None:
    host = opened("ensure_volume:1:late:3600")
    with pytest.raises(Unavailable):
        host.volumes.ensure_volume(blank(marks.ours), wait)
    with pytest.raises(Unavailable):
        every_verb(host, marks.ours, tmp_path)[verb](Wait(0.01))


def test_late_effect_holds_up_nothing_else(opened: Opened, marks: Marks, wait: Wait) -> None:
    host = opened("ensure_volume:1:late:3600")
    with pytest.raises(Unavailable):
        host.volumes.ensure_volume(blank(marks.ours), wait)
    running_guest(host, marks.other_instance, wait)


def test_removal_does_not_wait_for_a_late_effect(
    opened: Opened, world: Path, marks: Marks, wait: Wait
) -> None:
    """That is what settling before a removal is for: without it something stays behind."""
    host, volume = opened("ensure_volume:1:late:3600"), blank(marks.ours)
    with pytest.raises(Unavailable):
        host.volumes.ensure_volume(volume, wait)

    host.volumes.ensure_no_volume(volume.name, whose_create(marks.ours), wait)
    pass_due_time(world)

    assert volumes(host, wait) == [volume.name]


def test_late_removal_lands_too(opened: Opened, world: Path, marks: Marks, wait: Wait) -> None:
    host, volume = opened("ensure_no_volume:1:late:3600"), blank(marks.ours)
    host.volumes.ensure_volume(volume, wait)
    with pytest.raises(Unavailable):
        host.volumes.ensure_no_volume(volume.name, whose_create(marks.ours), wait)
    assert volumes(host, wait) == [volume.name]
    pass_due_time(world)
    assert not volumes(host, wait)


def test_late_effect_that_is_refused_is_forgotten(
    opened: Opened, world: Path, marks: Marks, wait: Wait
) -> None:
    host = opened("ensure_running:1:late:3600")
    defined_guest(host, marks.ours, wait)
    with pytest.raises(Unavailable):
        host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)
    host.hypervisor.ensure_no_domain(marks.ours.instance, whose_create(marks.ours), wait)
    pass_due_time(world)
    host.hypervisor.settle_domain(marks.ours.instance, wait)
    assert not host.hypervisor.domains(wait)
    assert not list(world.glob("hosts/*/jobs/*"))


@verbs
def test_host_that_is_down_answers_nothing(
    opened: Opened, world: Path, marks: Marks, tmp_path: Path, verb: str
) -> None:
    host = opened()
    (world / "hosts" / "host1").mkdir(parents=True)
    (world / "hosts" / "host1" / "down").touch()
    with pytest.raises(Unavailable, match="host1: the host is down"):
        every_verb(host, marks.ours, tmp_path)[verb](Wait(120))


def test_host_that_went_down_comes_back_with_its_guests_off(
    opened: Opened, world: Path, marks: Marks, wait: Wait
) -> None:
    host, off = opened("facts:1:down"), marks.other_instance
    volume = running_guest(host, marks.ours, wait)
    defined_guest(host, off, wait)
    for _ in range(2):
        with pytest.raises(Unavailable):
            host.hypervisor.facts(wait)

    (world / "hosts" / "host1" / "down").unlink()

    found = {domain.mark: domain.power_state for domain in opened().hypervisor.domains(wait)}
    assert found == {marks.ours: PowerState.SHUTDOWN, off: PowerState.SHUTDOWN}
    assert volume.name in volumes(host, wait)
    host.hypervisor.ensure_domain(guest(off.instance, disk_of(volume)), off, wait)
    host.hypervisor.ensure_running(off.instance, off, wait)


def test_power_cut_ends_calls_that_were_still_to_land(
    opened: Opened, world: Path, marks: Marks, wait: Wait
) -> None:
    host = opened("ensure_volume:1:late:3600", "facts:1:down")
    with pytest.raises(Unavailable):
        host.volumes.ensure_volume(blank(marks.ours), wait)
    with pytest.raises(Unavailable):
        host.hypervisor.facts(wait)
    (world / "hosts" / "host1" / "down").unlink()

    host.volumes.settle_volume(blank(marks.ours).name, wait)

    assert not volumes(host, wait)


def test_console_breaks_off_when_the_host_goes_down(
    opened: Opened, world: Path, marks: Marks, wait: Wait
) -> None:
    host = opened()
    running_guest(host, marks.ours, wait)
    lines = host.hypervisor.console(marks.ours.instance, wait)
    assert next(lines) == b"GUEST-INIT\n"
    (world / "hosts" / "host1" / "down").touch()
    with pytest.raises(Unavailable):
        list(lines)
