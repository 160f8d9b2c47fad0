"""Commands on volumes: disks that may outlive an instance."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli.command import DeleteEach, Lister, ShowOne
from vmwright.cli.parsing import gib
from vmwright.cli.values import fields_of

_COLUMNS = ("id", "name", "size_gib", "disk_format", "image_id", "host_id", "created_at")


class Create(ShowOne):
    """Create a blank volume. It is put on a host with the first instance that uses it."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--size", type=gib, required=True, metavar="GIB")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        inventory = self.session.controller.inventory
        return fields_of(inventory.create_volume(arguments.name, arguments.size), _COLUMNS)


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
