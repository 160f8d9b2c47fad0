"""Commands on networks: where instances have their addresses."""

import argparse
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from vmwright.cli.command import DeleteEach, Lister, ShowOne
from vmwright.cli.parsing import pool
from vmwright.cli.values import fields_of

if TYPE_CHECKING:
    from vmwright.inventory import Inventory
    from vmwright.persistence.records import NetworkRecord

_FIELDS = (
    "id",
    "name",
    "kind",
    "cidr",
    "gateway",
    "bridge",
    "libvirt_network",
    "pool_first",
    "pool_last",
    "dns",
    "created_at",
)
_COLUMNS = (*_FIELDS[:-1], "hosts", _FIELDS[-1])


class Create(ShowOne):
    """Create a network, or register one that hosts have already.

    Without --bridge and --libvirt-network it is made on each host that needs it, with addresses
    by DHCP and a way out by NAT.
    """

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument(
            "--subnet-range", required=True, metavar="CIDR", help="IPv4, such as 10.1.0.0/24"
        )
        parser.add_argument(
            "--gateway", metavar="IP", help="the router's address; by default the first"
        )
        source = parser.add_mutually_exclusive_group()
        source.add_argument("--bridge", metavar="BRIDGE", help="a Linux bridge that hosts have")
        source.add_argument(
            "--libvirt-network", metavar="NETWORK", help="a network of libvirt that hosts have"
        )
        parser.add_argument(
            "--allocation-pool",
            type=pool,
            metavar="start=IP,end=IP",
            help="the addresses to choose from; by default all of the range",
        )
        parser.add_argument(
            "--dns",
            action="append",
            default=[],
            metavar="IP",
            help="a server that guests ask for names; may be repeated",
        )
        parser.add_argument(
            "--host",
            action="append",
            default=[],
            metavar="HOST",
            help="a host that has the network; may be repeated; by default every host has it",
        )

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        inventory = self.session.controller.inventory
        network = inventory.create_network(
            arguments.name,
            arguments.subnet_range,
            arguments.gateway,
            bridge=arguments.bridge,
            libvirt_network=arguments.libvirt_network,
            pool=arguments.allocation_pool,
            dns=arguments.dns,
            hosts=arguments.host,
        )
        return _shown(inventory, network)


class List(Lister):
    """List networks."""

    shown_columns = _COLUMNS
    short_columns = ("id", "name", "kind", "cidr", "gateway")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        inventory = self.session.controller.inventory
        return [_shown(inventory, network) for network in inventory.networks()]


class Show(ShowOne):
    """Show a network."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        inventory = self.session.controller.inventory
        return _shown(inventory, inventory.network(arguments.name))


class Set(ShowOne):
    """Say which hosts have a network. Instances that are on it stay where they are."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")
        hosts = parser.add_mutually_exclusive_group(required=True)
        hosts.add_argument(
            "--host",
            action="append",
            metavar="HOST",
            help="a host that has it, and no other than those named; may be repeated",
        )
        hosts.add_argument("--no-host", action="store_true", help="every host has it")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        inventory = self.session.controller.inventory
        return _shown(inventory, inventory.bind_network(arguments.name, arguments.host or []))


class Delete(DeleteEach):
    """Delete networks that no instance and no port is on. What is not ours stays on its hosts."""

    def find(self, name: str) -> object:
        return self.session.controller.inventory.network(name)

    def delete(self, name: str) -> object:
        return self.session.controller.inventory.delete_network(name)


def _shown(inventory: "Inventory", network: "NetworkRecord") -> Mapping[str, Any]:
    hosts = [host.name for host in inventory.hosts_of_network(network)]
    return fields_of(network, _FIELDS) | {"hosts": hosts}
