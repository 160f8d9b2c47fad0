"""The promises that every `Volumes` keeps."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.marks import Marks, whose_create, whose_delete
from tests.support.places import Place
from tests.support.things import (
    MIB,
    blank,
    defined_guest,
    disk_of,
    guest,
    image,
    overlay,
    running_guest,
)
from vmwright.backends.host import Host
from vmwright.backends.volumes import Base, Stored, Volume
from vmwright.errors import Refused, Unavailable
from vmwright.ids import (
    Mark,
    SnapshotId,
    Whose,
    base_name,
    mark_of_volume,
    new_id,
    snapshot_name,
    volume_name,
)
from vmwright.waiting import Wait

formats = pytest.mark.parametrize("disk_format", ["raw", "qcow2"])


def names(host: Host, wait: Wait) -> set[str]:
    return {stored.name for stored in host.volumes.volumes(wait)}


@pytest.fixture
def base(host: Host, tmp_path: Path, wait: Wait) -> Base:
    """An image that lies on the host."""
    base, source = image(tmp_path)
    host.volumes.ensure_base(base, source, wait)
    return base


def test_new_host_has_no_volumes(host: Host, wait: Wait) -> None:
    assert not host.volumes.volumes(wait)


@formats
def test_volume_is_known_by_name_size_and_mark(
    host: Host, marks: Marks, disk_format: str, wait: Wait
) -> None:
    volume = blank(marks.ours, disk_format=disk_format)
    host.volumes.ensure_volume(volume, wait)
    expected = [Stored(name=volume.name, mark=marks.ours, size_bytes=MIB)]
    assert list(host.volumes.volumes(wait)) == expected


@formats
def test_volume_can_be_asked_for_twice(
    host: Host, marks: Marks, disk_format: str, wait: Wait
) -> None:
    volume = blank(marks.ours, disk_format=disk_format)
    host.volumes.ensure_volume(volume, wait)
    once = host.volumes.volumes(wait)
    host.volumes.ensure_volume(volume, wait)
    assert host.volumes.volumes(wait) == once


def test_volume_that_was_put_by_hand_is_listed(place: Place, host: Host, wait: Wait) -> None:
    place.put_volume("stranger.raw")
    assert [(stored.name, stored.mark) for stored in host.volumes.volumes(wait)] == [
        ("stranger.raw", None)
    ]


@formats
def test_volume_of_other_size_is_refused(
    host: Host, marks: Marks, disk_format: str, wait: Wait
) -> None:
    host.volumes.ensure_volume(blank(marks.ours, disk_format=disk_format), wait)
    before = host.volumes.volumes(wait)
    with pytest.raises(Refused):
        host.volumes.ensure_volume(blank(marks.ours, disk_format=disk_format, mib=2), wait)
    assert host.volumes.volumes(wait) == before


@pytest.mark.parametrize(("first", "second"), [("raw", "qcow2"), ("qcow2", "raw")])
def test_volume_of_other_format_is_refused(
    host: Host, marks: Marks, first: str, second: str, wait: Wait
) -> None:
    name = volume_name(marks.ours, "root", first)
    host.volumes.ensure_volume(Volume(name=name, disk_format=first, size_bytes=MIB), wait)
    with pytest.raises(Refused):
        host.volumes.ensure_volume(Volume(name=name, disk_format=second, size_bytes=MIB), wait)
    host.volumes.ensure_volume(Volume(name=name, disk_format=first, size_bytes=MIB), wait)


def test_base_carries_no_mark(host: Host, place: Place, base: Base, wait: Wait) -> None:
    name = base_name(place.backend.deployment, base.sha256, base.disk_format)
    expected = [Stored(name=name, mark=None, size_bytes=MIB)]
    assert list(host.volumes.volumes(wait)) == expected


def test_base_is_kept_once_however_many_ask(host: Host, tmp_path: Path, wait: Wait) -> None:
    base, source = image(tmp_path)
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda _: host.volumes.ensure_base(base, source, wait), range(4)))
    assert len(host.volumes.volumes(wait)) == 1


def test_cached_base_needs_no_source(
    host: Host, base: Base, marks: Marks, tmp_path: Path, wait: Wait
) -> None:
    host.volumes.ensure_base(base, tmp_path / "gone", wait)
    host.volumes.ensure_volume(overlay(marks.ours, base), wait)


def test_overlay_of_a_cached_base_is_made(host: Host, base: Base, marks: Marks, wait: Wait) -> None:
    volume = overlay(marks.ours, base)
    for _ in range(2):
        host.volumes.ensure_volume(volume, wait)
    assert Stored(name=volume.name, mark=marks.ours, size_bytes=2 * MIB) in host.volumes.volumes(
        wait
    )


def test_overlay_of_a_missing_base_is_refused(
    host: Host, marks: Marks, tmp_path: Path, wait: Wait
) -> None:
    base, _ = image(tmp_path)
    with pytest.raises(Refused):
        host.volumes.ensure_volume(overlay(marks.ours, base), wait)
    assert not host.volumes.volumes(wait)


def test_volume_of_its_own_does_not_pass_for_an_overlay_of_a_missing_base(
    host: Host, marks: Marks, tmp_path: Path, wait: Wait
) -> None:
    base, _ = image(tmp_path)
    wanted = overlay(marks.ours, base)
    host.volumes.ensure_volume(replace(wanted, base=None), wait)
    missing = snapshot_name(marks.deployment, SnapshotId(new_id()), "qcow2")
    for volume in (wanted, replace(wanted, base=None, backing=missing)):
        with pytest.raises(Refused):
            host.volumes.ensure_volume(volume, wait)


def test_overlay_of_another_base_is_refused(
    host: Host, base: Base, marks: Marks, tmp_path: Path, wait: Wait
) -> None:
    host.volumes.ensure_volume(overlay(marks.ours, base), wait)
    other, source = image(tmp_path, b"\1")
    host.volumes.ensure_base(other, source, wait)
    with pytest.raises(Refused):
        host.volumes.ensure_volume(overlay(marks.ours, other), wait)


def test_base_with_an_overlay_is_not_removed(
    host: Host, base: Base, marks: Marks, wait: Wait
) -> None:
    volume = overlay(marks.ours, base)
    host.volumes.ensure_volume(volume, wait)

    with pytest.raises(Refused):
        host.volumes.ensure_no_base(base, wait)

    host.volumes.ensure_no_volume(volume.name, whose_create(marks.ours), wait)
    for _ in range(2):
        host.volumes.ensure_no_base(base, wait)
        assert not host.volumes.volumes(wait)


def test_removing_a_base_leaves_the_others(
    host: Host, base: Base, tmp_path: Path, wait: Wait
) -> None:
    before = host.volumes.volumes(wait)
    other, source = image(tmp_path, b"\1")
    host.volumes.ensure_base(other, source, wait)
    host.volumes.ensure_no_base(other, wait)
    assert host.volumes.volumes(wait) == before


def test_base_is_not_removed_as_a_volume(
    host: Host, place: Place, base: Base, marks: Marks, wait: Wait
) -> None:
    name = base_name(place.backend.deployment, base.sha256, base.disk_format)
    host.volumes.ensure_no_volume(name, whose_delete(marks.ours), wait)
    assert name in names(host, wait)


def test_pool_is_forgotten_once_nothing_is_in_it(
    host: Host, base: Base, marks: Marks, wait: Wait
) -> None:
    volume = overlay(marks.ours, base)
    host.volumes.ensure_volume(volume, wait)
    for remove in (
        lambda: host.volumes.ensure_no_volume(volume.name, whose_create(marks.ours), wait),
        lambda: host.volumes.ensure_no_base(base, wait),
    ):
        with pytest.raises(Refused):
            host.volumes.ensure_no_pool(wait)
        remove()
    for _ in range(2):
        host.volumes.ensure_no_pool(wait)
        assert not host.volumes.volumes(wait)


def test_forgotten_pool_is_made_again(host: Host, marks: Marks, wait: Wait) -> None:
    volume = blank(marks.ours)
    host.volumes.ensure_volume(volume, wait)
    host.volumes.ensure_no_volume(volume.name, whose_create(marks.ours), wait)
    host.volumes.ensure_no_pool(wait)
    host.volumes.ensure_volume(volume, wait)
    assert names(host, wait) == {volume.name}


def test_pool_with_a_strangers_volume_is_kept(place: Place, host: Host, wait: Wait) -> None:
    place.put_volume("stranger.raw")
    with pytest.raises(Refused):
        host.volumes.ensure_no_pool(wait)
    assert names(host, wait) == {"stranger.raw"}


def test_content_is_replaced_whole(place: Place, host: Host, marks: Marks, wait: Wait) -> None:
    name = volume_name(marks.ours, "config", "raw")
    for content in (b"first" * 1000, b"first" * 1000, b"second" * 2000, b"third" * 10):
        host.volumes.ensure_content(name, content, wait)
        assert place.digest_of(name) == hashlib.sha256(content).hexdigest()
    expected = [Stored(name=name, mark=marks.ours, size_bytes=50)]
    assert list(host.volumes.volumes(wait)) == expected


def test_content_is_kept_by_those_who_ask_for_the_volume(
    place: Place, host: Host, marks: Marks, wait: Wait
) -> None:
    content = b"data" * (MIB // 4)
    volume = blank(marks.ours)
    host.volumes.ensure_content(volume.name, content, wait)
    host.volumes.ensure_volume(volume, wait)
    assert place.digest_of(volume.name) == hashlib.sha256(content).hexdigest()


def test_content_that_a_guest_has_open_is_not_replaced(
    host: Host, marks: Marks, wait: Wait
) -> None:
    name = volume_name(marks.ours, "root", "raw")
    host.volumes.ensure_content(name, b"\0" * MIB, wait)
    running_guest(host, marks.ours, wait)
    host.volumes.ensure_content(name, b"\0" * MIB, wait)
    with pytest.raises(Refused):
        host.volumes.ensure_content(name, b"\1" * MIB, wait)


@pytest.mark.parametrize(
    "impossible",
    [
        pytest.param({"name": "stranger.raw"}, id="no-mark"),
        pytest.param({"disk_format": "vmdk"}, id="format"),
        pytest.param({"size_bytes": -1}, id="size"),
    ],
)
def test_volume_that_cannot_be_is_refused(
    host: Host, marks: Marks, impossible: dict[str, Any], wait: Wait
) -> None:
    with pytest.raises(Refused):
        host.volumes.ensure_volume(replace(blank(marks.ours), **impossible), wait)
    assert not host.volumes.volumes(wait)


def test_size_of_a_qcow2_volume_is_in_sectors(host: Host, marks: Marks, wait: Wait) -> None:
    odd = replace(blank(marks.ours, disk_format="qcow2"), size_bytes=1000)
    for _ in range(2):
        host.volumes.ensure_volume(odd, wait)
    assert [stored.size_bytes for stored in host.volumes.volumes(wait)] == [1024]


@pytest.mark.parametrize("whose", [whose_create, whose_delete])
def test_volume_is_removed(
    host: Host, marks: Marks, whose: Callable[[Mark], Whose], wait: Wait
) -> None:
    volume = blank(marks.ours)
    host.volumes.ensure_volume(volume, wait)
    for _ in range(2):
        host.volumes.ensure_no_volume(volume.name, whose(marks.ours), wait)
        assert not host.volumes.volumes(wait)


def test_removing_an_unknown_volume_is_fine(host: Host, marks: Marks, wait: Wait) -> None:
    host.volumes.ensure_no_volume(blank(marks.ours).name, whose_create(marks.ours), wait)


@pytest.mark.parametrize(
    "whose",
    [
        pytest.param(lambda marks: whose_create(marks.other_operation), id="other-operation"),
        pytest.param(lambda marks: whose_delete(marks.other_instance), id="other-instance"),
        pytest.param(lambda marks: whose_delete(marks.other_deployment), id="other-deployment"),
    ],
)
def test_volume_of_others_is_not_removed(
    host: Host, marks: Marks, whose: Callable[[Marks], Whose], wait: Wait
) -> None:
    volume = blank(marks.ours)
    host.volumes.ensure_volume(volume, wait)
    host.volumes.ensure_no_volume(volume.name, whose(marks), wait)
    assert names(host, wait) == {volume.name}


def test_volume_without_mark_is_not_removed(
    place: Place, host: Host, marks: Marks, wait: Wait
) -> None:
    place.put_volume("stranger.raw")
    host.volumes.ensure_no_volume("stranger.raw", whose_delete(marks.ours), wait)
    assert names(host, wait) == {"stranger.raw"}


def test_volume_of_a_running_guest_is_not_removed(host: Host, marks: Marks, wait: Wait) -> None:
    volume = running_guest(host, marks.ours, wait)

    with pytest.raises(Refused):
        host.volumes.ensure_no_volume(volume.name, whose_create(marks.ours), wait)

    assert names(host, wait) == {volume.name}
    host.hypervisor.ensure_no_domain(marks.ours.instance, whose_create(marks.ours), wait)
    host.volumes.ensure_no_volume(volume.name, whose_create(marks.ours), wait)
    assert not names(host, wait)


def test_volume_is_open_until_its_last_reader_is_gone(host: Host, marks: Marks, wait: Wait) -> None:
    shared, second = blank(marks.ours, "config"), marks.other_instance
    host.volumes.ensure_volume(shared, wait)
    seed = replace(disk_of(shared, "config"), read_only=True)
    for mark in (marks.ours, second):
        host.volumes.ensure_volume(blank(mark), wait)
        wanted = guest(mark.instance, disk_of(blank(mark)), seed)
        host.hypervisor.ensure_domain(wanted, mark, wait)
        host.hypervisor.ensure_running(mark.instance, mark, wait)
    host.hypervisor.ensure_no_domain(second.instance, whose_create(second), wait)

    with pytest.raises(Refused):
        host.volumes.ensure_no_volume(shared.name, whose_create(marks.ours), wait)

    host.hypervisor.ensure_no_domain(marks.ours.instance, whose_create(marks.ours), wait)
    host.volumes.ensure_no_volume(shared.name, whose_create(marks.ours), wait)


def test_volume_of_a_guest_that_is_off_is_removed(host: Host, marks: Marks, wait: Wait) -> None:
    volume = defined_guest(host, marks.ours, wait)
    host.volumes.ensure_no_volume(volume.name, whose_create(marks.ours), wait)
    assert not names(host, wait)


def test_overlay_boots_a_guest(host: Host, base: Base, marks: Marks, wait: Wait) -> None:
    volume = overlay(marks.ours, base)
    host.volumes.ensure_volume(volume, wait)
    host.hypervisor.ensure_domain(guest(marks.ours.instance, disk_of(volume)), marks.ours, wait)
    host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)


@pytest.fixture
def snapshot(marks: Marks) -> str:
    return snapshot_name(marks.deployment, SnapshotId(new_id()), "qcow2")


def whose_snapshot(name: str) -> Whose:
    mark = mark_of_volume(name)
    assert mark
    return whose_delete(mark)


def test_snapshot_needs_nothing_that_its_volume_needs(
    host: Host, base: Base, marks: Marks, snapshot: str, wait: Wait
) -> None:
    volume = overlay(marks.ours, base)
    host.volumes.ensure_volume(volume, wait)
    for _ in range(2):
        host.volumes.ensure_copy(snapshot, volume.name, wait)
    host.volumes.ensure_no_volume(volume.name, whose_create(marks.ours), wait)
    host.volumes.ensure_no_base(base, wait)
    host.volumes.ensure_copy(snapshot, volume.name, wait)
    expected = [Stored(name=snapshot, mark=mark_of_volume(snapshot), size_bytes=2 * MIB)]
    assert list(host.volumes.volumes(wait)) == expected


def test_snapshot_of_what_is_not_there_is_refused(
    host: Host, marks: Marks, snapshot: str, wait: Wait
) -> None:
    with pytest.raises(Refused):
        host.volumes.ensure_copy(snapshot, blank(marks.ours, disk_format="qcow2").name, wait)
    assert not names(host, wait)


def test_snapshot_of_a_raw_volume_is_refused(
    host: Host, marks: Marks, snapshot: str, wait: Wait
) -> None:
    volume = blank(marks.ours)
    host.volumes.ensure_volume(volume, wait)
    with pytest.raises(Refused):
        host.volumes.ensure_copy(snapshot, volume.name, wait)
    assert names(host, wait) == {volume.name}


def test_snapshot_of_a_volume_that_a_guest_writes_is_refused(
    host: Host, marks: Marks, snapshot: str, wait: Wait
) -> None:
    volume = blank(marks.ours, disk_format="qcow2")
    host.volumes.ensure_volume(volume, wait)
    host.hypervisor.ensure_domain(guest(marks.ours.instance, disk_of(volume)), marks.ours, wait)
    host.hypervisor.ensure_running(marks.ours.instance, marks.ours, wait)
    with pytest.raises(Refused):
        host.volumes.ensure_copy(snapshot, volume.name, wait)
    assert names(host, wait) == {volume.name}


def test_only_a_snapshot_has_the_name_of_one(
    host: Host, marks: Marks, snapshot: str, wait: Wait
) -> None:
    volume = blank(marks.ours, disk_format="qcow2")
    host.volumes.ensure_volume(volume, wait)
    for make in (
        lambda: host.volumes.ensure_copy(volume.name, volume.name, wait),
        lambda: host.volumes.ensure_volume(replace(volume, name=snapshot), wait),
        lambda: host.volumes.ensure_content(snapshot, b"content", wait),
    ):
        with pytest.raises(Refused):
            make()
    assert names(host, wait) == {volume.name}


def test_snapshot_begins_volumes_and_is_kept_as_long_as_they_are(
    host: Host, marks: Marks, snapshot: str, wait: Wait
) -> None:
    source = blank(marks.ours, disk_format="qcow2")
    clone = replace(blank(marks.other_instance, disk_format="qcow2", mib=2), backing=snapshot)
    mark = mark_of_volume(clone.name)
    assert mark
    with pytest.raises(Refused):
        host.volumes.ensure_volume(clone, wait)
    host.volumes.ensure_volume(source, wait)
    host.volumes.ensure_copy(snapshot, source.name, wait)
    for _ in range(2):
        host.volumes.ensure_volume(clone, wait)
    host.hypervisor.ensure_domain(guest(mark.instance, disk_of(clone)), mark, wait)
    host.hypervisor.ensure_running(mark.instance, mark, wait)
    host.hypervisor.ensure_no_domain(mark.instance, whose_create(mark), wait)

    with pytest.raises(Refused):
        host.volumes.ensure_no_volume(snapshot, whose_snapshot(snapshot), wait)

    host.volumes.ensure_no_volume(clone.name, whose_create(mark), wait)
    for _ in range(2):
        host.volumes.ensure_no_volume(snapshot, whose_snapshot(snapshot), wait)
        assert names(host, wait) == {source.name}


def test_overlay_of_another_snapshot_is_refused(
    host: Host, marks: Marks, snapshot: str, wait: Wait
) -> None:
    source = blank(marks.ours, disk_format="qcow2")
    clone = replace(blank(marks.other_instance, disk_format="qcow2"), backing=snapshot)
    other = snapshot_name(marks.deployment, SnapshotId(new_id()), "qcow2")
    host.volumes.ensure_volume(source, wait)
    for name in (snapshot, other):
        host.volumes.ensure_copy(name, source.name, wait)
    host.volumes.ensure_volume(clone, wait)
    for backing in (other, None):
        with pytest.raises(Refused):
            host.volumes.ensure_volume(replace(clone, backing=backing), wait)


@pytest.mark.parametrize("backing", ["image", "volume"])
def test_overlay_of_what_is_no_snapshot_is_refused(
    host: Host, place: Place, base: Base, marks: Marks, backing: str, wait: Wait
) -> None:
    source = blank(marks.ours, disk_format="qcow2")
    host.volumes.ensure_volume(source, wait)
    image_name = base_name(place.backend.deployment, base.sha256, base.disk_format)
    below = {"image": image_name, "volume": source.name}[backing]
    clone = replace(blank(marks.other_instance, disk_format="qcow2"), backing=below)
    with pytest.raises(Refused):
        host.volumes.ensure_volume(clone, wait)


def test_idle_volume_is_settled(host: Host, marks: Marks, wait: Wait) -> None:
    volume = blank(marks.ours)
    host.volumes.settle_volume(volume.name, wait)
    host.volumes.ensure_volume(volume, wait)
    host.volumes.settle_volume(volume.name, wait)


def test_ended_patience_is_told_from_failure(host: Host, marks: Marks) -> None:
    with pytest.raises(Unavailable):
        host.volumes.volumes(Wait(0))
    with pytest.raises(Unavailable):
        host.volumes.ensure_volume(blank(marks.ours), Wait(0))
