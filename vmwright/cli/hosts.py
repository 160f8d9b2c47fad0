"""Commands on hosts: the machines that run instances."""

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from vmwright.cli.command import DeleteEach, Lister, ShowOne
from vmwright.cli.parsing import count, gib
from vmwright.cli.values import fields_of
from vmwright.errors import InvalidRequest

_COLUMNS = (
    "id",
    "name",
    "connection_uri",
    "hypervisor_uuid",
    "enabled",
    "disabled_reason",
    "vcpus",
    "memory_mib",
    "disk_gib",
    "vcpu_ratio",
    "memory_ratio",
    "disk_ratio",
    "zone",
    "created_at",
)


class Create(ShowOne):
    """Register a host. It is asked what it has; figures given here win over its own."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--uri", required=True, help="where it is, such as qemu:///system")
        parser.add_argument("--vcpus", type=count, help="processors to give away")
        parser.add_argument("--memory", type=count, metavar="MIB", help="memory to give away")
        parser.add_argument("--disk", type=gib, metavar="GIB", help="disk space to give away")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        host = self.session.controller.inventory.create_host(
            arguments.name,
            arguments.uri,
            vcpus=arguments.vcpus,
            memory_mib=arguments.memory,
            disk_gib=arguments.disk,
        )
        return fields_of(host, _COLUMNS)


class List(Lister):
    """List hosts."""

    shown_columns = _COLUMNS
    short_columns = ("id", "name", "connection_uri", "enabled", "vcpus", "memory_mib", "disk_gib")

    def describe(self, arguments: argparse.Namespace) -> Iterable[Mapping[str, Any]]:
        del arguments
        return [fields_of(one, _COLUMNS) for one in self.session.controller.inventory.hosts()]


class Show(ShowOne):
    """Show a host."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        return fields_of(self.session.controller.inventory.host(arguments.name), _COLUMNS)


class Set(ShowOne):
    """Let a host take new instances, or no more of them. What runs there stays."""

    shown_columns = _COLUMNS

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name or id")
        verb = parser.add_mutually_exclusive_group(required=True)
        verb.add_argument("--enable", action="store_true", help="take new instances")
        verb.add_argument("--disable", action="store_true", help="take no new instances")
        parser.add_argument("--reason", help="why it is disabled: shown to those it is kept from")

    def describe(self, arguments: argparse.Namespace) -> Mapping[str, Any]:
        if arguments.enable and arguments.reason:
            raise InvalidRequest("--reason says why a host is disabled: it goes with --disable")
        inventory = self.session.controller.inventory
        if arguments.enable:
            inventory.enable_host(arguments.name)
        else:
            inventory.disable_host(arguments.name, arguments.reason or "no reason given")
        return fields_of(inventory.host(arguments.name), _COLUMNS)


class Delete(DeleteEach):
    """Forget hosts that no instance lives on."""

    def find(self, name: str) -> object:
        return self.session.controller.inventory.host(name)

    def delete(self, name: str) -> object:
        return self.session.controller.inventory.delete_host(name)
