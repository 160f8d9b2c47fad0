"""Commands on flavors: the sizes that instances come in."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli.command import DeleteEach, Lister, ShowOne
from vmwright.cli.parsing import count, gib
from vmwright.cli.values import fields_of

_COLUMNS = ("id", "name", "vcpus", "ram_mib", "disk_gib", "extra_specs", "created_at")


class Create(ShowOne):
    """Create a flavor."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--vcpus", type=count, required=True, help="virtual processors")
        parser.add_argument("--ram", type=count, required=True, metavar="MIB", help="memory")
        parser.add_argument(
            "--disk",
            type=gib,
            required=True,
            metavar="GIB",
            help="size of the root disk; 0 leaves it at the image's size",
        )

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        inventory = self.session.controller.inventory
        flavor = inventory.create_flavor(
            arguments.name, arguments.vcpus, arguments.ram, arguments.disk
        )
        return fields_of(flavor, _COLUMNS)


class List(Lister):
    """List flavors."""

    shown_columns = _COLUMNS
    short_columns = ("id", "name", "vcpus", "ram_mib", "disk_gib")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        return [fields_of(one, _COLUMNS) for one in self.session.controller.inventory.flavors()]


class Show(ShowOne):
    """Show a flavor."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        return fields_of(self.session.controller.inventory.flavor(arguments.name), _COLUMNS)


class Delete(DeleteEach):
    """Delete flavors."""

    def find(self, name: str) -> object:
        return self.session.controller.inventory.flavor(name)

    def delete(self, name: str) -> object:
        return self.session.controller.inventory.delete_flavor(name)
