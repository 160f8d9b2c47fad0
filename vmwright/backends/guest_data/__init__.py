"""What a guest is told at its first boot, as the bytes of a disk that it reads. Pure.

`seed` has the values, `openstack` and `nocloud` are the layouts, `cloud_config` is what both ask
of cloud-init, and `iso` makes a disk of files. The same `Seed` always gives the same bytes.
"""

from enum import StrEnum

from vmwright.backends.guest_data import nocloud, openstack
from vmwright.backends.guest_data.iso import iso_image
from vmwright.backends.guest_data.seed import (
    InjectedFile,
    SecurityGroup,
    SecurityGroupRule,
    Seed,
    SeedDisk,
    SeedNic,
)

__all__ = [
    "InjectedFile",
    "Layout",
    "SecurityGroup",
    "SecurityGroupRule",
    "Seed",
    "SeedDisk",
    "SeedNic",
    "config_drive",
]


class Layout(StrEnum):
    """Whose names the files on the drive have."""

    CONFIG_2 = "config-2"
    """OpenStack's: read by cloud-init, cloudbase-init, Ignition and others."""
    NOCLOUD = "nocloud"
    """cloud-init's own, for images whose cloud-init looks for nothing else."""


_LAYOUTS = {
    Layout.CONFIG_2: (openstack.LABEL, openstack.openstack_files),
    Layout.NOCLOUD: (nocloud.LABEL, nocloud.nocloud_files),
}


def config_drive(seed: Seed, layout: Layout = Layout.CONFIG_2) -> bytes:
    """The disk, to be attached read-only in raw format.

    Raises `InvalidRequest` for a disk that the guest is to format and could not find.
    """
    label, files = _LAYOUTS[layout]
    return iso_image(label, files(seed))
