"""What hosts say of things, besides whose they are: an audit goes by it."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.marks import Marks
from tests.support.places import Place
from tests.support.things import CIDR, blank, disk_of, guest, image, overlay, subnet
from vmwright.backends.host import Host
from vmwright.backends.volumes import Base, Stored
from vmwright.errors import Refused
from vmwright.ids import NetworkId, SnapshotId, base_name, new_id, snapshot_name
from vmwright.progress import Progress
from vmwright.waiting import Wait


@pytest.fixture
def base(host: Host, tmp_path: Path, wait: Wait) -> Base:
    """An image that lies on the host."""
    base, source = image(tmp_path)
    host.volumes.ensure_base(base, source, wait)
    return base


def stored(host: Host, name: str, wait: Wait) -> Stored:
    return next(known for known in host.volumes.volumes(wait) if known.name == name)


def test_network_says_whose_it_is(place: Place, host: Host, wait: Wait) -> None:
    wanted = subnet("10.61.8.0/24")
    host.network.ensure_network(wanted, wait)
    place.put_network(new_id(), CIDR)
    assert list(place.host.network.ours(wait)) == [wanted.network]
    assert len(place.host.network.networks(wait)) == 2


def test_network_without_guests_has_no_leases(host: Host, wait: Wait) -> None:
    wanted = subnet()
    assert list(host.network.leases(wanted.network, wait)) == []
    host.network.ensure_network(wanted, wait)
    assert list(host.network.leases(wanted.network, wait)) == []
    assert list(host.network.leases(NetworkId(new_id()), wait)) == []


def test_overlay_says_what_it_is_an_overlay_of(
    place: Place, host: Host, marks: Marks, base: Base, wait: Wait
) -> None:
    volume, alone = overlay(marks.ours, base), blank(marks.ours, "alone", disk_format="qcow2")
    for made in (volume, alone):
        host.volumes.ensure_volume(made, wait)
    name = base_name(place.backend.deployment, base.sha256, base.disk_format)
    assert stored(host, volume.name, wait).backing == name
    assert stored(host, alone.name, wait).backing is None


def test_volume_says_when_it_was_written(host: Host, marks: Marks, wait: Wait) -> None:
    before = time.time()
    host.volumes.ensure_volume(blank(marks.ours), wait)
    changed_at = stored(host, blank(marks.ours).name, wait).changed_at
    assert changed_at is not None
    # File systems keep the time of the kernel's last tick.
    assert before - 1 <= changed_at <= time.time() + 1


def test_what_was_made_to_its_end_is_whole(
    place: Place, host: Host, marks: Marks, base: Base, wait: Wait
) -> None:
    source = blank(marks.ours, disk_format="qcow2")
    host.volumes.ensure_volume(source, wait)
    snapshot = snapshot_name(place.backend.deployment, SnapshotId(new_id()), "qcow2")
    host.volumes.ensure_copy(snapshot, source.name, wait)
    assert all(known.whole for known in host.volumes.volumes(wait))
    assert len(host.volumes.volumes(wait)) == 3


def test_image_that_a_guest_is_started_with_is_not_removed(
    place: Place, host: Host, marks: Marks, base: Base, wait: Wait
) -> None:
    """Also while the guest is off: it could not be switched on any more."""
    disk = blank(marks.ours)
    host.volumes.ensure_volume(disk, wait)
    kernel = base_name(place.backend.deployment, base.sha256, base.disk_format)
    wanted = replace(guest(marks.ours.instance, disk_of(disk)), kernel=kernel)
    host.hypervisor.ensure_domain(wanted, marks.ours, wait)
    with pytest.raises(Refused, match=base.sha256):
        host.volumes.ensure_no_base(base, wait)
    assert stored(host, kernel, wait).whole


@pytest.mark.libvirt
class TestLibvirt:
    """What only real storage can be."""

    @pytest.fixture
    def place(self, libvirt_place: Place) -> Place:
        return libvirt_place

    def test_half_upload_is_not_whole(
        self, place: Place, host: Host, base: Base, wait: Wait
    ) -> None:
        name = base_name(place.backend.deployment, base.sha256, base.disk_format)
        self._delete(place, f"{name}.whole")
        assert stored(host, name, wait).whole is False

    def test_word_that_an_image_is_whole_does_not_outlive_the_image(
        self, place: Place, host: Host, base: Base, tmp_path: Path, wait: Wait
    ) -> None:
        """Else half of the next upload would be taken for all of it."""
        name = base_name(place.backend.deployment, base.sha256, base.disk_format)
        self._delete(place, name)
        assert stored(host, name, wait).whole is False
        with pytest.raises(Refused):
            host.volumes.ensure_base(base, tmp_path / "truncated", wait)
        host.volumes.ensure_no_base(base, wait)
        assert list(host.volumes.volumes(wait)) == []
        assert place.machine.virsh("vol-list", self._pool(place)).split() == []

    def test_upload_begins_without_the_word_of_an_earlier_one(
        self, place: Place, host: Host, base: Base, tmp_path: Path, wait: Wait
    ) -> None:
        name = base_name(place.backend.deployment, base.sha256, base.disk_format)
        self._delete(place, name)
        told = []

        def report(_progress: Progress) -> None:
            told.append(place.machine.virsh("vol-list", self._pool(place)))

        watched = Wait(120, report=report)
        host.volumes.ensure_base(base, tmp_path / base.sha256, watched)
        assert told
        assert all(f"{name}.whole" not in listed for listed in told)
        assert stored(host, name, wait).whole

    def _pool(self, place: Place) -> str:
        return f"vmwright-{place.backend.deployment}"

    def _delete(self, place: Place, volume: str) -> None:
        place.machine.virsh("vol-delete", volume, "--pool", self._pool(place))
