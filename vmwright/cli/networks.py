"""Commands on networks: where instances have their addresses."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli.command import DeleteEach, Lister, ShowOne
from vmwright.cli.values import fields_of

_COLUMNS = ("id", "name", "kind", "cidr", "gateway", "created_at")


class Create(ShowOne):
    """Create a network with addresses by DHCP and a way out by NAT."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument(
            "--subnet-range", required=True, metavar="CIDR", help="IPv4, such as 10.1.0.0/24"
        )
        parser.add_argument(
            "--gateway", metavar="IP", help="the hosts' own address; by default the first"
        )

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        network = self.session.controller.inventory.create_network(
            arguments.name, arguments.subnet_range, arguments.gateway
        )
        return fields_of(network, _COLUMNS)


class List(Lister):
    """List networks."""

    shown_columns = _COLUMNS
    short_columns = ("id", "name", "cidr", "gateway")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        return [fields_of(one, _COLUMNS) for one in self.session.controller.inventory.networks()]


class Show(ShowOne):
    """Show a network."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        return fields_of(self.session.controller.inventory.network(arguments.name), _COLUMNS)


class Delete(DeleteEach):
    """Delete networks that no instance uses."""

    def find(self, name: str) -> object:
        return self.session.controller.inventory.network(name)

    def delete(self, name: str) -> object:
        return self.session.controller.inventory.delete_network(name)
