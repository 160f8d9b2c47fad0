"""Commands on snapshots: what volumes held at one moment."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli.command import DeleteEach, Lister, ShowOne
from vmwright.cli.values import fields_of

_COLUMNS = ("id", "name", "volume_id", "size_gib", "bootable", "host_id", "created_at")


class Create(ShowOne):
    """Keep what a volume holds that no instance uses: a whole copy, on the same host."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--volume", required=True, metavar="VOLUME", help="name or id")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        inventory = self.session.controller.inventory
        snapshot = inventory.create_snapshot(arguments.name, arguments.volume)
        return fields_of(snapshot, _COLUMNS)


class List(Lister):
    """List snapshots of volumes."""

    shown_columns = _COLUMNS
    short_columns = ("id", "name", "volume_id", "size_gib")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        return [fields_of(one, _COLUMNS) for one in self.session.controller.inventory.snapshots()]


class Show(ShowOne):
    """Show a snapshot of a volume."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        return fields_of(self.session.controller.inventory.snapshot(arguments.name), _COLUMNS)


class Delete(DeleteEach):
    """Delete snapshots that no volume begins as."""

    def find(self, name: str) -> object:
        return self.session.controller.inventory.snapshot(name)

    def delete(self, name: str) -> object:
        return self.session.controller.inventory.delete_snapshot(name)
