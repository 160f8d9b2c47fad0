"""Commands on volumes: disks that may outlive an instance."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli.command import DeleteEach, Lister, ShowOne
from vmwright.cli.parsing import gib
from vmwright.cli.values import fields_of

_COLUMNS = (
    "id",
    "name",
    "size_gib",
    "disk_format",
    "bootable",
    "image_id",
    "snapshot_id",
    "host_id",
    "created_at",
)


class Create(ShowOne):
    """Create a volume. It is put on a host with the first instance that uses it."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument(
            "--size", type=gib, metavar="GIB", help="by default what the image or snapshot needs"
        )
        parser.add_argument("--image", metavar="IMAGE", help="let it begin as this image")
        parser.add_argument("--snapshot", metavar="SNAPSHOT", help="let it begin as this snapshot")
        parser.add_argument(
            "--bootable",
            action="store_true",
            help="instances may boot from it; so they may if it begins as an image",
        )

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        volume = self.session.controller.inventory.create_volume(
            arguments.name,
            arguments.size,
            image=arguments.image,
            snapshot=arguments.snapshot,
            bootable=arguments.bootable,
        )
        return fields_of(volume, _COLUMNS)


class List(Lister):
    """List volumes."""

    shown_columns = _COLUMNS
    short_columns = ("id", "name", "size_gib", "host_id")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        return [fields_of(one, _COLUMNS) for one in self.session.controller.inventory.volumes()]


class Show(ShowOne):
    """Show a volume."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        return fields_of(self.session.controller.inventory.volume(arguments.name), _COLUMNS)


class Delete(DeleteEach):
    """Delete volumes that no instance uses, with what they hold."""

    def find(self, name: str) -> object:
        return self.session.controller.inventory.volume(name)

    def delete(self, name: str) -> object:
        return self.session.controller.inventory.delete_volume(name)
