"""Commands on flavors: the sizes that instances come in."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli.command import DeleteEach, Lister, ShowOne
from vmwright.cli.parsing import add_key, add_property, count, gib, unique
from vmwright.cli.values import fields_of

_COLUMNS = (
    "id",
    "name",
    "enabled",
    "vcpus",
    "ram_mib",
    "disk_gib",
    "ephemeral_gib",
    "swap_mib",
    "extra_specs",
    "created_at",
)


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
        parser.add_argument(
            "--ephemeral", type=gib, default=0, metavar="GIB", help="size of a blank disk besides"
        )
        parser.add_argument(
            "--swap", type=count, default=0, metavar="MIB", help="size of a swap disk"
        )
        add_property(parser, "extra spec; may be repeated")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        inventory = self.session.controller.inventory
        flavor = inventory.create_flavor(
            arguments.name,
            arguments.vcpus,
            arguments.ram,
            arguments.disk,
            ephemeral_gib=arguments.ephemeral,
            swap_mib=arguments.swap,
            extra_specs=unique(arguments.properties, "--property"),
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


class Set(ShowOne):
    """Add extra specs to a flavor, or let no new instances have it."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")
        add_property(parser, "extra spec; may be repeated")
        verb = parser.add_mutually_exclusive_group()
        verb.add_argument("--enable", action="store_true", help="new instances may have it")
        verb.add_argument("--disable", action="store_true", help="only old ones have it")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        flavor = self.session.controller.inventory.set_flavor(
            arguments.name,
            enabled=arguments.enable if arguments.enable or arguments.disable else None,
            extra_specs=unique(arguments.properties, "--property"),
        )
        return fields_of(flavor, _COLUMNS)


class Unset(ShowOne):
    """Drop extra specs of a flavor."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")
        add_key(parser, "extra spec; may be repeated")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        inventory = self.session.controller.inventory
        flavor = inventory.set_flavor(arguments.name, without=arguments.properties)
        return fields_of(flavor, _COLUMNS)


class Delete(DeleteEach):
    """Delete flavors."""

    def find(self, name: str) -> object:
        return self.session.controller.inventory.flavor(name)

    def delete(self, name: str) -> object:
        return self.session.controller.inventory.delete_flavor(name)
