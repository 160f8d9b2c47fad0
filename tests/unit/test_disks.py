"""Which disks a guest has, in which order, and what room they take."""

from typing import Any

import pytest

from tests.support.rows import a_spec, an_image
from vmwright.backends.hypervisor import Disk
from vmwright.ids import VolumeId, new_id
from vmwright.spec import DiskSpec, VolumeSpec
from vmwright.tasks.guest_parts import in_order
from vmwright.tasks.placement import demand_of


def disk(serial: str, boot_index: int | None = None) -> Disk:
    return Disk(volume=serial, disk_format="qcow2", serial=serial, boot_index=boot_index)


def volume(size_gib: int) -> VolumeSpec:
    return VolumeSpec(
        volume=VolumeId(new_id()),
        source="blank",
        name="data",
        size_gib=size_gib,
        delete_on_termination=True,
    )


@pytest.mark.parametrize(
    ("local", "volumes", "expected"),
    [
        ([("root", 0), ("swap", None)], [("v1", None)], "root swap v1"),
        ([("root", 0)], [("v1", None), ("v2", 2), ("v3", 1)], "root v3 v2 v1"),
        ([("swap", None)], [("v1", None), ("v2", 0)], "v2 swap v1"),
        ([("root", None), ("swap", None)], [("v1", 0)], "v1 root swap"),
        ([], [("v1", 1), ("v2", 0)], "v2 v1"),
    ],
)
def test_disks_come_by_their_turn_to_boot_then_as_they_were_asked_for(
    local: list[Any], volumes: list[Any], expected: str
) -> None:
    found = in_order([disk(*one) for one in local], [disk(*one) for one in volumes])
    assert " ".join(one.serial for one in found) == expected


def test_every_disk_takes_room_on_the_host() -> None:
    disks = (
        DiskSpec(role="ephemeral0", size_mib=4096),
        DiskSpec(role="swap", size_mib=1),
    )
    spec = a_spec(an_image(), root_gib=8, volumes=(volume(3), volume(2)), disks=disks)
    assert demand_of(spec).disk_gib == 8 + 3 + 2 + 4 + 1


def test_a_guest_that_boots_from_a_volume_takes_no_room_for_a_root_disk() -> None:
    spec = a_spec(an_image(), root_gib=8, volumes=(volume(3),))
    assert demand_of(spec.model_copy(update={"image": None})).disk_gib == 3
