"""Commands on images: the disks that instances begin as."""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vmwright.cli.command import DeleteEach, Lister, ShowOne
from vmwright.cli.parsing import add_key, add_property, count, gib, unique
from vmwright.cli.values import fields_of
from vmwright.waiting import Wait

_COLUMNS = (
    "id",
    "name",
    "disk_format",
    "size_bytes",
    "virtual_size_bytes",
    "min_disk_gib",
    "min_ram_mib",
    "sha256",
    "properties",
    "created_at",
)
_PATIENCE = 3600.0
"""Seconds: an image is read, hashed and copied whole."""


class Create(ShowOne):
    """Take in an image file: it is inspected, hashed and copied."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--file", required=True, metavar="FILE", help="the disk image")
        parser.add_argument(
            "--disk-format",
            choices=("raw", "qcow2"),
            help="what the file is; by default what its bytes say",
        )
        parser.add_argument(
            "--min-disk", type=gib, default=0, metavar="GIB", help="smallest root disk"
        )
        parser.add_argument(
            "--min-ram", type=count, default=0, metavar="MIB", help="smallest memory"
        )
        add_property(parser, "what builds, or others, should know of it; may be repeated")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        from vmwright.cli.moving import moving

        properties = unique(arguments.properties, "--property")
        inventory = self.session.controller.inventory
        with moving(self.session) as report:
            image = inventory.create_image(
                arguments.name,
                Path(arguments.file),
                arguments.disk_format,
                min_disk_gib=arguments.min_disk,
                min_ram_mib=arguments.min_ram,
                properties=properties,
                wait=Wait(_PATIENCE, report=report),
            )
        return fields_of(image, _COLUMNS)


class List(Lister):
    """List images."""

    shown_columns = _COLUMNS
    short_columns = ("id", "name", "disk_format", "virtual_size_bytes")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        return [fields_of(one, _COLUMNS) for one in self.session.controller.inventory.images()]


class Show(ShowOne):
    """Show an image."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        return fields_of(self.session.controller.inventory.image(arguments.name), _COLUMNS)


class Set(ShowOne):
    """Give an image further properties; later builds follow them."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")
        add_property(parser, "what builds, or others, should know of it; may be repeated")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        properties = unique(arguments.properties, "--property")
        inventory = self.session.controller.inventory
        return fields_of(inventory.set_image_properties(arguments.name, properties), _COLUMNS)


class Unset(ShowOne):
    """Drop properties of an image."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")
        add_key(parser, "property; may be repeated")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        inventory = self.session.controller.inventory
        without = arguments.properties
        return fields_of(
            inventory.set_image_properties(arguments.name, {}, without=without), _COLUMNS
        )


class Delete(DeleteEach):
    """Delete images that no instance and no volume needs."""

    def find(self, name: str) -> object:
        return self.session.controller.inventory.image(name)

    def delete(self, name: str) -> object:
        return self.session.controller.inventory.delete_image(name)
