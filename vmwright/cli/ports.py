"""Commands on ports: addresses that are held before an instance has them, and after."""

import argparse
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from vmwright.cli.command import DeleteEach, Lister, ShowOne
from vmwright.cli.values import fields_of

if TYPE_CHECKING:
    from vmwright.persistence.records import Port

_FIELDS = ("id", "name", "network_id", "ip", "mac", "instance_id", "user_made", "project_id")
_COLUMNS = (*_FIELDS[:2], "network", *_FIELDS[2:])


class Create(ShowOne):
    """Create a port: its addresses are held from now on, whether an instance has it or not."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--network", required=True, metavar="NETWORK", help="name or id")
        parser.add_argument("--fixed-ip", metavar="IP", help="by default one is chosen")
        parser.add_argument("--mac-address", metavar="MAC", help="by default one is made")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        inventory = self.session.controller.inventory
        port = inventory.ports.create(
            arguments.name, arguments.network, ip=arguments.fixed_ip, mac=arguments.mac_address
        )
        return _shown(port, inventory.network(port.network_id).name)


class List(Lister):
    """List ports, also those that were made with an instance."""

    shown_columns = _COLUMNS
    short_columns = ("id", "name", "network", "ip", "mac", "instance_id")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        inventory = self.session.controller.inventory
        ports = inventory.ports.all()
        names = {network.id: network.name for network in inventory.networks()}
        return [_shown(port, names[port.network_id]) for port in ports]


class Show(ShowOne):
    """Show a port."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        inventory = self.session.controller.inventory
        port = inventory.ports.get(arguments.name)
        return _shown(port, inventory.network(port.network_id).name)


class Delete(DeleteEach):
    """Delete ports that no instance has."""

    def find(self, name: str) -> object:
        return self.session.controller.inventory.ports.get(name)

    def delete(self, name: str) -> object:
        return self.session.controller.inventory.ports.delete(name)


def _shown(port: "Port", network: str) -> Mapping[str, Any]:
    return fields_of(port, _FIELDS) | {"network": network}
